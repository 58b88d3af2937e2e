"""The outbox port in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cirrus.adapters.memory.store import Outgoing, Store, Tables
from cirrus.core.lease import Lease
from cirrus.ports.outbox import LONGEST, Attempted, Delivery, Entered, Ledger


class MemoryOutbox:
    """Deliveries in a Store; one owner at a time holds a target."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, target: str, kind: str, payload_id: str, body: bytes) -> None:
        """Add a delivery, due at once."""
        with self._store.writing() as tables:
            tables.outbox[tables.number()] = Outgoing(target, kind, payload_id, body)

    def take(self, target: str, limit: int, *, owner: str, now: int, lease: Lease) -> list[Delivery]:
        """Lease the oldest deliveries of a target; none while another owner holds the target."""
        with self._store.writing() as tables:
            found = _due(tables, target, now)[:limit]
            return found if found and tables.hold(target, owner, lease) else []

    def settle(self, owner: str, attempted: Sequence[Attempted]) -> None:
        """Write down what became of deliveries, and let go of their target."""
        with self._store.writing() as tables:
            for result in attempted:
                delivery = tables.outbox.get(result.id)
                if delivery is None:
                    continue
                if delivery.sent is None:
                    tables.outbox[result.id] = _settled(delivery, result)
                if tables.holds.get(delivery.target, ("", 0))[0] == owner:
                    del tables.holds[delivery.target]

    def waiting(self, target: str) -> tuple[int, int | None]:
        """How many deliveries of a target wait, and the instant at which the first is due (None if none waits)."""
        with self._store.reading() as tables:
            waiting = [one for one in tables.outbox.values() if one.target == target and one.waits]
        due: dict[str, int] = {}
        first = [due.setdefault(one.payload_id, one.due) for one in waiting if one.payload_id not in due]
        return len(waiting), min(first, default=None)

    def ledger(self) -> list[Ledger]:
        """The state of every target."""
        with self._store.reading() as tables:
            deliveries = list(tables.outbox.values())
        targets = sorted({delivery.target for delivery in deliveries})
        return [_ledger(target, [one for one in deliveries if one.target == target]) for target in targets]

    def entries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        payload_id: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[Entered]:
        """Deliveries one by one, by their ids; those after the id `after`."""
        with self._store.reading() as tables:
            found = [_entered(number, one) for number, one in tables.outbox.items() if number > after]
        return [
            one
            for one in found
            if state in {None, one.state} and target in {None, one.target} and payload_id in {None, one.payload_id}
        ][:limit]

    def again(self, ids: Sequence[int], at: int) -> set[int]:
        """Let parked deliveries wait again, unless later Items of the payload were sent to the target."""
        with self._store.writing() as tables:
            found = {number for number in _parked(tables, ids) if not _outdated(tables, number)}
            for number in found:
                tables.outbox[number] = replace(tables.outbox[number], parked=None, due=at, attempts=0)
            return found

    def drop(self, ids: Sequence[int]) -> set[int]:
        """Take parked deliveries off the ledger, for good; gives those that were."""
        with self._store.writing() as tables:
            found = _parked(tables, ids)
            for number in found:
                del tables.outbox[number]
            return found


def _parked(tables: Tables, ids: Sequence[int]) -> set[int]:
    return {number for number in ids if number in tables.outbox and tables.outbox[number].parked is not None}


def _outdated(tables: Tables, number: int) -> bool:
    """Whether later Items of the same payload were sent to the same target."""
    one = tables.outbox[number]
    same = (one.target, one.payload_id, "items")
    return one.kind == "items" and any(
        later > number and other.sent is not None and (other.target, other.payload_id, other.kind) == same
        for later, other in tables.outbox.items()
    )


def _entered(number: int, one: Outgoing) -> Entered:
    return Entered(number, one.target, one.kind, one.payload_id, one.attempts, one.due, one.error, one.sent, one.parked)


def _due(tables: Tables, target: str, now: int) -> list[Delivery]:
    """What is due, without what stands behind a delivery of the same payload that was put off."""
    found: list[Delivery] = []
    put_off: set[str] = set()
    for number, one in tables.outbox.items():
        if one.target != target or not one.waits:
            continue
        if now < one.due <= now + LONGEST:
            put_off.add(one.payload_id)
        elif one.payload_id not in put_off:
            found.append(Delivery(number, target, one.kind, one.payload_id, one.body, one.attempts))
    return found


def _settled(delivery: Outgoing, result: Attempted) -> Outgoing:
    return replace(
        delivery,
        attempts=delivery.attempts + result.tried,
        error=result.error,
        sent=result.at if result.error is None else None,
        parked=result.at if result.error is not None and result.again is None else None,
        due=result.again or 0,
    )


def _ledger(target: str, deliveries: Sequence[Outgoing]) -> Ledger:
    errors = [delivery.error for delivery in deliveries if delivery.error is not None]
    return Ledger(
        target=target,
        waiting=sum(delivery.waits for delivery in deliveries),
        sent=sum(delivery.sent is not None for delivery in deliveries),
        parked=sum(delivery.parked is not None for delivery in deliveries),
        last_error=errors[-1] if errors else None,
    )
