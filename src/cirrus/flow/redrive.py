"""Redrive: whether an execution elsewhere can go on at the step that failed; it stays the same execution."""

from __future__ import annotations

from typing import Any

from cirrus.core.jsontext import decode
from cirrus.core.payload import CONTINUE_FROM, Payload
from cirrus.core.record import Record
from cirrus.errors import InvalidPayload
from cirrus.flow.home import Home
from cirrus.ports.engine import UNKNOWN, Described

_QUEUED = frozenset({"replace", CONTINUE_FROM})


def obstacle(found: Described | None) -> str | None:
    """Why an execution, as the engine tells of it, cannot go on; None if it can."""
    return UNKNOWN if found is None else found.fixed


def asks(home: Home, payload: Payload) -> bool:
    """Whether a payload asks for its last execution to go on, where an engine elsewhere does that."""
    return home.engine is not None and CONTINUE_FROM in payload.document["process"][0]


def resumable(home: Home, payload: Payload, record: Record | None) -> Described:
    """The execution that is to go on. InvalidPayload says why it cannot, or not with this payload."""
    assert home.engine is not None
    where, wanted = f"process[0].{CONTINUE_FROM}", payload.document["process"][0][CONTINUE_FROM]
    if record is None or wanted != record.execution_id:
        raise InvalidPayload(f"{where}: {wanted} is not the last execution of this payload")
    found = home.engine.describe(home.arns.execution(payload.workflow, wanted))
    reason = obstacle(found)
    if found is None or reason is not None:
        raise InvalidPayload(f"{where}: {wanted} cannot go on: {reason}")
    if _as_given(found.input) != _as_given(payload.text):
        raise InvalidPayload(f"{where}: {wanted} goes on with the payload that it was given, and this one differs")
    return found


def _as_given(text: bytes) -> Any:
    """A payload but for how it was queued."""
    document = decode(text)
    first, *rest = document["process"]
    return {**document, "process": [{name: first[name] for name in first if name not in _QUEUED}, *rest]}
