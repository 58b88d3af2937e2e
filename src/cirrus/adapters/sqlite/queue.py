"""The queue port on SQLite."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.keys import id_key
from cirrus.ports.queue import Kept, Message, Queued, Rejected, Taken


class SqliteQueue:
    """Messages and quarantine in a Database; events of rejected messages go through its state database."""

    def __init__(self, database: Database, state_db: SqliteStateDb) -> None:
        self._db = database
        self._state_db = state_db

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""
        with self._db.group():
            for message in messages:
                key = None if message.payload_id is None else id_key(message.payload_id)
                self._db.run(
                    "INSERT INTO messages (body, key, queued) VALUES (?, ?, ?)",
                    (self._db.body_id(message.body), key, at),
                )

    def take(self, limit: int, *, owner: str, now: int, until: int, only: Collection[str] | None = None) -> list[Taken]:
        """Lease up to `limit` messages until the instant `until`; with `only`, those of these payload ids."""
        if limit <= 0:
            return []
        with self._db.group():
            ids = self._free(limit, now, only)
            return [self._lease(number, owner, until) for number in ids]

    def _free(self, limit: int, now: int, only: Collection[str] | None) -> list[int]:
        if only is None:
            rows = self._db.rows("SELECT id FROM messages WHERE visible <= ? ORDER BY id LIMIT ?", (now, limit))
            return [row[0] for row in rows]
        wanted = {id_key(payload_id) for payload_id in only}
        rows = self._db.rows("SELECT id, key FROM messages WHERE visible <= ? AND key IS NOT NULL ORDER BY id", (now,))
        return [row[0] for row in rows if row[1] in wanted][:limit]

    def _lease(self, number: int, owner: str, until: int) -> Taken:
        self._db.run(
            "UPDATE messages SET visible = ?, owner = ?, attempts = attempts + 1 WHERE id = ?",
            (until, owner, number),
        )
        sql = "SELECT b.body, m.attempts FROM messages m JOIN bodies b ON b.id = m.body WHERE m.id = ?"
        body, attempts = self._db.row(sql, (number,))
        return Taken(str(number), body, attempts)

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""
        self._state_db.note((), receipts)

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""
        with self._db.group():
            for receipt in receipts:
                self._db.run("UPDATE messages SET visible = ?, owner = NULL WHERE id = ?", (visible, int(receipt)))

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""
        with self._db.group():
            for message in rejected:
                self._db.run(
                    "INSERT OR REPLACE INTO quarantine (name, at, reason, body) VALUES (?, ?, ?, ?)",
                    (message.name, message.event.at, message.reason, self._db.body_id(message.body)),
                )
                self._state_db.note([message.event], [message.receipt] if message.receipt else [])

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""
        sql = "SELECT q.name, q.at, q.reason, b.body FROM quarantine q JOIN bodies b ON b.id = q.body"
        return [Kept(*row) for row in self._db.rows(f"{sql} ORDER BY q.at DESC, q.name LIMIT ?", (limit,))]

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id waits or is being worked on."""
        return self._db.row("SELECT 1 FROM messages WHERE key = ? LIMIT 1", (id_key(payload_id),)) is not None

    def waiting(self, payload_id: str) -> list[Queued]:
        """The messages of a payload id, oldest first."""
        sql = "SELECT m.queued, m.visible, m.owner, m.attempts, (SELECT count(*) FROM messages o WHERE o.id < m.id)"
        return [Queued(*row) for row in self._db.rows(f"{sql} FROM messages m WHERE m.key = ?", (id_key(payload_id),))]

    def depth(self) -> int:
        """How many messages there are, leased ones included."""
        return int(self._db.row("SELECT count(*) FROM messages")[0])
