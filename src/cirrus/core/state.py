"""The states of a record and every change between them, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a record says of its payload."""

    CLAIMED = "CLAIMED"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    INVALID = "INVALID"
    ABORTED = "ABORTED"

    __hash__ = str.__hash__  # that of an enumeration is a function in Python, and tables by state are read all the time

    @classmethod
    def parse(cls, text: str) -> State:
        """The state of that name; SUCCEEDED is another spelling of COMPLETED. ValueError lists what there is."""
        try:
            return cls("COMPLETED" if text.upper() == "SUCCEEDED" else text.upper())
        except ValueError:
            raise ValueError(f"{text!r} is no state: one of {', '.join(cls)} is expected") from None


RUNNING = frozenset({State.CLAIMED, State.PROCESSING})
ENDED = frozenset({State.COMPLETED, State.FAILED, State.INVALID, State.ABORTED})


@dataclass(frozen=True, slots=True)
class Transition:
    """One change: a record in `before` (None: no record) that meets `trigger` is in `after`."""

    before: State | None
    trigger: str
    after: State


def _table() -> tuple[Transition, ...]:
    claims = [Transition(before, "claim", State.CLAIMED) for before in (None, State.FAILED, State.ABORTED)]
    replaced = [Transition(before, "claim, replaced", State.CLAIMED) for before in (State.COMPLETED, State.INVALID)]
    ends = [
        Transition(before, trigger, after)
        for before in (State.CLAIMED, State.PROCESSING)
        for trigger, after in (
            ("succeed", State.COMPLETED),
            ("fail", State.FAILED),
            ("time out", State.FAILED),
            ("refuse input", State.INVALID),
            ("abort", State.ABORTED),
        )
    ]
    return (*claims, *replaced, Transition(State.CLAIMED, "start", State.PROCESSING), *ends)


TRANSITIONS = _table()
_ALLOWED = {(row.before, row.after) for row in TRANSITIONS}


def allowed(before: State | None, after: State) -> bool:
    """Whether the table has a change from `before` to `after`."""
    return (before, after) in _ALLOWED
