"""What a turn of a control process works with: executions in flight, what comes in, and what the turn decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cirrus.core.event import WorkflowEvent
from cirrus.errors import CirrusError
from cirrus.flow.attempt import Doing
from cirrus.flow.given import NONE, Given
from cirrus.flow.nest import Nest, Path
from cirrus.flow.timers import Key
from cirrus.ports.compute import Attempt
from cirrus.ports.journal import AttemptLog, Entry
from cirrus.ports.state_db import Conclusion


class Running(NamedTuple):
    """An execution that is in flight here, of what it was `given`; `seq` numbers its next journal entry.

    With `waits` a task waits for a token.
    """

    execution_id: str
    payload_id: str
    workflow: str
    nest: Nest
    seq: int = 0
    waits: bool = False
    given: Given = NONE

    def after(self, nest: Nest) -> Running:
        """The same after one more event."""
        execution_id, payload_id, workflow, _, seq, waits, given = self
        return tuple.__new__(Running, (execution_id, payload_id, workflow, nest, seq + 1, waits, given))  # see nest.py


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Input:
    """An event for one execution of a nest; of one that begins, its definition and `more` that the journal tells."""

    path: Path
    event: Any
    definition: bytes | None = None
    more: Mapping[str, Any] | None = None


class Overtaken(CirrusError):
    """Executions of this turn are no longer ours: none of it may commit, for their calls stand in it too.

    `events` say so, and are to be recorded once the transaction is undone.
    """

    def __init__(self, execution_ids: Collection[str], events: Sequence[WorkflowEvent]) -> None:
        self.execution_ids = frozenset(execution_ids)
        self.events = tuple(events)
        super().__init__(f"{len(self.execution_ids)} executions were ended or taken over by others")


@dataclass(slots=True)
class Turn:
    """What one turn decides; nothing of it counts before the transaction has committed."""

    staged: dict[str, Running] = field(default_factory=dict)
    ended: dict[str, Conclusion] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    logs: list[AttemptLog] = field(default_factory=list)
    start: dict[str, tuple[Doing, Attempt]] = field(default_factory=dict)
    granted: Mapping[str, int] = field(default_factory=dict)
    timers: dict[Key, float | None] = field(default_factory=dict)
    stop: list[tuple[str, str]] = field(default_factory=list)
    lost: frozenset[str] = frozenset()
