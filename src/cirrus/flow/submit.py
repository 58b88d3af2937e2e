"""Submit: read documents, refuse what can never work, queue the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from cirrus.core.documents import PAUSE
from cirrus.core.event import UNKNOWN, EventType, WorkflowEvent
from cirrus.core.jsontext import decode
from cirrus.core.payload import Payload, accept, reference, rerun_text
from cirrus.errors import CirrusError, InvalidDefinition, InvalidPayload, NotFound
from cirrus.flow.home import Home
from cirrus.flow.once import for_batch
from cirrus.ports.queue import Message, Rejected

BATCH = 500
BATCH_BYTES = 8 << 20


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Submitted:
    """What became of one document: `queued` with its payload id, or `rejected` and why."""

    result: str
    payload_id: str | None = None
    reason: str | None = None
    warnings: tuple[str, ...] = ()
    kept: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields that say something."""
        told = {"payload_id": self.payload_id, "result": self.result, "reason": self.reason, "kept": self.kept}
        found: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
        return {**found, "warnings": list(self.warnings)} if self.warnings else found


class Unreadable(CirrusError):
    """A message could not be read at all."""


def submit(
    home: Home, documents: Iterable[bytes], *, replace: bool = False, priority: int = 0, batch: int = BATCH
) -> Iterator[Submitted]:
    """Queue payloads from JSON texts, in batches; one bad document does not stop the rest.

    A PAUSE among them queues what was read before it. With `replace` every payload has `process[0].replace` set, so
    that it runs again whatever its state.
    """
    for some in portions(documents, batch):
        yield from _submit_batch(home, some, replace, priority)


def portions(documents: Iterable[bytes], most: int) -> Iterator[list[bytes]]:
    """The documents in batches: `most` at most, no more once they are BATCH_BYTES together, and none over a PAUSE."""
    batch: list[bytes] = []
    size = 0
    for text in documents:
        if text != PAUSE:
            batch.append(text)
            size += len(text)
        if batch and (text == PAUSE or len(batch) >= most or size >= BATCH_BYTES):
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _submit_batch(home: Home, batch: list[bytes], replaced: bool, priority: int) -> list[Submitted]:
    home, now = for_batch(home), home.clock()
    messages: list[Message] = []
    rejected: list[Rejected] = []
    results: list[Submitted] = []
    for text in batch:
        try:
            payload = read(home, text)
            warnings = (*payload.warnings, *check(home, payload))
        except (CirrusError, ValueError) as error:
            refusal = refuse(home, text, error, now)
            rejected.append(refusal)
            results.append(Submitted("rejected", _known_id(refusal), str(error), kept=refusal.name))
        else:
            body = rerun_text(payload.text) if replaced and not payload.replace else payload.text
            messages.append(Message(body, str(payload.id), priority))
            results.append(Submitted("queued", str(payload.id), warnings=warnings))
    with home.unit.group():
        home.queue.put(messages, now)
        home.queue.quarantine(rejected)
    home.bell.ring()
    return results


def read(home: Home, text: bytes, *, queued: bool = False) -> Payload:
    """The payload of a message, fetched where the message only points to it; a `queued` one is kept as it is.

    Unreadable or NotFound if it is no JSON or its URL leads nowhere, InvalidPayload if it is no payload, StoreError if
    its URL cannot be read now.
    """
    document = _decoded(text)
    url = reference(document)
    if url is not None:
        document = _decoded(home.payloads.get(url) if home.payloads.owns(url) else home.objects.get(url))
        if reference(document) is not None:
            raise InvalidPayload(f"url: {url} holds another url; one step is followed, no more")
    return accept(document, text if queued and url is None else None)


def _decoded(text: bytes) -> object:
    try:
        return decode(text)
    except InvalidPayload as error:
        raise Unreadable(str(error)) from None


def check(home: Home, payload: Payload) -> tuple[str, ...]:
    """What could not be checked; InvalidPayload if a workflow of the payload or its chain cannot be, or a parameter."""
    problems: list[str] = []
    warnings: list[str] = []
    for where, definition in _definitions(payload):
        name = definition["workflow"]
        try:
            machine = home.workflows.definition(name)
        except NotFound:
            known = ", ".join(home.workflows.names()) or "none"
            problems.append(f"{where}.workflow: there is no workflow {name!r}; there are: {known}")
        except InvalidDefinition as error:
            problems.append(f"{where}.workflow: the definition of {name!r} is wrong: {error}")
        else:
            checked = home.parameters.check(machine, definition.get("tasks") or {})
            problems += [f"{where}.{problem}" for problem in checked.problems]
            warnings += checked.warnings
    if problems:
        raise InvalidPayload(problems)
    return tuple(dict.fromkeys(warnings))


def _definitions(payload: Payload) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for n, element in enumerate(payload.document["process"]):
        if isinstance(element, list):
            yield from ((f"process[{n}][{k}]", branch) for k, branch in enumerate(element))
        else:
            yield f"process[{n}]", element


def refuse(home: Home, text: bytes, error: Exception, now: int, receipt: str | None = None) -> Rejected:
    """The quarantine entry and event of a message that is no payload."""
    decoded = isinstance(error, InvalidPayload)
    kind = EventType.NOT_A_PROCESS_PAYLOAD if decoded else EventType.RECORD_EXTRACT_FAILED
    name = str(UUID(int=(home.chance() << 64) | home.chance(), version=4))
    event = WorkflowEvent(kind, UNKNOWN, now, error=str(error)[:2000])
    return Rejected(text, name, str(error), _with_id(event, text), receipt)


def _with_id(event: WorkflowEvent, text: bytes) -> WorkflowEvent:
    try:
        document = decode(text)
    except InvalidPayload:
        return event
    given = document.get("id") if isinstance(document, dict) else None
    return replace(event, payload_id=given) if isinstance(given, str) and given else event


def _known_id(rejected: Rejected) -> str | None:
    return None if rejected.event.payload_id == UNKNOWN else rejected.event.payload_id
