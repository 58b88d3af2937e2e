"""Conclude: what follows from the end of an execution, as one conclusion that commits at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cirrus.core.chain import chain
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.failure import end_of, last_error
from cirrus.core.failure_kind import failure_kind
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import input_key, output_key
from cirrus.core.payload_id import derive, parse
from cirrus.core.publication import output_items, output_url
from cirrus.core.state import State
from cirrus.errors import CirrusError, InvalidPayload, StoreError
from cirrus.flow.home import Home
from cirrus.flow.result import as_text, as_value, referred
from cirrus.ports.queue import Message
from cirrus.ports.state_db import Conclusion, item_refs


def concluded(
    home: Home,
    payload_id: str,
    workflow: str,
    execution_id: str,
    status: str,
    output: Any,
    error: str | None,
    cause: str | None,
    at: int,
    step: str | None = None,
) -> Conclusion:
    """The end of an execution, good or not; an output from which nothing can follow is a failure of its own."""
    who = (home, payload_id, workflow, execution_id)
    try:
        return succeeded(*who, output, at) if status == "SUCCEEDED" else failed(*who, status, error, cause, at, step)
    except StoreError:
        raise
    except CirrusError as wrong:
        return failed(*who, "FAILED", "InvalidOutput", str(wrong), at)


def succeeded(home: Home, payload_id: str, workflow: str, execution_id: str, output: Any, at: int) -> Conclusion:
    """The good end: record, event, publishing, and the next payloads of the chain after `output`, a value or a Text."""
    value, text = _resolved(home, output)
    following = chain(value, _process(home, value, payload_id, execution_id))
    items = output_items(value)
    event = _event(home, EventType.SUCCEEDED, payload_id, workflow, execution_id, at, output=True)
    ended = [replace(event, type=EventType.CHAIN_ENDED, error=reason) for reason in following.ended]
    return Conclusion(
        payload_id=payload_id,
        execution_id=execution_id,
        state=State.COMPLETED,
        at=at,
        outputs=tuple([url for item in items if (url := output_url(item))]),
        output_collections=tuple(sorted({name for item in items if isinstance(name := item.get("collection"), str)})),
        output=text,
        published=bool(items),
        events=(event, *ended),
        next=tuple([Message(encode(document), _next_id(document)) for document in following.next]),
        items=item_refs(items),
    )


def failed(
    home: Home,
    payload_id: str,
    workflow: str,
    execution_id: str,
    status: str,
    error: str | None,
    cause: str | None,
    at: int,
    step: str | None = None,
) -> Conclusion:
    """Any other end: `status` is FAILED, TIMED_OUT or ABORTED; `step` is the state whose failure led to it."""
    state, kind = end_of(status, error)
    message = last_error(status, error, cause)
    return Conclusion(
        payload_id=payload_id,
        execution_id=execution_id,
        state=state,
        at=at,
        last_error=message,
        error=error,
        cause=cause,
        kind=None if state is State.ABORTED else failure_kind(workflow, step, message, _own(payload_id, execution_id)),
        events=(_event(home, kind, payload_id, workflow, execution_id, at, error=message),),
    )


def _next_id(document: dict[str, Any]) -> str | None:
    """The id that a payload of the chain will have; None if it will be refused."""
    first = document["process"][0]
    workflow, collections = first.get("workflow"), first.get("collections")
    if not isinstance(workflow, str) or not isinstance(collections, (str, type(None))):
        return None
    try:
        return str(parse(derive(collections, workflow, document["features"])))
    except (InvalidPayload, KeyError, TypeError):
        return None


def _own(payload_id: str, execution_id: str) -> tuple[str, ...]:
    """What a failure may say of its payload alone: its id, those of its Items and of its execution."""
    itemids = parse(payload_id).itemids
    return (payload_id, execution_id, itemids, *itemids.split("/")[:100])


def _resolved(home: Home, output: Any) -> tuple[Any, bytes]:
    url = referred(output)
    if url is None or not home.payloads.owns(url):
        return as_value(output), as_text(output)
    text = home.payloads.get(url)
    return decode(text), text


def _process(home: Home, output: Any, payload_id: str, execution_id: str) -> Any:
    """The process definitions: the output's, else those that the execution was given."""
    if isinstance(output, dict) and isinstance(output.get("process"), list):
        return output["process"]
    execution = home.state_db.execution(execution_id, payload_id)
    return decode(execution.input)["process"] if execution else None


def _event(
    home: Home,
    kind: EventType,
    payload_id: str,
    workflow: str,
    execution_id: str,
    at: int,
    *,
    output: bool = False,
    error: str | None = None,
) -> WorkflowEvent:
    return WorkflowEvent(
        kind,
        payload_id,
        at,
        input_payload_url=home.payloads.url(input_key(home.root, payload_id, execution_id)),
        output_payload_url=home.payloads.url(output_key(home.root, payload_id, execution_id)) if output else None,
        execution=home.arns.shown(workflow, execution_id),
        error=error,
    )
