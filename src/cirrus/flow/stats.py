"""Stats: how many records entered each state, hour by hour and day by day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.instant import SECOND, iso
from cirrus.core.markup import table
from cirrus.core.state import State
from cirrus.flow.home import Home
from cirrus.ports.state_db import SLOT

HOUR = 3600 * SECOND
DAY = 24 * HOUR
DAYS = 60
HOURS = 36


@dataclass(frozen=True, slots=True)
class Period:
    """The time from `begins`, in microseconds since the epoch, and how many records entered each state in it."""

    begins: int
    states: Mapping[State, int]

    def rows(self) -> tuple[str | int, ...]:
        """Its beginning to the minute, and the counts in the order of the states."""
        return (f"{iso(self.begins)[:16]}Z", *(self.states.get(state, 0) for state in State))


@dataclass(frozen=True, slots=True)
class Stats:
    """State transitions: the last 60 days, the last 36 full hours and this one, the last 36 times 60 minutes.

    The last ones end now and are exact to ten minutes. The oldest comes first; times are UTC.
    """

    daily: tuple[Period, ...]
    hourly: tuple[Period, ...]
    hourly_rolling: tuple[Period, ...]

    def to_json(self) -> dict[str, Any]:
        """The statistics as a document; periods in which nothing happened have no states."""
        lengths = {"daily": "1d", "hourly": "1h", "hourly_rolling": "1h"}
        return {
            "state_transitions": {
                name: [_period(one, length) for one in getattr(self, name)] for name, length in lengths.items()
            }
        }

    def __repr__(self) -> str:
        today = self.daily[-1].states
        told = ", ".join(f"{today[state]} {state}" for state in State if today.get(state)) or "nothing"
        return f"<Stats: today {told}>"

    def _repr_html_(self) -> str:
        return table(("hour", *State), [one.rows() for one in self.hourly_rolling if one.states])


def stats(home: Home) -> Stats:
    """The statistics as of now."""
    now = home.clock()
    today, hour = now - now % DAY, now - now % HOUR
    rolling = now - now % SLOT + SLOT - HOUR
    slots = home.state_db.transitions(today - (DAYS - 1) * DAY, now + 1)
    return Stats(
        tuple(_sum(slots, today - n * DAY, DAY) for n in reversed(range(DAYS))),
        tuple(_sum(slots, hour - n * HOUR, HOUR) for n in reversed(range(HOURS + 1))),
        tuple(_sum(slots, rolling - n * HOUR, HOUR) for n in reversed(range(HOURS))),
    )


def _sum(slots: Mapping[int, Mapping[State, int]], begins: int, length: int) -> Period:
    states: dict[State, int] = {}
    for slot in range(begins, begins + length, SLOT):
        for state, number in slots.get(slot, {}).items():
            states[state] = states.get(state, 0) + number
    return Period(begins, states)


def _period(one: Period, length: str) -> dict[str, Any]:
    states = [{"state": str(state), "count": n} for state, n in sorted(one.states.items())]
    return {"period": iso(one.begins)[:19] + "Z", "interval": length, "states": states}
