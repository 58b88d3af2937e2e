"""One SQLite file: connections, transactions, migrations, and bodies by content.

Rules: write-ahead log, `synchronous=FULL`; every write stands in a `group`, which is one transaction and takes the
write lock at its beginning; errors of SQLite leave this module as StoreError.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from cirrus.adapters.sqlite.columns import pack
from cirrus.adapters.sqlite.standing import Standing
from cirrus.core.failure_kind import FailureKind
from cirrus.errors import StoreError
from cirrus.ports.state_db import KEPT_SLOTS, SLOT

BUSY_SECONDS = 20.0  # less than a lease: who waits longer would be taken for dead
_MOMENT = 0.0003
_KEEP_BODY = "INSERT OR IGNORE INTO bodies (id, hash, body)"
_SIZES = (1, 8, 64, 125, 250, 500)  # of lists in queries: few, so that their statements stay prepared
_ROWS = (32, 8, 1)  # of one statement that inserts: a row in one of many costs half of one alone
_COUNT = "INSERT INTO transitions (slot, state, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n"
_REMEMBERED = 4096
_SEEN_BYTES = 4 << 20
_writers: dict[Path, threading.RLock] = {}
_writers_guard = threading.Lock()


def _writer_lock(path: Path) -> threading.RLock:
    """One lock for each file and process: threads wait here rather than in SQLite, which polls."""
    with _writers_guard:
        return _writers.setdefault(path, threading.RLock())


class Database:
    """A connection to a local home's database; made if it is not there. One thread uses it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = _writer_lock(path.absolute())
        self._depth = 0
        self._begun = False
        self._ids: dict[tuple[str, str], int] = {}
        self._names: dict[int, str] = {}
        self._failures: dict[str, int] = {}
        self._executions: dict[str, tuple[int, bytes]] = {}
        self._bodies: dict[bytes, int] = {}
        self._seen: dict[int, tuple[bytes, int]] = {}
        self._seen_before: dict[int, tuple[bytes, int]] = {}
        self._seen_size = 0
        self._standing = Standing()
        self._version = -1
        self._entered: Counter[tuple[int, int]] = Counter()
        self._epoch = -1
        self._followed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            self._configure()
            self._migrate()
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot open the state database {path}: {error}") from error

    def _configure(self) -> None:
        if not self._connection.execute("PRAGMA page_count").fetchone()[0]:
            self._connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # before anything is written, or never
        for setting in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "temp_store=MEMORY",
            "secure_delete=OFF",
            "cache_size=-65536",
            "journal_size_limit=67108864",
            "wal_autocheckpoint=16000",
        ):
            self._connection.execute(f"PRAGMA {setting}")

    def _migrate(self) -> None:
        scripts = migrations()
        if self.version() > len(scripts):
            raise StoreError(f"{self.path} was written by a newer Cirrus (schema {self.version()}): upgrade this one")
        if self.version() == len(scripts):
            return
        with self.group():
            self._writing()
            for number, script in enumerate(scripts, 1):
                if number > self.version():
                    for statement in _statements(script):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA user_version={number}")

    def version(self) -> int:
        """The number of the last migration."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the state database {self.path}: {error}") from error

    @contextmanager
    def group(self) -> Iterator[None]:
        """One transaction; groups inside it join it. It begins, and takes the write lock, with what is asked first."""
        with self._lock:
            if self._depth:
                yield
                return
            self._depth = 1
            try:
                yield
                if self._begun:
                    self._count_entered()
                    self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._rollback()
                raise StoreError(f"cannot write the state database {self.path}: {error}") from error
            except BaseException:
                self._rollback()
                raise
            finally:
                self._depth = 0
                self._begun = False

    def _begin(self) -> None:
        try:
            self._connection.execute("PRAGMA busy_timeout=0")
            try:
                self._lock_for_writing()
            finally:
                self._connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
        except sqlite3.Error as error:
            raise StoreError(f"cannot write the state database {self.path}: {error}") from error
        self._begun = True
        self._followed = False
        version = self.data_version()
        if version != self._version:
            self._standing.clear()
            self._version = version

    def _lock_for_writing(self) -> None:
        """Begin as soon as whoever writes is done, in some milliseconds: SQLite itself would sleep for longer."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(_MOMENT)  # no lock of SQLite can be waited for

    def _rollback(self) -> None:
        self._ids.clear()
        self._names.clear()
        self._failures.clear()
        self._executions.clear()
        self._standing.clear()
        self._forget_bodies()
        self._entered.clear()
        if self._connection.in_transaction:
            with suppress(sqlite3.Error):  # what could not be written cannot be committed later either
                self._connection.execute("ROLLBACK")

    @property
    def standing(self) -> Standing:
        """What is known of executions that run; only inside a group."""
        self._writing()
        return self._standing

    def remember(self, execution_id: str, number: int, name: bytes) -> None:
        """Know again which row an execution has, which is there as `name`."""
        if len(self._executions) >= _REMEMBERED:
            self._executions.clear()
        self._executions[execution_id] = number, name

    def executions(self, sql: str, execution_ids: Collection[str], values: Sequence[Any] = ()) -> dict[str, Any]:
        """The rows of a query for executions, by id; it gives `e.id` and `e.name` first, and `{}` is its condition."""
        names: dict[bytes, str] = {}
        known: list[int] = []
        others: list[bytes] = []
        for execution_id in execution_ids:
            place = self._executions.get(execution_id)
            if place is None:
                others.append(pack(execution_id))
                names[others[-1]] = execution_id
            else:
                known.append(place[0])
                names[place[1]] = execution_id
        found = {}
        for row in self.rows_of(sql.format("e.id IN ({})"), known, values):
            if row[1] in names:  # the number of an execution that was deleted may be another's now
                found[names[row[1]]] = row
        for row in self.rows_of(sql.format("e.name IN ({})"), others, values):
            found[names[row[1]]] = row
            self.remember(names[row[1]], row[0], row[1])
        return found

    def rows(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """All rows of a query."""
        with self._lock:
            if self._depth and not self._begun:
                self._begin()
            try:
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise StoreError(f"cannot read the state database {self.path}: {error}") from error

    def each(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query, read as they are asked for; only inside a group, and nothing is written meanwhile."""
        if not self._begun:
            self._begin()
        try:
            yield from self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise StoreError(f"cannot read the state database {self.path}: {error}") from error

    def row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query, None if there is none."""
        found = self.rows(sql, values)
        return found[0] if found else None

    def rows_of(self, sql: str, keys: Collection[Any], values: Sequence[Any] = ()) -> Iterator[Any]:
        """The rows of a query for any number of keys, which stand for `{}` in it, in front of `values`."""
        for chunk, marks in _lists(keys):
            yield from self.rows(sql.format(marks), [*chunk, *values])

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """One writing statement; only inside a group."""
        self._writing()
        return self._connection.execute(sql, values)

    def run_many(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """One writing statement for each row of values. Only inside a group."""
        if rows:
            self._writing()
            self._connection.executemany(sql, rows)

    def run_of(self, sql: str, keys: Collection[Any], values: Sequence[Any] = ()) -> None:
        """One writing statement for any number of keys, which stand for `{}` in it, after `values`."""
        for chunk, marks in _lists(keys):
            self.run(sql.format(marks), [*values, *chunk])

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows, of which `sql` names the table and the columns: how many that were. Only inside a group.

        Bytes are best given as bytearray, which sqlite3 takes as it is; so columns that are None are no parameters.
        """
        if rows:
            self._writing()
        inserted = start = 0
        for size in _ROWS:
            while len(rows) - start >= size:
                some = rows[start : start + size]
                given = tuple(n for n, value in enumerate(some[0]) if value is not None or _given(some, n))
                statement = _inserting(sql, len(some[0]), given, size)
                whole = len(given) == len(some[0])
                values = list(chain.from_iterable(some)) if whole else [row[n] for row in some for n in given]
                inserted += self._connection.execute(statement, values).rowcount
                start += size
        return inserted

    def _writing(self) -> None:
        assert self._depth, "a write outside of a group"
        if not self._begun:
            self._begin()
        elif not self._connection.in_transaction:  # SQLite itself gives up a transaction when the disk is full
            raise StoreError(f"cannot write the state database {self.path}: its transaction was rolled back")

    def next_id(self, table: str) -> int:
        """The number that the next row of a table gets; it stays ours for as long as the group lasts."""
        self._writing()
        return int(self.row(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")[0])

    def body_id(self, body: bytes) -> int:
        """The number under which a body is stored; it is stored if it is new. Only inside a group."""
        if not self._followed or not self._begun:
            self._follow()
        seen = self._seen.get(id(body))
        if seen is not None:
            return seen[1]
        seen = self._seen_before.get(id(body))
        if seen is not None:
            self._see(*seen)
            return seen[1]
        digest = digest_of(body)
        number = self._bodies.get(digest)
        if number is None:
            (number,) = self.body_ids({digest: body}).values()
            if len(self._bodies) >= _REMEMBERED:
                self._bodies.clear()
            self._bodies[digest] = number
        self._see(body, number)
        return number

    def body_ids(self, bodies: Mapping[bytes, bytes]) -> dict[bytes, int]:
        """The numbers of bodies by their `digest_of`; those that are new are stored. Only inside a group."""
        if not self._followed or not self._begun:
            self._follow()
        found = {digest: number for number, digest in enumerate(bodies, self.next_id("bodies"))}
        rows = [(found[digest], bytearray(digest), bytearray(body)) for digest, body in bodies.items()]
        if self.insert(_KEEP_BODY, rows) < len(rows):
            found = dict(self.rows_of("SELECT hash, id FROM bodies WHERE hash IN ({})", found))
        self._found(found.values())
        return found

    def stored(self, body: bytes, number: int) -> bytes:
        """The body, which was read under this number in this group: `body_id` need not look for it. Gives it back."""
        if not self._followed or not self._begun:
            self._follow()
        if self._epoch % 2:
            self._found([number])
        self._see(body, number)
        return body

    def _see(self, body: bytes, number: int) -> None:
        """Know this very object again; it is held, so that no other can come to have its identity."""
        if self._seen_size >= _SEEN_BYTES:
            self._seen_before, self._seen = self._seen, {}
            self._seen_size = 0
        self._seen[id(body)] = body, number
        self._seen_size += len(body)

    def _found(self, numbers: Iterable[int]) -> None:
        """Keep a sweep that is under way from removing bodies."""
        if self._epoch % 2:
            self.run_many("INSERT OR IGNORE INTO kept (body) VALUES (?)", [(number,) for number in numbers])

    def _forget_bodies(self) -> None:
        self._bodies.clear()
        self._seen.clear()
        self._seen_before.clear()
        self._seen_size = 0

    def _follow(self) -> None:
        """Forget what a sweep may have removed since the last transaction; see `sweep.py`."""
        if not self._begun:
            self._begin()
        epoch = self._connection.execute("SELECT epoch FROM sweeps").fetchone()[0]
        if epoch != self._epoch:
            self._forget_bodies()
        self._epoch, self._followed = epoch, True

    def group_id(self, name: str) -> int:
        """The number of a `collections_workflow`; only inside a group."""
        return self._id("groups", name)

    def collections_id(self, name: str) -> int:
        """The number of collections, the first part of payload ids; only inside a group."""
        return self._id("collections", name)

    def form_id(self, name: str) -> int:
        """The number of what events have in common; only inside a group."""
        return self._id("forms", name)

    def _id(self, table: str, name: str) -> int:
        known = self._ids.get((table, name))
        if known is None:
            self.run(f"INSERT OR IGNORE INTO {table} (name) VALUES (?)", (name,))
            known = self._ids[table, name] = int(self.row(f"SELECT id FROM {table} WHERE name=?", (name,))[0])
        return known

    def group_name(self, number: int) -> str:
        """The `collections_workflow` of a number."""
        known = self._names.get(number)
        if known is None:
            known = self._names[number] = str(self.row("SELECT name FROM groups WHERE id=?", (number,))[0])
        return known

    def entered(self, state: int, instants: Sequence[int]) -> None:
        """Count that records entered a state then; written once, at the end of the group. Only inside a group."""
        for at, number in Counter(instants).items():
            self._entered[at - at % SLOT, state] += number

    def _count_entered(self) -> None:
        if not self._entered:
            return
        rows = [(slot, state, number) for (slot, state), number in self._entered.items()]
        self._connection.executemany(_COUNT, rows)
        self._connection.execute("DELETE FROM transitions WHERE slot < ?", (rows[0][0] - KEPT_SLOTS * SLOT,))
        self._entered.clear()

    def failure_id(self, kind: FailureKind) -> int:
        """The number of a kind of failure; only inside a group."""
        known = self._failures.get(kind.fingerprint)
        if known is None:
            self.run(
                "INSERT OR IGNORE INTO failures (fingerprint, workflow, step, message) VALUES (?, ?, ?, ?)",
                (kind.fingerprint, kind.workflow, kind.step, kind.message),
            )
            found = self.row("SELECT id FROM failures WHERE fingerprint = ?", (kind.fingerprint,))
            known = self._failures[kind.fingerprint] = int(found[0])
        return known

    def shrink(self, pages: int) -> None:
        """Give up to so many free pages back, as a transaction of its own."""
        with self._lock:
            assert not self._depth, "the file cannot be shortened inside a group"
            try:
                self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # `execute` would free one page
            except sqlite3.Error as error:
                raise StoreError(f"cannot write the state database {self.path}: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _lists(keys: Collection[Any]) -> Iterator[tuple[list[Any], str]]:
    """The keys in lists of few sizes, and the marks that stand for each list in a statement."""
    rest = list(keys)
    while rest:
        size = next((size for size in _SIZES if size >= len(rest)), _SIZES[-1])
        chunk, rest = rest[:size], rest[size:]
        chunk += chunk[-1:] * (size - len(chunk))
        yield chunk, ",".join("?" * size)


def _given(rows: Sequence[Sequence[Any]], column: int) -> bool:
    """Whether a row has a value in the column."""
    return [row[column] for row in rows].count(None) < len(rows)


@cache
def _inserting(sql: str, columns: int, given: tuple[int, ...], rows: int) -> str:
    one = f"({','.join('?' if column in given else 'NULL' for column in range(columns))})"
    return f"{sql} VALUES {','.join([one] * rows)}"


def digest_of(body: bytes) -> bytes:
    """What a body is known by: its SHA-256."""
    return hashlib.sha256(body).digest()


def migrations() -> list[str]:
    """The scripts that make the schema, in order."""
    folder = resources.files("cirrus.adapters.sqlite") / "migrations"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [entry.read_text() for entry in found]


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
