"""The retention port on SQLite: small transactions, each about the oldest rows of one table or range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cirrus.adapters.sqlite import locks
from cirrus.adapters.sqlite.columns import NUMBER
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.forget import forget
from cirrus.adapters.sqlite.sweep import sweep
from cirrus.core.lease import Lease
from cirrus.core.state import State
from cirrus.ports.retention import Policy

_LOCK = "retention"
_AGAIN = 3600 * 1_000_000  # how far clocks are set back at most
_RANGE = (
    "SELECT id, updated FROM records WHERE grp = ? AND state = ? AND updated < ? AND (updated, id) > (?, ?)"
    " ORDER BY updated, id LIMIT ?"
)
_WANTED = "UPDATE sweeps SET wanted = 1 WHERE wanted = 0"


class SqliteRetention:
    """Removes what is past its time from a Database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def hold(self, owner: str, lease: Lease) -> bool:
        """Take or renew the right to clean up; False while another has it."""
        with self._db.group():
            return locks.hold(self._db, _LOCK, owner, lease)

    def release(self, owner: str) -> None:
        """Give the right back."""
        with self._db.group():
            locks.release(self._db, _LOCK, owner)

    def expire(self, policy: Policy, now: int, limit: int) -> Iterator[int]:
        """Remove what is past its time, histories and logs before records."""
        yield from self._histories("journal", policy.histories, now, limit)
        yield from self._histories("logs", policy.logs, now, limit)
        yield from self._records(policy.records, now, limit)
        if policy.events is not None:
            yield from self._oldest("events", "at", "true", now - policy.events, limit)
        if policy.deliveries is not None:
            yield from self._oldest("outbox", "sent", "sent IS NOT NULL", now - policy.deliveries, limit)
        if policy.invalid is not None:
            yield from self._named("quarantine", "name", now - policy.invalid, limit)
        if policy.tmp is not None:
            yield from self._named("names", "key", self._unneeded(now - policy.tmp), limit)

    def sweep(self, now: int, limit: int) -> Iterator[int]:
        """Remove bodies that nothing refers to, where any may be, and give the space back."""
        return sweep(self._db, now, limit)

    # ------------------------------------------------------------ of records

    def _ranges(self, ages: Mapping[State, int], now: int) -> Iterator[tuple[int, int, int]]:
        """Group, state, and the instant before which records of both are past their time."""
        groups = [row[0] for row in self._db.rows("SELECT id FROM groups ORDER BY id")] if ages else []
        return ((group, NUMBER[state], now - age) for group in groups for state, age in sorted(ages.items()))

    def _histories(self, table: str, ages: Mapping[State, int], now: int, limit: int) -> Iterator[int]:
        for group, state, before in self._ranges(ages, now):
            row = self._db.row(
                "SELECT upto FROM expired WHERE kind = ? AND grp = ? AND state = ?", (table, group, state)
            )
            # A clock that is set back by less than the age writes nothing that lies before `upto`.
            after = (row[0] - max(0, _AGAIN - (now - before)) if row else -1, 0)
            while found := self._db.rows(_RANGE, (group, state, before, *after, limit)):
                after = (found[-1][1], found[-1][0])
                with self._db.group():
                    for record, _ in found:
                        self._without_history(table, record, state)
                    self._db.run(
                        "INSERT OR REPLACE INTO expired (kind, grp, state, upto) VALUES (?, ?, ?, ?)",
                        (table, group, state, after[0]),
                    )
                yield len(found)

    def _without_history(self, table: str, record: int, state: int) -> None:
        gone = self._db.run(
            f"DELETE FROM {table} WHERE execution IN (SELECT e.id FROM executions e JOIN records r ON r.id = e.record"
            " WHERE r.id = ? AND r.state = ? AND e.stopped IS NOT NULL)",
            (record, state),
        )
        if gone.rowcount:
            self._db.run(_WANTED)

    def _records(self, ages: Mapping[State, int], now: int, limit: int) -> Iterator[int]:
        for group, state, before in self._ranges(ages, now):
            after = (-1, 0)
            while found := self._db.rows(_RANGE, (group, state, before, *after, limit)):
                after = (found[-1][1], found[-1][0])
                with self._db.group():
                    for record, updated in found:
                        forget(self._db, "id = ? AND state = ? AND updated = ?", (record, state, updated), now)
                yield len(found)

    # ------------------------------------------------------------ of tables

    def _oldest(self, table: str, column: str, where: str, before: int, limit: int) -> Iterator[int]:
        """Rows whose ids grow with time: from the oldest on, as long as some of a portion are past theirs."""
        sql = f"SELECT id, {column} FROM {table} WHERE {where} AND id > ? ORDER BY id LIMIT ?"
        after = 0
        while found := self._db.rows(sql, (after, limit)):
            after = found[-1][0]
            past = [number for number, at in found if at < before]
            if not past:
                return
            yield self._delete(table, "id", past)

    def _named(self, table: str, column: str, before: int, limit: int) -> Iterator[int]:
        sql = f"SELECT {column} FROM {table} WHERE at < ? ORDER BY at LIMIT ?"
        while found := self._db.rows(sql, (before, limit)):
            yield self._delete(table, column, [name for (name,) in found])

    def _delete(self, table: str, column: str, values: Sequence[int | str]) -> int:
        with self._db.group():
            for value in values:
                self._db.run(f"DELETE FROM {table} WHERE {column} = ?", (value,))
            self._db.run(_WANTED)
        return len(values)

    def _unneeded(self, before: int) -> int:
        """The same instant, or that of the oldest execution that runs or message that waits: it may name a payload."""
        rows = self._db.rows(
            "SELECT min(started) FROM executions INDEXED BY executions_running WHERE stopped IS NULL"
            " UNION ALL SELECT * FROM (SELECT queued FROM messages ORDER BY id LIMIT 1)"
        )
        return min([before, *(int(at) for (at,) in rows if at is not None)])
