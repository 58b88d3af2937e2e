"""The queue: payloads that wait to be processed; a message is leased while someone works on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.event import WorkflowEvent
from cirrus.core.throttle import Pause, Throttle

NONE = Throttle()
BATCH_BYTES = 32 << 20


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Message:
    """What is queued: a JSON text, the payload id it is known to have, and its priority, higher ones first.

    `after` is the execution that must still be the record's last when this one begins, where that matters: a queue
    that may give a message twice keeps it.
    """

    body: bytes
    payload_id: str | None = None
    priority: int = 0
    after: str | None = None


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Taken:
    """A leased message; `attempts` counts how often it was taken, this time included.

    `known` is whether its payload id was known: if not, no limit was applied. `after` is the message's. `again` is
    whether it may have been claimed for before, by somebody who died; then its receipt is the same each time.
    """

    receipt: str
    body: bytes
    attempts: int
    priority: int = 0
    known: bool = True
    after: str | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is no payload: kept under `name` with the reason, and the event that says so."""

    body: bytes
    name: str
    reason: str
    event: WorkflowEvent
    receipt: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A message in quarantine; `at` in microseconds since the epoch."""

    name: str
    at: int
    reason: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Queued:
    """Where a message stands: `ahead` of it are so many; it is `owner`'s, or nobody can take it, before `visible`.

    Instants in microseconds since the epoch; `attempts` counts how often it was taken.
    """

    at: int
    visible: int
    owner: str | None
    attempts: int
    ahead: int


class Queue(Protocol):
    """At least once; a message that is not settled when its lease ends is there again.

    What is next is decided by `cirrus.core.pick`: higher priorities first, collections in turn, each in order of age.
    Taking costs what is taken, however much is queued.
    """

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""

    def take(
        self,
        limit: int,
        *,
        owner: str,
        now: int,
        until: int,
        only: Collection[str] | None = None,
        throttle: Throttle = NONE,
        size: int = BATCH_BYTES,
    ) -> list[Taken]:
        """Lease up to `limit` messages until the instant `until`; with `only`, those of these payload ids.

        No more than `throttle` leaves room for, beside what runs anywhere, and none that is paused. It stops once the
        bodies have `size` bytes together; a single larger one is taken alone.
        """

    def spend(self, payload_ids: Sequence[str], throttle: Throttle, now: int) -> None:
        """Executions of these payloads begin: what that leaves of the rates of `throttle` is kept."""

    def again(self, throttle: Throttle, now: int) -> int | None:
        """When `take` may find more though nothing else happens: a rate has room, or a message comes back."""

    def sort(self, receipts: Mapping[str, str]) -> set[str]:
        """Put messages back whose payload ids have become known, receipt → id, to wait where they belong.

        Gives those that stay with the caller, since nothing holds them back: none where `take` decides that.
        """

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""

    def kept(self, name: str) -> Kept | None:
        """One message in quarantine by its name."""

    def requeue(self, names: Collection[str], at: int) -> set[str]:
        """Queue messages in quarantine again as they are; gives the names of those that were there."""

    def discard(self, names: Collection[str]) -> set[str]:
        """Remove messages from quarantine for good; gives the names of those that were there."""

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id waits or is being worked on."""

    def waiting(self, payload_id: str) -> list[Queued]:
        """The messages that are known to be of a payload id, oldest first."""

    def depth(self) -> int:
        """How many messages there are, leased ones included."""

    def stirs(self) -> bool:
        """Whether there is a message, leased or put off ones included, that nobody has to resume first."""

    def pause(self, pause: Pause) -> None:
        """Let no message of a scope be taken until it is resumed; a second pause of the scope replaces the first."""

    def resume(self, kind: str, name: str) -> bool:
        """Lift the pause of a scope; False if there was none."""

    def pauses(self) -> list[Pause]:
        """The pauses that hold, the oldest first."""
