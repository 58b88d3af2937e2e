"""The journal port on SQLite."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cirrus.adapters.sqlite.columns import pack, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import EXECUTION, execution
from cirrus.core.keys import id_key
from cirrus.core.lease import Lease
from cirrus.core.printed import joined
from cirrus.core.share import Part, admitted
from cirrus.core.throttle import Limit
from cirrus.ports.journal import ADOPTED_BYTES, AttemptLog, Entry, Holder
from cirrus.ports.state_db import Execution

_FORGOTTEN = 24 * 3600 * 1_000_000  # how long the row of an owner that died is kept, in microseconds


class SqliteJournal:
    """Histories of executions, their owners, and their logs in a Database."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def append(self, owner: str, entries: Sequence[Entry]) -> set[str]:
        """Add entries; gives the executions that `owner` no longer holds, whose entries were refused."""
        rows = []
        refused = set()
        with self._db.group():
            held = self._held(owner, entries)
            for entry in entries:
                found = held.get(entry.execution_id)
                if found is None or found[0] != owner:
                    refused.add(entry.execution_id)
                else:
                    body = None if entry.body is None else self._db.body_id(entry.body)
                    rows.append((found[1], entry.seq, bytearray(entry.event), body))
            self._db.insert("INSERT INTO journal (execution, seq, event, body)", rows)
        return refused

    def _held(self, owner: str, entries: Sequence[Entry]) -> Mapping[str, tuple[str, int]]:
        """Owner and number of executions, those among them that have entries and that `owner` holds."""
        held = self._db.standing.held
        nobody = ("", 0)
        unknown = {one.execution_id for one in entries if held.get(one.execution_id, nobody)[0] != owner}
        if unknown:
            sql = "SELECT e.id, e.name FROM executions e WHERE {} AND e.owner = ? AND e.stopped IS NULL"
            found = self._db.executions(sql, unknown, (owner,))
            held.update({known: (owner, number) for known, (number, _) in found.items()})
        return held

    def read(self, execution_id: str) -> list[Entry]:
        """All entries of an execution, oldest first."""
        sql = "SELECT j.seq, j.event, b.body FROM journal j LEFT JOIN bodies b ON b.id = j.body"
        sql += " WHERE j.execution = (SELECT id FROM executions WHERE name = ?) ORDER BY j.seq"
        return [Entry(execution_id, *row) for row in self._db.rows(sql, (pack(execution_id),))]

    def beat(self, owner: str, until: int, about: str = "") -> None:
        """Say that a control process lives, until the given instant at least."""
        with self._db.group():
            self._db.run("INSERT OR REPLACE INTO owners (name, until, about) VALUES (?, ?, ?)", (owner, until, about))
            self._db.run("DELETE FROM owners WHERE abs(until - ?) > ?", (until, _FORGOTTEN))
            self._db.run("DELETE FROM slots WHERE owner NOT IN (SELECT name FROM owners)")

    def retire(self, owner: str) -> None:
        """A control process ends: what it still holds may be taken over at once."""
        with self._db.group():
            self._db.run("DELETE FROM owners WHERE name = ?", (owner,))
            sql = "UPDATE messages INDEXED BY messages_away SET visible = 0, owner = NULL"
            self._db.run(f"{sql} WHERE visible > 0 AND owner = ?", (owner,))
            self._db.run("DELETE FROM locks WHERE owner = ?", (owner,))
            self._db.run("DELETE FROM slots WHERE owner = ?", (owner,))

    def reserve(self, owner: str, task: str, held: int, wanted: int, limit: Limit, now: int) -> tuple[int, int | None]:
        """How many of the attempts that `owner` wants to start at a limited task may, and when the rate has room."""
        with self._db.group():
            sql = (
                "SELECT s.owner, s.held, s.wanted FROM slots s JOIN owners o ON o.name = s.owner"
                " WHERE s.task = ? AND s.owner <> ? AND o.until > ? AND o.until <= ?"
            )
            rows = self._db.rows(sql, (task, owner, now, self._latest(owner, now)))
            parts = {name: Part(*numbers) for name, *numbers in rows} | {owner: Part(held, wanted)}
            debt = self._db.row("SELECT until FROM debts WHERE name = ?", (f"task {task}",))
            granted, spent, again = admitted(limit, parts, owner, debt and debt[0], now)
            if spent is not None:
                self._db.run("INSERT OR REPLACE INTO debts (name, until) VALUES (?, ?)", (f"task {task}", spent))
            self._note_slots(task, owner, held + granted, wanted - granted)
        return granted, again

    def _note_slots(self, task: str, owner: str, held: int, wanted: int) -> None:
        known = self._db.row("SELECT held, wanted FROM slots WHERE task = ? AND owner = ?", (task, owner))
        if known != (held, wanted):
            self._db.run(
                "INSERT OR REPLACE INTO slots (task, owner, held, wanted) VALUES (?, ?, ?, ?)",
                (task, owner, held, wanted),
            )

    def adopt(
        self, owner: str, now: int, limit: int, only: Collection[str] | None = None, *, size: int = ADOPTED_BYTES
    ) -> list[Execution]:
        """Take over running executions whose owner's lease has ended; with `only`, those of these payload ids."""
        lost = (
            "e.stopped IS NULL AND e.owner IS NOT NULL AND e.owner <> ?"
            " AND NOT EXISTS (SELECT 1 FROM owners o WHERE o.name = e.owner AND o.until > ? AND o.until <= ?)"
        )
        who: tuple[Any, ...] = (owner, now, self._latest(owner, now))
        if only is not None:
            lost += f" AND e.record IN (SELECT id FROM records WHERE key IN ({','.join('?' * len(only))}))"
            who += tuple(map(id_key, only))
        if not self._db.row(f"SELECT 1 FROM executions e WHERE {lost} LIMIT 1", who):
            return []
        with self._db.group():
            adopted: list[Execution] = []
            for row in self._db.each(f"{EXECUTION} WHERE {lost} ORDER BY e.id LIMIT ?", (*who, limit)):
                adopted.append(execution(row))
                size -= len(adopted[-1].input)
                if size <= 0:
                    break
            self._db.standing.clear()
            for one in adopted:
                self._db.run("UPDATE executions SET owner = ? WHERE name = ?", (owner, pack(one.execution_id)))
        return adopted

    def _latest(self, owner: str, now: int) -> int:
        """The latest end that a lease can have."""
        row = self._db.row("SELECT until FROM owners WHERE name = ?", (owner,))
        return Lease(now, row[0] if row else now).latest

    def held(self, owner: str) -> set[str]:
        """The running executions that `owner` holds."""
        rows = self._db.rows("SELECT name FROM executions WHERE stopped IS NULL AND owner = ?", (owner,))
        return {unpack(name) for (name,) in rows}

    def holder(self, execution_id: str) -> Holder | None:
        """Who holds a running execution; None if it has ended, or belongs to nobody."""
        sql = "SELECT e.owner, o.until, coalesce(o.about, '') FROM executions e LEFT JOIN owners o ON o.name = e.owner"
        row = self._db.row(f"{sql} WHERE e.name = ? AND e.stopped IS NULL", (pack(execution_id),))
        return Holder(*row) if row and row[0] is not None else None

    def cancelled(self, owner: str) -> list[str]:
        """The executions of `owner` that someone else has ended since the last call."""
        sql = (
            "SELECT c.execution, e.name FROM cancels c CROSS JOIN executions e ON e.id = c.execution WHERE e.owner = ?"
        )
        rows = self._db.rows(sql, (owner,))
        if rows:
            with self._db.group():
                for number, _ in rows:
                    self._db.run("DELETE FROM cancels WHERE execution = ?", (number,))
        return [unpack(name) for _, name in rows]

    def running(self) -> int:
        """How many executions have not ended, whoever owns them."""
        return int(self._db.row("SELECT count(*) FROM executions WHERE stopped IS NULL AND owner IS NOT NULL")[0])

    def log(self, logs: Sequence[AttemptLog]) -> None:
        """Keep what attempts printed: added to what is there while they run, in its place once they have ended."""
        with self._db.group():
            for log in logs:
                self._log(log)

    def _log(self, log: AttemptLog) -> None:
        owner = self._db.row("SELECT id FROM executions WHERE name = ?", (pack(log.execution_id),))
        if owner is None:
            return
        text = log.text
        if log.ended is None:
            found = self._db.row("SELECT text FROM logs WHERE execution = ? AND ref = ?", (owner[0], log.ref))
            text = joined(zlib.decompress(found[0]) if found else b"", text)
        self._db.run(
            "INSERT OR REPLACE INTO logs (execution, ref, state, task, attempt, started, ended, error, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                owner[0],
                log.ref,
                log.state,
                log.task,
                log.attempt,
                log.started,
                log.ended,
                log.error,
                zlib.compress(text, 1),
            ),
        )

    def last_failed(self, execution_id: str) -> str | None:
        """The state whose attempt at a task failed last, by the logs; None if none did."""
        sql = "SELECT state FROM logs WHERE execution = (SELECT id FROM executions WHERE name = ?)"
        row = self._db.row(
            f"{sql} AND error IS NOT NULL ORDER BY started DESC, ref DESC LIMIT 1", (pack(execution_id),)
        )
        return row[0] if row else None

    def logs(self, execution_id: str) -> list[AttemptLog]:
        """The logs of an execution's attempts, oldest first."""
        sql = "SELECT ref, state, task, attempt, started, ended, error, text FROM logs"
        sql += " WHERE execution = (SELECT id FROM executions WHERE name = ?) ORDER BY started, ref"
        rows = self._db.rows(sql, (pack(execution_id),))
        return [AttemptLog(*(execution_id, *row[:7], zlib.decompress(row[7]))) for row in rows]
