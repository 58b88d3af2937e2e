"""History events shaped as Step Functions gives them: which details each type carries, and under what name."""

from __future__ import annotations

from typing import Any

from cirrus.asl.data import text

WHOLE = {"truncated": False}

LIMIT = 25_000
EXPRESS_LIMIT = 250_000

TERMINAL = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"})


def limit(express: bool) -> int:
    """How many events a history may hold."""
    return EXPRESS_LIMIT if express else LIMIT


def details_key(kind: str) -> str:
    """The member that holds the details of an event type, as in botocore's model."""
    if kind.endswith("StateEntered"):
        return "stateEnteredEventDetails"
    if kind.endswith("StateExited"):
        return "stateExitedEventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"


def event(number: int, previous: int, at: float, kind: str, details: dict[str, Any] | None) -> dict[str, Any]:
    """One history event; details that are None are left out."""
    shown: dict[str, Any] = {"timestamp": at, "type": kind, "id": number, "previousEventId": previous}
    if details is not None:
        shown[details_key(kind)] = {key: value for key, value in details.items() if value is not None}
    return shown


def given(value: Any) -> dict[str, Any]:
    """The details of an input."""
    return {"input": text(value), "inputDetails": WHOLE}


def gave(value: Any) -> dict[str, Any]:
    """The details of an output."""
    return {"output": text(value), "outputDetails": WHOLE}
