"""The callbacks port on SQLite."""

from __future__ import annotations

from collections.abc import Collection

from cirrus.adapters.sqlite.columns import pack, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.errors import NotFound
from cirrus.ports.callbacks import Answer, Waiting

_HEARTBEAT = "heartbeat"


class SqliteCallbacks:
    """Waiting tasks and their answers in a Database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def open(self, waiting: Waiting) -> bool:
        """A task begins to wait; False if it waited already and its call was made (after a takeover)."""
        with self._db.group():
            found = self._db.row("SELECT called FROM callbacks WHERE token = ?", (waiting.token,))
            if found:
                return not found[0]
            self._db.run(
                "INSERT INTO callbacks (token, execution, place, activity, input)"
                " SELECT ?, id, ?, ?, ? FROM executions WHERE name = ?",
                (waiting.token, waiting.place, waiting.activity, waiting.input, pack(waiting.execution_id)),
            )
        return True

    def called(self, token: str) -> None:
        """The call that hands out the token was made."""
        with self._db.group():
            self._db.run("UPDATE callbacks SET called = 1 WHERE token = ?", (token,))

    def answer(self, token: str, kind: str, output: bytes | None, error: str | None, cause: str | None) -> None:
        """Keep an answer. NotFound if no task waits for it (any more)."""
        with self._db.group():
            found = self._db.row("SELECT execution, place FROM callbacks WHERE token = ?", (token,))
            if found is None:
                raise NotFound("waiting task of token", token, "it was answered, timed out, or never was")
            self._db.run(
                "INSERT INTO answers (execution, place, kind, output, error, cause) VALUES (?, ?, ?, ?, ?, ?)",
                (*found, kind, output, error, cause),
            )
            if kind != _HEARTBEAT:
                self._db.run("DELETE FROM callbacks WHERE token = ?", (token,))

    def take(self, owner: str) -> list[Answer]:
        """The answers for executions of `owner`, oldest first; they are gone from here."""
        sql = (
            "SELECT a.id, e.name, a.place, a.kind, a.output, a.error, a.cause FROM answers a"
            " JOIN executions e ON e.id = a.execution WHERE e.owner = ? ORDER BY a.id"
        )
        if not self._db.row("SELECT 1 FROM answers LIMIT 1"):
            return []
        with self._db.group():
            rows = self._db.rows(sql, (owner,))
            for row in rows:
                self._db.run("DELETE FROM answers WHERE id = ?", (row[0],))
        return [Answer(*(unpack(row[1]), *row[2:])) for row in rows]

    def next_activity(self, activity: str) -> Waiting | None:
        """The oldest task of an activity that no worker has been given; it is given now."""
        with self._db.group():
            row = self._db.row(
                "SELECT c.token, e.name, c.place, c.activity, c.input FROM callbacks c"
                " JOIN executions e ON e.id = c.execution"
                " WHERE c.activity = ? AND c.called = 0 ORDER BY c.execution, c.place LIMIT 1",
                (activity,),
            )
            if row is None:
                return None
            self.called(row[0])
        return Waiting(*(row[0], unpack(row[1]), *row[2:]))

    def close(self, execution_id: str, places: Collection[str] | None = None) -> None:
        """Tasks of an execution wait no longer: those of `places`, or all."""
        execution = "execution = (SELECT id FROM executions WHERE name = ?)"
        with self._db.group():
            if places is None:
                self._db.run(f"DELETE FROM callbacks WHERE {execution}", (pack(execution_id),))
            for place in places or ():
                self._db.run(f"DELETE FROM callbacks WHERE {execution} AND place = ?", (pack(execution_id), place))
