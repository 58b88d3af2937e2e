"""Summary: how many records are in each state, what is queued, and what is still to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.instant import iso
from cirrus.core.markup import table
from cirrus.core.state import State
from cirrus.core.throttle import Pause
from cirrus.flow.home import Home
from cirrus.ports.outbox import Ledger
from cirrus.ports.query import Query

_LEDGER = ("waiting", "sent", "parked", "last_error")


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of records by `collections_workflow` and state, of queued messages, and of deliveries by target.

    `pauses` are those that hold.
    """

    deployment: str
    counts: Mapping[str, Mapping[State, int]]
    queued: int
    deliveries: tuple[Ledger, ...]
    pauses: tuple[Pause, ...] = ()

    def total(self, *states: State) -> int:
        """How many records are in these states, or in all."""
        return sum(n for found in self.counts.values() for state, n in found.items() if not states or state in states)

    def rows(self) -> list[tuple[str | int, ...]]:
        """A row for each `collections_workflow`: its name, then its counts in the order of the states."""
        return [(name, *(found.get(state, 0) for state in State)) for name, found in self.counts.items()]

    def to_json(self) -> dict[str, Any]:
        """The summary as a document."""
        workflows = {name: {str(state): n for state, n in found.items()} for name, found in self.counts.items()}
        deliveries = {one.target: {name: getattr(one, name) for name in _LEDGER} for one in self.deliveries}
        paused = [
            {"kind": one.kind, "name": one.name, "since": iso(one.at), "reason": one.reason} for one in self.pauses
        ]
        return {"workflows": workflows, "queued": self.queued, "paused": paused, "deliveries": deliveries}

    def __repr__(self) -> str:
        states = {state: n for state in State if (n := self.total(state))}
        told = ", ".join(f"{n} {state}" for state, n in states.items()) or "no records"
        return f"<Summary of {self.deployment}: {told}, {self.queued} queued>"

    def _repr_html_(self) -> str:
        return table(("collections_workflow", *State), self.rows(), f"{self.deployment}: {self.queued} queued")


def summary(home: Home, query: Query) -> Summary:
    """The summary of the records that a query means; the queue and the deliveries are those of the deployment."""
    counts, queued = home.state_db.count(query), home.queue.depth()
    return Summary(home.name, counts, queued, tuple(home.outbox.ledger()), tuple(home.queue.pauses()))
