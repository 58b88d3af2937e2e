"""The queue: payloads that wait to be processed; a message is leased while someone works on it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.event import WorkflowEvent


@dataclass(frozen=True, slots=True)
class Message:
    """What is queued: a JSON text, and the payload id it is known to have."""

    body: bytes
    payload_id: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A leased message; `attempts` counts how often it was taken, this time included."""

    receipt: str
    body: bytes
    attempts: int


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
    """At least once, oldest first; a message that is not settled when its lease ends is there again."""

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""

    def take(self, limit: int, *, owner: str, now: int, until: int, only: Collection[str] | None = None) -> list[Taken]:
        """Lease up to `limit` messages until the instant `until`; with `only`, those of these payload ids."""

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id waits or is being worked on."""

    def waiting(self, payload_id: str) -> list[Queued]:
        """The messages that are known to be of a payload id, oldest first."""

    def depth(self) -> int:
        """How many messages there are, leased ones included."""
