"""A group of writes: it takes the write lock with its first use, waits for it, and gives up in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from cirrus.adapters.sqlite import database as module
from cirrus.adapters.sqlite.database import Database
from cirrus.errors import StoreError

NOTE = "INSERT INTO debts (name, until) VALUES (?, 1)"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "cirrus.db")
    yield opened
    opened.close()


@pytest.fixture
def other(database: Database) -> Iterator[sqlite3.Connection]:
    """Another process, as far as locks go."""
    with closing(sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def noted(database: Database) -> list[str]:
    return [name for (name,) in database.rows("SELECT name FROM debts ORDER BY name")]


def test_others_may_write_until_a_group_asks_for_something(database: Database, other: sqlite3.Connection) -> None:
    with database.group():
        other.execute(NOTE, ("theirs",))
        assert noted(database) == ["theirs"]
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("PRAGMA busy_timeout=0").connection.execute(NOTE, ("late",))
        database.run(NOTE, ("ours",))
    other.execute(NOTE, ("then",))
    assert noted(database) == ["ours", "theirs", "then"]


def test_group_that_asks_for_nothing_writes_nothing(database: Database, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    with database.group():
        pass
    other.execute("COMMIT")


def test_group_waits_for_who_writes(database: Database, other: sqlite3.Connection) -> None:
    begun, done = Event(), Event()

    def write() -> None:
        with database.group():
            begun.set()
            database.run(NOTE, ("ours",))
        done.set()

    other.execute("BEGIN IMMEDIATE")
    thread = Thread(target=write)
    thread.start()
    assert begun.wait(10)
    assert not done.wait(0.05)
    other.execute("COMMIT")
    assert done.wait(10)
    thread.join()
    assert noted(database) == ["ours"]


def test_group_gives_up_on_who_never_ends(
    database: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked"), database.group():
        database.run(NOTE, ("never",))
    other.execute("COMMIT")
    assert noted(database) == []
    with database.group():
        database.run(NOTE, ("then",))
    assert noted(database) == ["then"]


def test_number_of_an_execution_that_was_deleted_is_not_taken_for_it(database: Database) -> None:
    sql = "SELECT e.id, e.name FROM executions e WHERE {}"
    made = "INSERT INTO executions (id, name, record, n, status, input, started) VALUES (7, ?, 1, 1, 'RUNNING', 1, 1)"
    with database.group():
        body = database.body_id(b"{}")
        database.run(
            "INSERT INTO records (id, grp, key, state, created, updated) VALUES (1, ?, 'k', 1, 1, 1)",
            (database.group_id("g"),),
        )
        database.run(made.replace(", 1, 1)", f", {body}, 1)"), (b"first",))
        database.remember("first", 7, b"first")
        assert database.executions(sql, ["first"]) == {"first": (7, b"first")}
        database.run("DELETE FROM executions WHERE id = 7")
        database.run(made.replace(", 1, 1)", f", {body}, 1)"), (b"second",))
        assert database.executions(sql, ["first", "second"]) == {"second": (7, b"second")}
