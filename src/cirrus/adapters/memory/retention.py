"""The retention port in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from cirrus.adapters.memory.state_db import forget
from cirrus.adapters.memory.store import Store, Tables
from cirrus.core.lease import Lease
from cirrus.core.state import State
from cirrus.ports.retention import Policy

Key = TypeVar("Key")
Row = TypeVar("Row")
_LOCK = "retention"


class MemoryRetention:
    """Removes what is past its time from a Store, in one step."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def hold(self, owner: str, lease: Lease) -> bool:
        """Take or renew the right to clean up; False while another has it."""
        with self._store.writing() as tables:
            return tables.hold(_LOCK, owner, lease)

    def release(self, owner: str) -> None:
        """Give the right back."""
        with self._store.writing() as tables:
            if tables.holds.get(_LOCK, ("", 0))[0] == owner:
                del tables.holds[_LOCK]

    def expire(self, policy: Policy, now: int, limit: int) -> Iterator[int]:
        """Remove what is past its time."""
        with self._store.writing() as tables:
            before = _rows(tables)
            _histories(tables, policy, now)
            for known in _past(tables, policy.records, now):
                forget(tables, known)
            _plain(tables, policy, now)
            gone = before - _rows(tables)
        if gone:
            yield gone

    def sweep(self, now: int, limit: int) -> Iterator[int]:
        """Nothing: a body here is gone with what refers to it."""
        yield from ()


def _rows(tables: Tables) -> int:
    of_records = len(tables.entries) + len(tables.logs) + len(tables.records)
    return of_records + len(tables.events) + len(tables.outbox) + len(tables.bodies) + len(tables.quarantine)


def _past(tables: Tables, ages: Mapping[State, int], now: int) -> list[str]:
    ended = ((known, one.updated, ages.get(one.state)) for known, one in tables.records.items())
    return [known for known, updated, age in ended if age is not None and updated < now - age]


def _histories(tables: Tables, policy: Policy, now: int) -> None:
    for ages, name in ((policy.histories, "entries"), (policy.logs, "logs")):
        past = set(_past(tables, ages, now))
        rows = getattr(tables, name)
        kept = {key: row for key, row in rows.items() if tables.executions[key[0]].payload_id not in past}
        setattr(tables, name, kept)


def _plain(tables: Tables, policy: Policy, now: int) -> None:
    """Events, deliveries, temporary payloads and messages in quarantine."""
    if policy.events is not None:
        tables.events = _since(tables.events, {n: one.at for n, one in tables.events.items()}, now - policy.events)
    if policy.deliveries is not None:
        sent = {n: one.sent for n, one in tables.outbox.items() if one.sent is not None}
        tables.outbox = _since(tables.outbox, sent, now - policy.deliveries)
    if policy.invalid is not None:
        at = {name: kept.at for name, kept in tables.quarantine.items()}
        tables.quarantine = _since(tables.quarantine, at, now - policy.invalid)
    if policy.tmp is not None:
        running = [one.started for one in tables.executions.values() if one.stopped is None]
        queued = [message.queued for message in tables.messages.values()]
        put = {key: at for key, (_, at) in tables.bodies.items()}
        tables.bodies = _since(tables.bodies, put, min([now - policy.tmp, *running, *queued]))


def _since(rows: Mapping[Key, Row], at: Mapping[Key, int], oldest: int) -> dict[Key, Row]:
    """The rows without those whose instant in `at` lies before `oldest`."""
    return {key: row for key, row in rows.items() if at.get(key, oldest) >= oldest}
