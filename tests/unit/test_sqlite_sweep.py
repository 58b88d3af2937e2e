"""Sweeping bodies in SQLite: what goes, what must not go while others write, and the space that comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.outbox import SqliteOutbox
from cirrus.adapters.sqlite.retention import SqliteRetention
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.adapters.sqlite.sweep import REFERENCES
from cirrus.core.lease import Lease
from cirrus.core.record import Record
from cirrus.errors import StoreError
from cirrus.ports.outbox import Attempted, Subscriptions
from cirrus.testing.builders import AT, begin, ending, event, payload_id

DAY = 86_400_000_000
Connect = Callable[[], Database]


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Connect]:
    """Connections to one database, each as another process would have it."""
    opened: list[Database] = []

    def make() -> Database:
        way = tmp_path / f"way-{len(opened)}"
        way.symlink_to(tmp_path, target_is_directory=True)
        opened.append(Database(way / "cirrus.db"))
        return opened[-1]

    yield make
    for database in opened:
        database.close()


def count(database: Database, table: str = "bodies") -> int:
    return int(database.row(f"SELECT count(*) FROM {table}")[0])


def swept(database: Database, day: int = 9) -> None:
    for _ in SqliteRetention(database).sweep(AT + day * DAY, 3):
        pass


def ended(database: Database, name: str, body: bytes) -> Record:
    """A record with this input."""
    record = begin(SqliteStateDb(database), payload_id(name), owner="o", input=body, definition=b"")
    assert SqliteStateDb(database).conclude([ending(record)]) == [True]
    return record


def forgotten(database: Database, *bodies: bytes) -> None:
    """Records with these inputs, and gone again."""
    state_db = SqliteStateDb(database)
    with database.group():
        for n, body in enumerate(bodies):
            record = begin(state_db, payload_id(n), owner="o", input=body, definition=b"")
            state_db.conclude([ending(record)])
    state_db.forget([payload_id(n) for n in range(len(bodies))], AT)


def test_bodies_go_with_what_named_them(connect: Connect) -> None:
    database = connect()
    ended(database, "kept", b"shared")
    forgotten(database, b"shared", *(b"%d" % n for n in range(10)))
    assert count(database) == 11
    swept(database)
    assert database.rows("SELECT body FROM bodies") == [(b"shared",)]
    assert count(database, "kept") == 0


def test_body_that_is_stored_again_while_a_sweep_is_under_way_stays(connect: Connect) -> None:
    ours, theirs = connect(), connect()
    with theirs.group():
        theirs.body_id(b"2")  # from before the sweep: what it remembers of it must not count
    forgotten(ours, *(b"%d" % n for n in range(4)))
    steps = SqliteRetention(ours).sweep(AT + 9 * DAY, 1)
    assert next(steps) == 1
    again = ended(theirs, "again", b"2")
    new = ended(theirs, "new", b"0")
    assert sum(steps) == 2
    for record, body in ((again, b"2"), (new, b"0")):
        execution = SqliteStateDb(ours).execution(str(record.execution_id))
        assert execution is not None
        assert execution.input == body
    assert count(ours) == 2


def test_memory_of_bodies_ends_with_a_sweep(connect: Connect) -> None:
    ours, theirs = connect(), connect()
    state_db = SqliteStateDb(theirs)
    ended(theirs, "a", b"once")
    state_db.forget([payload_id("a")], AT)
    swept(ours)
    assert count(ours) == 0
    record = ended(theirs, "b", b"once")
    execution = state_db.execution(str(record.execution_id))
    assert execution is not None
    assert execution.input == b"once"


def test_sweep_that_another_has_overtaken_removes_nothing(connect: Connect) -> None:
    ours, theirs = connect(), connect()
    forgotten(ours, b"1", b"2", b"3")
    asleep = SqliteRetention(ours).sweep(AT + 9 * DAY, 1)
    next(asleep)
    swept(theirs)
    record = ended(theirs, "a", b"3")
    with pytest.raises(StoreError, match="another process"):
        next(asleep)
    execution = SqliteStateDb(ours).execution(str(record.execution_id))
    assert execution is not None
    assert execution.input == b"3"


def test_sweep_that_was_left_is_taken_up(connect: Connect) -> None:
    ours, theirs = connect(), connect()
    forgotten(ours, b"1", b"2", b"3")
    left = SqliteRetention(ours).sweep(AT + 9 * DAY, 1)
    next(left)
    del left
    swept(theirs)
    assert count(theirs) == 0
    assert theirs.row("SELECT epoch % 2 FROM sweeps") == (0,)


def test_no_sweep_without_need(connect: Connect) -> None:
    database = connect()
    swept(database)
    epoch = database.row("SELECT epoch FROM sweeps")
    swept(database)
    assert database.row("SELECT epoch FROM sweeps") == epoch
    forgotten(database, b"1")
    swept(database)  # not again at the very moment: a sweep takes a share of the time at most
    assert database.row("SELECT epoch FROM sweeps") == epoch
    swept(database, 10)
    assert database.row("SELECT epoch FROM sweeps") != epoch


def test_body_of_what_was_sent_goes(connect: Connect) -> None:
    database = connect()
    outbox = SqliteOutbox(database)
    SqliteStateDb(database, Subscriptions(events=("t",))).note([event(payload_id("a")), event(payload_id("b"))])
    first, second = outbox.take("t", 9, owner="o", now=AT, lease=Lease(AT, AT + 9))
    outbox.settle("o", [Attempted(first.id, AT), Attempted(second.id, AT, "gone")])
    swept(database)
    assert database.rows("SELECT body FROM bodies") == [(second.body,)]


def test_every_table_that_names_bodies_is_looked_at(connect: Connect) -> None:
    database = connect()
    named = {
        (table, column)
        for (table,) in database.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for _, _, parent, column, *_ in database.rows(f"PRAGMA foreign_key_list({table})")
        if parent == "bodies"
    }
    assert named == set(REFERENCES)


def test_space_is_given_back(connect: Connect) -> None:
    database = connect()
    forgotten(database, *(os.urandom(20_000) for _ in range(1000)))
    database.row("PRAGMA wal_checkpoint(TRUNCATE)")
    before = database.path.stat().st_size
    steps = list(SqliteRetention(database).sweep(AT + 9 * DAY, 200))
    database.row("PRAGMA wal_checkpoint(TRUNCATE)")
    after = database.path.stat().st_size
    assert before > 20_000_000
    assert after < 5_000_000
    assert len(steps) < 30
    assert database.row("PRAGMA integrity_check") == ("ok",)
