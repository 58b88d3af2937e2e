"""Fence: what is told of a write about an execution that is no longer the current one, or has ended."""

from __future__ import annotations

from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import LOCAL, Arns
from cirrus.core.payload_id import parse


def refused(payload_id: str, execution_id: str, what: str, at: int, arns: Arns = LOCAL) -> WorkflowEvent:
    """The event of a write that was refused; `what` was to be written."""
    return WorkflowEvent(
        EventType.WRITE_REFUSED,
        payload_id,
        at,
        execution=arns.shown(parse(payload_id).workflow, execution_id),
        error=f"{what} was not written: the execution has ended, was taken over, or is no longer the current one",
    )
