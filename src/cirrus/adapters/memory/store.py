"""What the memory backend keeps: a few tables of values that never change, under one lock.

Rules: every row is an immutable value, so a copy of the tables is a copy of everything; every write stands in a
`group`, which puts the tables back as they were if it raises.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields

from cirrus.core.event import WorkflowEvent
from cirrus.core.failure_kind import FailureKind
from cirrus.core.lease import Lease
from cirrus.core.record import Record
from cirrus.core.share import Part
from cirrus.core.state import State
from cirrus.core.throttle import Pause
from cirrus.ports.callbacks import Answer
from cirrus.ports.callbacks import Waiting as Waits
from cirrus.ports.campaigns import Campaign, Member
from cirrus.ports.campaigns import Outcome as Became
from cirrus.ports.journal import AttemptLog, Entry
from cirrus.ports.queue import Kept
from cirrus.ports.state_db import Execution, ItemRef


@dataclass(frozen=True, slots=True)
class Waiting:
    """A queued message; it cannot be taken before `visible`."""

    body: bytes
    payload_id: str | None
    priority: int = 0
    visible: int = 0
    owner: str | None = None
    attempts: int = 0
    queued: int = 0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery of the outbox; it waits until it is `sent` or `parked`."""

    target: str
    kind: str
    payload_id: str
    body: bytes
    due: int = 0
    attempts: int = 0
    error: str | None = None
    sent: int | None = None
    parked: int | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to be sent."""
        return self.sent is None and self.parked is None


@dataclass(frozen=True, slots=True)
class Enlisted:
    """A member of a campaign, and what became of it."""

    member: Member
    outcome: Became | None = None


@dataclass(slots=True)
class Tables:
    """Everything; `serial` is the last number given to a message or delivery, `told` that given to an event."""

    records: dict[str, Record] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    owned: dict[str, str] = field(default_factory=dict)
    cancels: dict[str, None] = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    logs: dict[tuple[str, int], AttemptLog] = field(default_factory=dict)
    items: dict[tuple[ItemRef, bool, str], None] = field(default_factory=dict)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    members: dict[tuple[str, int], Enlisted] = field(default_factory=dict)
    kinds: dict[str, FailureKind] = field(default_factory=dict)
    entered: list[tuple[int, State]] = field(default_factory=list)
    events: dict[int, WorkflowEvent] = field(default_factory=dict)
    told: int = 0
    tombstones: dict[str, tuple[str, ...]] = field(default_factory=dict)
    messages: dict[int, Waiting] = field(default_factory=dict)
    quarantine: dict[str, Kept] = field(default_factory=dict)
    pauses: dict[tuple[str, str], Pause] = field(default_factory=dict)
    debts: dict[str, int] = field(default_factory=dict)
    slots: dict[tuple[str, str], Part] = field(default_factory=dict)
    priorities: dict[str, int] = field(default_factory=dict)
    bodies: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    outbox: dict[int, Outgoing] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    abouts: dict[str, str] = field(default_factory=dict)
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    waiting: dict[str, Waits] = field(default_factory=dict)
    called: dict[str, None] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    serial: int = 0

    def hold(self, name: str, owner: str, lease: Lease) -> bool:
        """Take or renew a lock; one ends with its time, or with the lease of its owner."""
        holder, until = self.holds.get(name, (owner, lease.at))
        alive = self.owners.get(holder, lease.at + 1) > lease.at
        if holder != owner and lease.waits_for(until) and alive:
            return False
        self.holds[name] = (owner, lease.until)
        return True

    def number(self) -> int:
        """The next number."""
        self.serial += 1
        return self.serial


class Store:
    """The tables and their lock; one store is shared by the adapters of all ports, in any number of threads."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._lock = threading.RLock()
        self._depth = 0
        self._commits = 0

    @contextmanager
    def group(self) -> Iterator[None]:
        """One transaction; groups inside it join it."""
        with self.writing():
            yield

    @contextmanager
    def writing(self) -> Iterator[Tables]:
        """The tables, to be changed by this thread alone; as they were before if the block raises."""
        with self._lock:
            if self._depth:
                yield self._tables
                return
            before = Tables(*(copy(getattr(self._tables, one.name)) for one in fields(Tables)))
            self._depth = 1
            try:
                yield self._tables
                self._commits += 1
            except BaseException:
                self._tables = before
                raise
            finally:
                self._depth = 0

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """The tables, with nobody changing them."""
        with self._lock:
            yield self._tables

    def commits(self) -> int:
        """A number that changes when something was committed."""
        return self._commits
