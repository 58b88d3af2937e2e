"""Sweeping bodies that nothing refers to, while others store and refer to bodies.

A body has no count of its references: counting would cost every payload more than a sweep does. Instead a sweep looks
which bodies all tables name, in one snapshot, and removes the others. In between, a body may be named again, by whoever
stores the same content. So while a sweep is under way, which is when `sweeps.epoch` is odd, every transaction writes
down in `kept` which bodies it has found or stored (`Database.body_id`), and no step removes those. A sweep that another
one has overtaken finds the epoch changed and removes nothing more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cirrus.adapters.sqlite.database import BUSY_SECONDS, Database
from cirrus.errors import StoreError

REFERENCES = (
    ("executions", "input"),
    ("executions", "output"),
    ("executions", "definition"),
    ("journal", "body"),
    ("messages", "body"),
    ("quarantine", "body"),
    ("names", "body"),
    ("outbox", "body"),
)
_WINDOW = 4_000_000  # bodies that one look at the tables tells of; bounds the temporary file, not the memory
_DAY = 86_400 * 1_000_000
_SHARE = 20  # a sweep comes again after so many times as long as it took
_SLACK_PAGES = 1024
_SLACK_SHARE = 20
_PAGES = 256


def sweep(database: Database, now: int, limit: int) -> Iterator[int]:
    """Remove loose bodies if some may be there, then give free pages back; steps of at most `limit` bodies."""
    if not _due(database, now):
        _shorten(database)
        return
    began = time.monotonic()
    epoch = _begin(database)
    with closing(_reader(database.path)) as reader:
        for first, last in _windows(database):
            for loose in _loose(reader, first, last, limit):
                yield _remove(database, epoch, loose)
    _end(database, epoch, now, round((time.monotonic() - began) * 1_000_000))
    yield from _give_back(database)


def _due(database: Database, now: int) -> bool:
    """Whether anything was removed of late, a day has passed, or another process left a sweep unfinished."""
    epoch, wanted, at, took = database.row("SELECT epoch, wanted, at, took FROM sweeps")
    since = now - at
    return bool(epoch % 2) or not 0 <= since <= _DAY or bool(wanted and since >= _SHARE * took)


def _begin(database: Database) -> int:
    """From here on everybody writes down which bodies they find; gives the epoch, an odd number."""
    with database.group():
        epoch = int(database.row("SELECT epoch FROM sweeps")[0])
        epoch += 1 if epoch % 2 == 0 else 2
        database.run("UPDATE sweeps SET epoch = ?, wanted = 0", (epoch,))
        database.run("DELETE FROM kept")
    return epoch


def _windows(database: Database) -> list[tuple[int, int]]:
    first, last = database.row("SELECT min(id), max(id) FROM bodies")
    return [] if first is None else [(n, n + _WINDOW) for n in range(first, last + 1, _WINDOW)]


def _reader(path: Path) -> sqlite3.Connection:
    """A connection of its own: it reads for long, and must hold up no other thread."""
    reader = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    reader.execute("PRAGMA temp_store=FILE")
    reader.execute("CREATE TEMP TABLE used (id INTEGER PRIMARY KEY)")
    reader.execute("CREATE TEMP TABLE loose (id INTEGER PRIMARY KEY)")
    return reader


def _loose(reader: sqlite3.Connection, first: int, last: int, limit: int) -> Iterator[list[int]]:
    """The bodies from `first` to before `last` that nothing named at one moment."""
    try:
        reader.execute("BEGIN")
        for table in ("used", "loose"):
            reader.execute(f"DELETE FROM temp.{table}")
        for table, column in REFERENCES:
            named = f"SELECT {column} FROM main.{table} WHERE {column} >= ? AND {column} < ?"
            reader.execute(f"INSERT OR IGNORE INTO temp.used {named}", (first, last))
        reader.execute(
            "INSERT INTO temp.loose SELECT id FROM main.bodies WHERE id >= ? AND id < ?"
            " AND id NOT IN (SELECT id FROM temp.used)",
            (first, last),
        )
        reader.execute("COMMIT")
        after, portion = 0, "SELECT id FROM temp.loose WHERE id > ? ORDER BY id LIMIT ?"
        while some := reader.execute(portion, (after, limit)).fetchall():
            yield [number for (number,) in some]
            after = some[-1][0]
    except sqlite3.Error as error:
        raise StoreError(f"cannot look for bodies that nothing refers to: {error}") from error


def _remove(database: Database, epoch: int, loose: list[int]) -> int:
    with database.group():
        if database.row("SELECT epoch FROM sweeps")[0] != epoch:
            raise StoreError("another process has begun to clean up: it goes on with it")
        sql = "DELETE FROM bodies WHERE id = ? AND id NOT IN (SELECT body FROM kept)"
        return sum(database.run(sql, (number,)).rowcount for number in loose)


def _end(database: Database, epoch: int, now: int, took: int) -> None:
    with database.group():
        database.run("DELETE FROM kept")
        sql = "UPDATE sweeps SET epoch = epoch + 1, at = ?, took = ? WHERE epoch = ?"
        database.run(sql, (now, took, epoch))


def _give_back(database: Database) -> Iterator[int]:
    """Shorten the file by its free pages, but for some that are soon used again."""
    while True:
        free, pages = (int(database.row(f"PRAGMA {name}")[0]) for name in ("freelist_count", "page_count"))
        if free <= max(_SLACK_PAGES, pages // _SLACK_SHARE):
            break
        database.shrink(_PAGES)
        left = int(database.row("PRAGMA freelist_count")[0])
        if left >= free:  # a database without incremental vacuum
            break
        yield free - left
    _shorten(database)


def _shorten(database: Database) -> None:
    """Let the file end where its pages do: a checkpoint does that, and may have to wait for readers."""
    pages, size = (int(database.row(f"PRAGMA {name}")[0]) for name in ("page_count", "page_size"))
    if database.path.stat().st_size > pages * size:
        database.row("PRAGMA wal_checkpoint(PASSIVE)")
