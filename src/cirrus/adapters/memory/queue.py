"""The queue port in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store, Waiting
from cirrus.ports.queue import Kept, Message, Queued, Rejected, Taken


class MemoryQueue:
    """Messages and quarantine in a Store; events of rejected messages go through its state database."""

    def __init__(self, store: Store, state_db: MemoryStateDb) -> None:
        self._store = store
        self._state_db = state_db

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""
        with self._store.writing() as tables:
            for message in messages:
                tables.messages[tables.number()] = Waiting(message.body, message.payload_id, queued=at)

    def take(self, limit: int, *, owner: str, now: int, until: int, only: Collection[str] | None = None) -> list[Taken]:
        """Lease up to `limit` messages until the instant `until`; with `only`, those of these payload ids."""
        with self._store.writing() as tables:
            free = (
                number
                for number, message in tables.messages.items()
                if message.visible <= now and (only is None or message.payload_id in only)
            )
            numbers = [number for number, _ in zip(free, range(limit), strict=False)]
            for number in numbers:
                message = tables.messages[number]
                leased = replace(message, visible=until, owner=owner, attempts=message.attempts + 1)
                tables.messages[number] = leased
            return [Taken(str(n), tables.messages[n].body, tables.messages[n].attempts) for n in numbers]

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""
        self._state_db.note((), receipts)

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""
        with self._store.writing() as tables:
            for number in map(int, receipts):
                if number in tables.messages:
                    tables.messages[number] = replace(tables.messages[number], visible=visible, owner=None)

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""
        with self._store.writing() as tables:
            for message in rejected:
                tables.quarantine[message.name] = Kept(message.name, message.event.at, message.reason, message.body)
                self._state_db.note([message.event], [message.receipt] if message.receipt else [])

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""
        with self._store.reading() as tables:
            return sorted(tables.quarantine.values(), key=lambda kept: (-kept.at, kept.name))[:limit]

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id waits or is being worked on."""
        with self._store.reading() as tables:
            return any(message.payload_id == payload_id for message in tables.messages.values())

    def waiting(self, payload_id: str) -> list[Queued]:
        """The messages of a payload id, oldest first."""
        with self._store.reading() as tables:
            found = [(n, one) for n, one in enumerate(tables.messages.values()) if one.payload_id == payload_id]
        return [Queued(one.queued, one.visible, one.owner, one.attempts, n) for n, one in found]

    def depth(self) -> int:
        """How many messages there are, leased ones included."""
        with self._store.reading() as tables:
            return len(tables.messages)
