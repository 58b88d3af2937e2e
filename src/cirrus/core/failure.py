"""What a workflow's failure means for the record: its state and its last error."""

from __future__ import annotations

from cirrus.core.event import EventType
from cirrus.core.jsontext import decode
from cirrus.core.state import State
from cirrus.errors import InvalidPayload

_INVALID = frozenset({"InvalidInput", "FailedValidation"})
_TIMEOUTS = frozenset({"States.Timeout", "Sandbox.Timedout", "States.HeartbeatTimeout", "TimedOutError"})
_ENDS = {
    "FAILED": (State.FAILED, EventType.FAILED),
    "TIMED_OUT": (State.FAILED, EventType.TIMED_OUT),
    "ABORTED": (State.ABORTED, EventType.ABORTED),
}
MAX_ERROR = 10_000


def is_invalid_input(error: str | None) -> bool:
    """Whether an error name, bare or dotted, says that the payload can never work."""
    return bool(error) and str(error).rpartition(".")[2] in _INVALID


def end_of(status: str, error: str | None) -> tuple[State, EventType]:
    """The record's state and the event for an execution that ended without success."""
    if status == "FAILED" and is_invalid_input(error):
        return State.INVALID, EventType.INVALID
    return _ENDS[status]


def last_error(status: str, error: str | None, cause: str | None) -> str:
    """`<ErrorName>: <message>`; the message is the cause, or its errorMessage where the cause is JSON."""
    message = _message(cause)
    if status == "TIMED_OUT" or error in _TIMEOUTS:
        return _bounded(f"TimedOutError: {message or 'the execution took longer than its limit'}")
    if status == "ABORTED":
        return _bounded(f"{error or 'Aborted'}: {message or 'stopped on request'}")
    return _bounded(f"{error or 'Unknown'}: {message or 'no message'}")


def _message(cause: str | None) -> str:
    if not cause:
        return ""
    if cause.lstrip().startswith("{"):
        try:
            value = decode(cause)
        except InvalidPayload:
            return cause
        if isinstance(value, dict) and isinstance(value.get("errorMessage"), str):
            return str(value["errorMessage"])
    return cause


def _bounded(text: str) -> str:
    return text if len(text) <= MAX_ERROR else f"{text[:MAX_ERROR]}… ({len(text)} characters)"
