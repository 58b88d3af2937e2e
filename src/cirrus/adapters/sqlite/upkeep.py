"""The upkeep port on SQLite: a connection of its own that reads, and writes nothing but copies.

A backup is one read transaction: what others commit meanwhile neither gets into the copy nor starts it anew.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from cirrus.adapters.sqlite.columns import NUMBER, STATE, unpack
from cirrus.core.lease import Lease
from cirrus.core.state import ENDED, RUNNING, State
from cirrus.errors import StoreError
from cirrus.ports.upkeep import Finding

_STEP = 2000
_SAMPLE = 2000
_SECOND = 1_000_000
# table, column, what tells its rows apart, and what is missing where the column leads nowhere
_BODIES = (
    ("executions", "input", "hex(t.name)", "the input of an execution"),
    ("executions", "output", "hex(t.name)", "the output of an execution"),
    ("executions", "definition", "hex(t.name)", "the definition of an execution"),
    ("journal", "body", "t.execution || ':' || t.seq", "the body of a history's entry"),
    ("messages", "body", "t.id", "the payload of a queued message"),
    ("quarantine", "body", "t.name", "a message in quarantine"),
    ("names", "body", "t.key", "a stored payload"),
    ("outbox", "body", "t.id", "what a delivery sends"),
)
_ROWS = (
    ("executions", "record", "records", "hex(t.name)", "the record of an execution"),
    ("journal", "execution", "executions", "t.execution || ':' || t.seq", "the execution of a history's entry"),
    ("logs", "execution", "executions", "t.id", "the execution of a log"),
    ("callbacks", "execution", "executions", "t.token", "the execution of a waiting task"),
)


class SqliteUpkeep:
    """Looks at the database file of a home, which must exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StoreError(f"there is no state database {path}: nothing was processed here yet")
        try:
            self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"cannot open the state database {path}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # ------------------------------------------------------------ findings

    def findings(self, now: int, lease: Lease, *, patience: int, full: bool) -> Iterator[Finding]:
        """What is wrong in the store itself, as it is at one moment."""
        try:
            yield from self._integrity(full)
            with self._reading():
                yield from self._records()
                yield from self._executions(now, lease, patience)
                yield from self._references()
                yield from self._contents(full)
        except sqlite3.DatabaseError as error:
            yield Finding("database-unreadable", str(self._path), str(error))

    def _reading(self) -> _Reading:
        return _Reading(self._connection)

    def _integrity(self, full: bool) -> Iterator[Finding]:
        pragma = "integrity_check" if full else "quick_check"
        for (said,) in self._connection.execute(f"PRAGMA {pragma}"):
            if said != "ok":
                yield Finding("database-damaged", str(self._path), said)

    def _records(self) -> Iterator[Finding]:
        known = "coalesce(r.full_id, r.key)"
        sql = f"SELECT {known} FROM records r LEFT JOIN executions e ON e.id = r.execution AND e.record = r.id"
        for (subject,) in self._connection.execute(f"{sql} WHERE e.id IS NULL"):
            yield Finding("record-without-execution", subject, "its current execution is not there")
        running = ",".join(str(NUMBER[state]) for state in sorted(RUNNING))
        sql = f"SELECT {known}, r.state FROM records r JOIN executions e ON e.id = r.execution"
        for subject, state in self._connection.execute(f"{sql} WHERE r.state IN ({running}) AND e.stopped IS NOT NULL"):
            yield Finding("ended-but-running", subject, f"the record is {STATE[state]}, but its execution has ended")
        sql += f" WHERE r.state = {NUMBER[State.COMPLETED]} AND e.status <> 'SUCCEEDED'"
        for subject, _ in self._connection.execute(sql):
            yield Finding("wrong-end", subject, "the record is COMPLETED, but its execution did not succeed")

    def _executions(self, now: int, lease: Lease, patience: int) -> Iterator[Finding]:
        ended = ",".join(str(NUMBER[state]) for state in sorted(ENDED))
        sql = (
            "SELECT coalesce(r.full_id, r.key), e.name, r.state, r.execution = e.id, e.owner, r.updated, o.until"
            " FROM executions e JOIN records r ON r.id = e.record LEFT JOIN owners o ON o.name = e.owner"
            f" WHERE e.stopped IS NULL AND (r.execution <> e.id OR r.state IN ({ended}) OR e.owner IS NULL OR"
            " o.until IS NULL OR o.until <= ? OR o.until > ?)"
        )
        for known, name, state, current, owner, updated, until in self._connection.execute(
            sql, (lease.at, lease.latest)
        ):
            subject = f"{known} {unpack(name)}"
            if not current or STATE[state] in ENDED:
                yield Finding("running-but-ended", subject, f"it has not ended, but the record is {STATE[state]}")
            elif STATE[state] is State.PROCESSING and owner is None:
                yield Finding("running-without-owner", subject, "no control process owns it, so none will take it over")
            elif (idle := now - updated if until is None or until > lease.at else lease.at - until) > patience:
                detail = f"nobody has worked on it for {idle // _SECOND} s: `cirrus up` goes on with it"
                yield Finding("abandoned", subject, detail)

    def _references(self) -> Iterator[Finding]:
        for table, column, key, what in _BODIES:
            yield from self._missing(table, column, "bodies", key, what)
        for table, column, parent, key, what in _ROWS:
            yield from self._missing(table, column, parent, key, what)

    def _missing(self, table: str, column: str, parent: str, key: str, what: str) -> Iterator[Finding]:
        sql = f"SELECT {key} FROM {table} t WHERE t.{column} IS NOT NULL"
        for (subject,) in self._connection.execute(
            f"{sql} AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.id = t.{column})"
        ):
            yield Finding("missing", f"{table} {subject}", f"{what} is not there ({parent})")

    def _contents(self, full: bool) -> Iterator[Finding]:
        """Bodies whose content is not what their hash says: all, or the newest."""
        sql = "SELECT id, hash, CAST(body AS BLOB) FROM bodies"
        if not full:
            sql += f" ORDER BY id DESC LIMIT {_SAMPLE}"
        for number, digest, body in self._connection.execute(sql):
            if hashlib.sha256(body).digest() != digest:
                yield Finding("body-damaged", f"bodies {number}", self._whose(number))

    def _whose(self, number: int) -> str:
        """Which payloads a body belongs to."""
        sql = (
            "SELECT DISTINCT coalesce(r.full_id, r.key) FROM records r JOIN executions e ON e.record = r.id"
            " WHERE ? IN (e.input, e.output, e.definition) LIMIT 3"
        )
        whose = [row[0] for row in self._connection.execute(sql, (number,))]
        return f"its content is not what was stored; it belongs to {', '.join(whose) or 'no record'}"

    def executions(self, limit: int | None) -> Iterator[str]:
        """The ids of executions, those that run first."""
        some = "" if limit is None else f"LIMIT {limit}"
        for where in ("stopped IS NULL", "stopped IS NOT NULL"):
            sql = f"SELECT name FROM executions WHERE {where} ORDER BY id DESC {some}"
            try:
                names = self._connection.execute(sql).fetchall()
            except sqlite3.DatabaseError:
                return  # told by `findings`
            yield from (unpack(name) for (name,) in names)

    # ------------------------------------------------------------ copies

    def copy(self, destination: str, *, force: bool, progress: Callable[[int, int], None]) -> int:
        """Copy the database to a file, verify the copy, and only then give it its name."""
        path = Path(destination).absolute()
        if path.exists() and not force:
            raise StoreError(f"{path} exists; --force writes over it")
        if path == self._path.absolute() or path.is_dir():
            raise StoreError(f"{path} cannot be the backup: it is " + ("a folder" if path.is_dir() else "the database"))
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            self._copy(part, progress)
            size = part.stat().st_size
            _place(part, path, force)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot write the backup {path}: {error}") from error
        finally:
            for name in (part, *(part.with_name(part.name + end) for end in ("-journal", "-wal", "-shm"))):
                with suppress(OSError):
                    name.unlink(missing_ok=True)
        return size

    def _copy(self, part: Path, progress: Callable[[int, int], None]) -> None:
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            os.chmod(part, self._path.stat().st_mode & 0o777)  # noqa: PTH101 - as private as the original
            copy.execute("PRAGMA synchronous=OFF")  # it has no name yet: one fsync at the end is enough
            with self._reading():
                self._connection.backup(
                    copy, pages=_STEP, sleep=0.0, progress=lambda _, left, every: progress(every - left, every)
                )
            copy.execute("PRAGMA journal_mode=DELETE")
            said = [row[0] for row in copy.execute("PRAGMA integrity_check")]
        if said != ["ok"]:
            raise StoreError(f"the copy of {self._path} is damaged, as the database itself may be: {said[0]}")
        with part.open("rb") as file:
            os.fsync(file.fileno())


class _Reading:
    """One read transaction; what is seen is from one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()

    def __exit__(self, *_: object) -> None:
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")


def _place(part: Path, path: Path, force: bool) -> None:
    """Give the finished file its name; without `force` nothing is replaced, even if it came meanwhile."""
    if force:
        part.replace(path)
    else:
        path.hardlink_to(part)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
