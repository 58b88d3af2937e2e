"""The journal: what happened to an execution, in order, so that folding it gives the execution's state again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.throttle import Limit
from cirrus.ports.state_db import Execution

ADOPTED_BYTES = 32 << 20


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Entry:
    """One event of an execution as JSON text; `body` is a large value of it, kept apart and only once."""

    execution_id: str
    seq: int
    event: bytes
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class AttemptLog:
    """What one attempt at a task printed; `attempt` counts from 1, instants in microseconds since the epoch."""

    execution_id: str
    ref: int
    state: str
    task: str
    attempt: int
    started: int
    ended: int | None
    error: str | None
    text: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """The control process that an execution belongs to: its name, the end of its lease (None: it has none), where.

    The end is in microseconds on the clock of leases.
    """

    owner: str
    until: int | None
    about: str = ""


class Journal(Protocol):
    """Histories of executions, their owners, and their logs.

    The instants of leases, and those by which rates of tasks count, are in microseconds on the clock of leases.
    """

    def append(self, owner: str, entries: Sequence[Entry]) -> set[str]:
        """Add entries; gives the executions that `owner` no longer holds, whose entries were refused."""

    def read(self, execution_id: str) -> list[Entry]:
        """All entries of an execution, oldest first."""

    def beat(self, owner: str, until: int, about: str = "") -> None:
        """Say that a control process lives, until the given instant at least."""

    def retire(self, owner: str) -> None:
        """A control process ends: what it still holds may be taken over at once."""

    def reserve(self, owner: str, task: str, held: int, wanted: int, limit: Limit, now: int) -> tuple[int, int | None]:
        """How many of the attempts that `owner` wants to start at a limited task may, beside those under way (`held`).

        With those of all other owners whose leases last there are never more under way than the limit says, and each
        that wants some gets its share (`cirrus.core.share`). Those granted count as under way, and cost their part of
        the rate. Also gives when the rate has room again, where that is what holds the others back.
        """

    def adopt(
        self, owner: str, now: int, limit: int, only: Collection[str] | None = None, *, size: int = ADOPTED_BYTES
    ) -> list[Execution]:
        """Take over running executions whose owner's lease has ended; with `only`, those of these payload ids.

        It stops once their inputs have `size` bytes together; a single larger one is taken over alone.

        A lease that ends much later than the adopter's own was written before the clock began anew: it has ended.
        """

    def held(self, owner: str) -> set[str]:
        """The running executions that `owner` holds."""

    def holder(self, execution_id: str) -> Holder | None:
        """Who holds a running execution; None if it has ended, or belongs to nobody."""

    def cancelled(self, owner: str) -> list[str]:
        """The executions of `owner` that someone else has ended since the last call."""

    def running(self) -> int:
        """How many executions have not ended, whoever owns them."""

    def log(self, logs: Sequence[AttemptLog]) -> None:
        """Keep what attempts printed: added to what is there while they run, in its place once they have ended."""

    def last_failed(self, execution_id: str) -> str | None:
        """The state whose attempt at a task failed last, by the logs; None if none did."""

    def logs(self, execution_id: str) -> list[AttemptLog]:
        """The logs of an execution's attempts, oldest first."""
