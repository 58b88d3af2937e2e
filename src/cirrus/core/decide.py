"""What queueing a payload does to its record: run, skip or resume; the table of the state specification."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cirrus.core.event import EventType
from cirrus.core.record import Record
from cirrus.core.state import State


class Action(StrEnum):
    """What happens to a queued payload."""

    RUN = "run"
    SKIP = "skip"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Decision:
    """The action, and for a skip the event that says why."""

    action: Action
    event: EventType | None = None


_RUN = Decision(Action.RUN)
_WITHOUT_REPLACE = {
    State.FAILED: _RUN,
    State.ABORTED: _RUN,
    State.COMPLETED: Decision(Action.SKIP, EventType.ALREADY_COMPLETED),
    State.INVALID: Decision(Action.SKIP, EventType.ALREADY_INVALID),
    State.PROCESSING: Decision(Action.SKIP, EventType.ALREADY_PROCESSING),
}
_WITH_REPLACE = _WITHOUT_REPLACE | {State.COMPLETED: _RUN, State.INVALID: _RUN}


def decide(record: Record | None, *, replace: bool, now: int, lease: int) -> Decision:
    """What queueing the payload of `record` does; a claim older than `lease` microseconds has expired."""
    if record is None:
        return _RUN
    if record.state is State.CLAIMED:
        claimed = record.updated if record.claimed_at is None else record.claimed_at
        if now - claimed < lease:
            return Decision(Action.SKIP, EventType.ALREADY_CLAIMED)
        return Decision(Action.RESUME)
    return (_WITH_REPLACE if replace else _WITHOUT_REPLACE)[record.state]
