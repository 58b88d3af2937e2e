"""The outbox port on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.locks import hold
from cirrus.core.lease import Lease
from cirrus.ports.outbox import LONGEST, Attempted, Delivery, Entered, Ledger

_WAITING = "target = ? AND sent IS NULL AND parked IS NULL"
# The latest instant until which an earlier delivery of the same payload is put off.
_BEHIND = """
    (SELECT max(p.due) FROM outbox p INDEXED BY outbox_put_off WHERE p.target = x.target
        AND p.payload_id = x.payload_id AND p.sent IS NULL AND p.parked IS NULL AND p.due > 0 AND p.id < x.id)
"""
_DUE = f"""
    SELECT x.id, x.kind, x.payload_id, b.body, x.attempts, x.due, {_BEHIND}
    FROM outbox x INDEXED BY outbox_waiting JOIN bodies b ON b.id = x.body
    WHERE x.target = ? AND x.sent IS NULL AND x.parked IS NULL AND x.due <= ? ORDER BY x.due, x.id LIMIT ?
"""
_FIRST = f"""
    SELECT x.due FROM outbox x INDEXED BY outbox_waiting
    WHERE x.target = ? AND x.sent IS NULL AND x.parked IS NULL AND coalesce({_BEHIND}, 0) <= x.due
    ORDER BY x.due LIMIT 1
"""
_ANY = f"""
    SELECT 1 FROM outbox INDEXED BY outbox_waiting WHERE {_WAITING} AND due <= ? UNION ALL
    SELECT 1 FROM outbox INDEXED BY outbox_waiting WHERE {_WAITING} AND due > ? LIMIT 1
"""
_TOO_LATE = f"""
    UPDATE outbox SET due = ? WHERE id IN (
        SELECT id FROM outbox INDEXED BY outbox_waiting WHERE {_WAITING} AND due > ? ORDER BY due, id LIMIT ?
    )
"""
_PASSES = 10
# Items that were parked, unless later ones of their payload have gone to the same target.
_AGAIN = """
    UPDATE outbox SET parked = NULL, due = ?, attempts = 0 WHERE id = ? AND parked IS NOT NULL AND NOT (
        kind = 'items' AND EXISTS (
            SELECT 1 FROM outbox later WHERE later.id > outbox.id AND later.target = outbox.target
                AND later.payload_id = outbox.payload_id AND later.kind = 'items' AND later.sent IS NOT NULL
        )
    )
"""
_STATE = {
    "waiting": "sent IS NULL AND parked IS NULL",
    "sent": "sent IS NOT NULL",
    "parked": "parked IS NOT NULL",
}


class SqliteOutbox:
    """Deliveries in a Database; one owner at a time holds a target, so that its files have one writer."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, target: str, kind: str, payload_id: str, body: bytes) -> None:
        """Add a delivery, due at once."""
        with self._db.group():
            self._db.run(
                "INSERT INTO outbox (target, kind, payload_id, body) VALUES (?, ?, ?, ?)",
                (target, kind, payload_id, self._db.body_id(body)),
            )

    def take(self, target: str, limit: int, *, owner: str, now: int, lease: Lease) -> list[Delivery]:
        """Lease the oldest deliveries of a target; none while another owner holds the target."""
        if not self._db.row(_ANY, (target, now, target, now + LONGEST)):
            return []
        with self._db.group():
            self._db.run(_TOO_LATE, (now, target, now + LONGEST, limit))
            due = self._due(target, now, limit)
            return due if due and hold(self._db, target, owner, lease) else []

    def _due(self, target: str, now: int, limit: int) -> list[Delivery]:
        """The next deliveries; those behind one of their payload that was put off are put off as long as that."""
        for _ in range(_PASSES):
            rows = self._db.rows(_DUE, (target, now, limit))
            late = [(behind, row[0]) for *row, due, behind in rows if behind is not None and behind > due]
            self._db.run_many("UPDATE outbox SET due = ? WHERE id = ?", late)
            numbers = {number for _, number in late}
            stuck = {row[2] for row in rows if row[0] in numbers}
            found = [Delivery(row[0], target, *row[1:5]) for row in rows if row[2] not in stuck]
            if found or not late:
                return sorted(found, key=lambda one: one.id)
        return []

    def settle(self, owner: str, attempted: Sequence[Attempted]) -> None:
        """Write down what became of deliveries, and let go of their target."""
        with self._db.group():
            for result in attempted:
                sent = result.at if result.error is None else None
                parked = result.at if result.error is not None and result.again is None else None
                self._db.run(
                    "UPDATE outbox SET attempts = attempts + ?, error = ?, sent = ?, parked = ?, due = ?,"
                    " body = CASE WHEN ? IS NULL THEN body END WHERE id = ? AND sent IS NULL",
                    (int(result.tried), result.error, sent, parked, result.again or 0, sent, result.id),
                )
                self._db.run(
                    "DELETE FROM locks WHERE owner = ? AND name = (SELECT target FROM outbox WHERE id = ?)",
                    (owner, result.id),
                )

    def waiting(self, target: str) -> tuple[int, int | None]:
        """How many deliveries of a target wait, and the instant at which the first is due (None if none waits)."""
        number = self._db.row(f"SELECT count(*) FROM outbox INDEXED BY outbox_waiting WHERE {_WAITING}", (target,))[0]
        first = self._db.row(_FIRST, (target,)) if number else None
        return number, first and first[0]

    def ledger(self) -> list[Ledger]:
        """The state of every target."""
        rows = self._db.rows(
            "SELECT target, sum(sent IS NULL AND parked IS NULL), sum(sent IS NOT NULL), sum(parked IS NOT NULL)"
            " FROM outbox GROUP BY target ORDER BY target"
        )
        return [Ledger(*(*row, self._last_error(row[0]))) for row in rows]

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
        sql = "SELECT id, target, kind, payload_id, attempts, due, error, sent, parked FROM outbox WHERE id > ?"
        sql += f" AND {_STATE[state]}" if state is not None else ""
        values: list[Any] = [after]
        for column, value in (("target", target), ("payload_id", payload_id)):
            if value is not None:
                sql += f" AND {column} = ?"
                values.append(value)
        return [Entered(*row) for row in self._db.rows(f"{sql} ORDER BY id LIMIT ?", [*values, limit])]

    def again(self, ids: Sequence[int], at: int) -> set[int]:
        """Let parked deliveries wait again, unless later Items of the payload were sent to the target."""
        with self._db.group():
            return {number for number in ids if self._db.run(_AGAIN, (at, number)).rowcount}

    def drop(self, ids: Sequence[int]) -> set[int]:
        """Take parked deliveries off the ledger, for good; gives those that were."""
        sql = "DELETE FROM outbox WHERE id = ? AND parked IS NOT NULL"
        with self._db.group():
            return {number for number in ids if self._db.run(sql, (number,)).rowcount}

    def _last_error(self, target: str) -> str | None:
        sql = "SELECT error FROM outbox WHERE target = ? AND error IS NOT NULL ORDER BY id DESC LIMIT 1"
        row = self._db.row(sql, (target,))
        return row[0] if row else None
