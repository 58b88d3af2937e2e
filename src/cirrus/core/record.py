"""The record of a payload: may it run now, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cirrus.core.execution_id import numbered
from cirrus.core.instant import iso
from cirrus.core.payload_id import parse
from cirrus.core.state import State


@dataclass(frozen=True, slots=True)
class Record:
    """One payload's record; instants are microseconds since the epoch, `executions` are ids, oldest first.

    `fingerprint` names the kind of its failure. `redrives` counts how often the current execution went on at the step
    that failed. `claimed_for` is the message that was claimed for, where that may come again all the same.
    """

    payload_id: str
    state: State
    created: int
    updated: int
    claimed_at: int | None = None
    executions: tuple[str, ...] = ()
    last_error: str | None = None
    outputs: tuple[str, ...] = ()
    output_collections: tuple[str, ...] = ()
    fingerprint: str | None = None
    redrives: int = 0
    claimed_for: str | None = field(default=None, compare=False)

    @property
    def execution_id(self) -> str | None:
        """The current execution: the last one."""
        return self.executions[-1] if self.executions else None

    @property
    def run(self) -> str | None:
        """The current execution as far as it has come: another one after each time it went on."""
        return numbered(self.executions[-1], self.redrives) if self.executions else None

    @property
    def state_updated(self) -> str:
        """The sort key that makes 'state X since T' a range."""
        return f"{self.state}_{iso(self.updated)}"

    def to_json(self) -> dict[str, Any]:
        """The record as operators see it; absent fields are left out."""
        parts = parse(self.payload_id)
        body: dict[str, Any] = {
            "payload_id": self.payload_id,
            "collections_workflow": parts.collections_workflow,
            "itemids": parts.itemids,
            "state": str(self.state),
            "created": iso(self.created),
            "updated": iso(self.updated),
            "claimed_at": None if self.claimed_at is None else iso(self.claimed_at),
            "state_updated": self.state_updated,
            "executions": list(self.executions),
            "redrives": self.redrives or None,
            "last_error": self.last_error,
            "error_fingerprint": self.fingerprint,
            "outputs": list(self.outputs),
            "output_collections": list(self.output_collections) or None,
        }
        return {name: value for name, value in body.items() if value is not None}
