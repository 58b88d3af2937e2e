"""The queue port in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store, Tables
from cirrus.adapters.memory.store import Waiting as Stored
from cirrus.core.payload_id import lane as parts
from cirrus.core.pick import Allowance, Lane, Waiting, again, first, pick, spent
from cirrus.core.throttle import Pause, Throttle
from cirrus.ports.queue import BATCH_BYTES, NONE, Kept, Message, Queued, Rejected, Taken


class MemoryQueue:
    """Messages and quarantine in a Store; events of rejected messages go through its state database."""

    def __init__(self, store: Store, state_db: MemoryStateDb) -> None:
        self._store = store
        self._state_db = state_db
        self._served: dict[int, int] = {}

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""
        with self._store.writing() as tables:
            for message in messages:
                tables.messages[tables.number()] = Stored(message.body, message.payload_id, message.priority, queued=at)

    # ---------------------------------------------------------------- taking

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
        """Lease messages that are next, within what limits leave room for."""
        if limit <= 0:
            return []
        with self._store.writing() as tables:
            lanes, allowance = _Lanes(tables, now), _allowance(tables, throttle, now)
            if only is None:
                picked = pick(lanes, limit, size, allowance, self._served)
            else:
                picked = first(lanes.of(only), limit, size, allowance)
            return [_lease(tables, message, owner, until) for message in picked]

    def spend(self, payload_ids: Sequence[str], throttle: Throttle, now: int) -> None:
        """Executions of these payloads begin: what that leaves of the rates is kept."""
        with self._store.writing() as tables:
            tables.debts |= spent(throttle, tables.debts, map(parts, payload_ids), now)

    def again(self, throttle: Throttle, now: int) -> int | None:
        """When `take` may find more though nothing else happens."""
        with self._store.reading() as tables:
            back = [message.visible for message in tables.messages.values() if message.visible > now]
            room = again(_Lanes(tables, now), _allowance(tables, throttle, now)) if throttle else None
        return min([*back, *([] if room is None else [room])], default=None)

    # ---------------------------------------------------------------- what was taken

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""
        self._state_db.note((), receipts)

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""
        with self._store.writing() as tables:
            for number in map(int, receipts):
                if number in tables.messages:
                    tables.messages[number] = replace(tables.messages[number], visible=visible, owner=None)

    def sort(self, receipts: Mapping[str, str]) -> set[str]:
        """Put messages back whose payload ids have become known, to wait where they belong: all of them."""
        with self._store.writing() as tables:
            for receipt, payload_id in receipts.items():
                number = int(receipt)
                if number in tables.messages:
                    known = replace(tables.messages[number], payload_id=payload_id, visible=0, owner=None)
                    tables.messages[number] = known
        return set()

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""
        with self._store.writing() as tables:
            for message in rejected:
                tables.quarantine[message.name] = Kept(message.name, message.event.at, message.reason, message.body)
                self._state_db.note([message.event], [message.receipt] if message.receipt else [])

    # ---------------------------------------------------------------- looking

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""
        with self._store.reading() as tables:
            return sorted(tables.quarantine.values(), key=lambda kept: (-kept.at, kept.name))[:limit]

    def kept(self, name: str) -> Kept | None:
        """One message in quarantine by its name."""
        with self._store.reading() as tables:
            return tables.quarantine.get(name)

    def requeue(self, names: Collection[str], at: int) -> set[str]:
        """Queue messages in quarantine again as they are; gives the names of those that were there."""
        with self._store.writing() as tables:
            found = {name: tables.quarantine[name] for name in names if name in tables.quarantine}
            self.put([Message(one.body) for one in found.values()], at)
            return self.discard(found)

    def discard(self, names: Collection[str]) -> set[str]:
        """Remove messages from quarantine for good; gives the names of those that were there."""
        with self._store.writing() as tables:
            return {name for name in names if tables.quarantine.pop(name, None) is not None}

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

    def stirs(self) -> bool:
        """Whether there is a message that nobody has to resume first."""
        with self._store.reading() as tables:
            allowance = Allowance(pauses=self.pauses())
            return any(not allowance.paused(*_parts(message)) for message in tables.messages.values())

    # ---------------------------------------------------------------- pauses

    def pause(self, pause: Pause) -> None:
        """Let no message of a scope be taken until it is resumed; a second pause of the scope replaces the first."""
        with self._store.writing() as tables:
            tables.pauses[pause.kind, pause.name] = pause

    def resume(self, kind: str, name: str) -> bool:
        """Lift the pause of a scope; False if there was none."""
        with self._store.writing() as tables:
            return tables.pauses.pop((kind, name), None) is not None

    def pauses(self) -> list[Pause]:
        """The pauses that hold, the oldest first."""
        with self._store.reading() as tables:
            return sorted(tables.pauses.values(), key=lambda pause: (pause.at, pause.kind, pause.name))


class _Lanes:
    """The messages that wait, by lane, the oldest of each first; collections take turns as they came."""

    def __init__(self, tables: Tables, now: int) -> None:
        turns: dict[str, int] = {}
        self._waiting: dict[Lane, list[Waiting]] = {}
        for number, message in tables.messages.items():
            collections, workflow = _parts(message)
            turn = turns.setdefault(collections, len(turns) + 1)
            if message.visible <= now:
                lane = Lane(message.priority, turn, collections, workflow)
                self._waiting.setdefault(lane, []).append(Waiting(number, message.body, message.attempts, lane))
        self._ids = {number: message.payload_id for number, message in tables.messages.items()}

    def priorities(self) -> Iterator[int]:
        """The priorities at which something waits, the highest first."""
        yield from sorted({lane.priority for lane in self._waiting}, reverse=True)

    def lanes(self, priority: int, after: int) -> Iterator[Lane]:
        """Lanes in which something waits, in the order of `turn` from behind `after`, round to `after` itself."""
        here = (lane for lane in self._waiting if lane.priority == priority)
        yield from sorted(here, key=lambda lane: (lane.turn <= after, lane.turn, lane.workflow))

    def messages(self, lane: Lane, behind: int, limit: int) -> Iterator[Waiting]:
        """Up to `limit` messages of a lane, the oldest first, those with a higher number than `behind`."""
        yield from [message for message in self._waiting[lane] if message.number > behind][:limit]

    def of(self, payload_ids: Collection[str]) -> Iterator[Waiting]:
        """The waiting messages of these payloads, the oldest first."""
        every = [message for waiting in self._waiting.values() for message in waiting]
        wanted = (message for message in every if self._ids[message.number] in payload_ids)
        yield from sorted(wanted, key=lambda message: message.number)


def _parts(message: Stored) -> tuple[str, str]:
    return ("", "") if message.payload_id is None else parts(message.payload_id)


def _lease(tables: Tables, message: Waiting, owner: str, until: int) -> Taken:
    stored = tables.messages[message.number]
    tables.messages[message.number] = replace(stored, visible=until, owner=owner, attempts=stored.attempts + 1)
    known = stored.payload_id is not None
    return Taken(str(message.number), stored.body, stored.attempts + 1, stored.priority, known)


def _allowance(tables: Tables, throttle: Throttle, now: int) -> Allowance:
    running = Counter(parts(one.payload_id) for one in tables.executions.values() if one.stopped is None)
    return Allowance(throttle, list(tables.pauses.values()), running, tables.debts, now)
