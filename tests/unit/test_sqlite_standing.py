"""What a connection need not ask of executions that run: it never differs from what asking would have told."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.journal import SqliteJournal
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.errors import StoreError
from cirrus.ports.journal import Entry
from cirrus.testing.builders import AT, begin, claim, ending, payload_id

LEASE = 30_000_000
OWNERS = ("one", "other")


class Undone(Exception):
    pass


class Side:
    """One control process: its connection, and what it does. One that `asks` trusts in nothing that it remembers."""

    def __init__(self, owner: str, path: Path, asks: bool) -> None:
        self.owner = owner
        self.database = Database(path)
        self.state_db = SqliteStateDb(self.database)
        self.journal = SqliteJournal(self.database)
        self._asks = asks

    def do(self, what: str, name: int, seq: int) -> object:
        """Carry one thing out, and say what came of it."""
        if self._asks:
            self.database._standing.clear()
        record = self.state_db.get([payload_id(name)]).get(payload_id(name))
        return getattr(self, what)(name, record, seq)

    def begin(self, name: int, record: Record | None, seq: int) -> object:
        return self.state_db.claim([claim(payload_id(name), record, owner=self.owner)])

    def append(self, name: int, record: Record | None, seq: int) -> object:
        known = record.executions if record else ()
        return self.journal.append(self.owner, [Entry(one, seq, b"{}", None) for one in known])

    def end(self, name: int, record: Record | None, seq: int) -> object:
        return record and self.state_db.conclude([ending(record, State.ABORTED if seq % 2 else State.COMPLETED)])

    def adopt(self, name: int, record: Record | None, seq: int) -> object:
        """Whoever holds it is taken for dead."""
        for owner in OWNERS:
            self.journal.beat(owner, AT - 1)
        return [one.execution_id for one in self.journal.adopt(self.owner, AT, 10, [payload_id(name)])]

    def forget(self, name: int, record: Record | None, seq: int) -> object:
        return record and record.state not in RUNNING and self.state_db.forget([payload_id(name)], AT)

    def undo(self, name: int, record: Record | None, seq: int) -> object:
        """All of it, and then nothing of it."""
        told: list[object] = []
        with suppress(Undone), self.database.group():
            told.append(self.begin(name, record, seq))
            now = self.state_db.get([payload_id(name)]).get(payload_id(name))
            told += [self.append(name, now, seq), self.end(name, now, seq)]
            raise Undone
        return told


@contextmanager
def sides(*, asks: bool) -> Iterator[list[Side]]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = []
        for owner in OWNERS:
            way = Path(folder) / owner  # of its own, as another process would have it
            way.symlink_to(folder, target_is_directory=True)
            made.append(Side(owner, way / "cirrus.db", asks))
            stack.enter_context(closing(made[-1].database))
        yield made


STEPS = st.tuples(
    st.sampled_from([0, 0, 1]),
    st.sampled_from(["begin", "append", "append", "end", "adopt", "forget", "undo"]),
    st.sampled_from([0, 1]),
)


@given(st.lists(STEPS, min_size=3, max_size=20))
def test_memory_tells_what_asking_would(steps: list[tuple[int, str, int]]) -> None:
    with sides(asks=False) as remembering, sides(asks=True) as asking:
        for seq, (side, what, name) in zip(count(), steps, strict=False):
            assert remembering[side].do(what, name, seq) == asking[side].do(what, name, seq)


@pytest.fixture
def pair() -> Iterator[list[Side]]:
    with sides(asks=False) as made:
        yield made


def append(side: Side, record: Record, seq: int) -> set[str]:
    assert record.execution_id is not None
    return side.journal.append(side.owner, [Entry(record.execution_id, seq, b"{}", None)])


@pytest.mark.parametrize("taken", ["end", "adopt"])
def test_what_another_connection_took_is_refused_at_once(pair: list[Side], taken: str) -> None:
    ours, theirs = pair
    record = begin(ours.state_db, payload_id(0), owner="one")
    assert append(ours, record, 1) == set()
    assert theirs.do(taken, 0, 1)
    assert append(ours, record, 2) == {record.execution_id}
    if taken == "end":
        assert ours.state_db.conclude([ending(record)]) == [False]


def test_nothing_is_asked_while_nobody_else_writes(pair: list[Side]) -> None:
    ours, theirs = pair
    asked: list[str] = []

    def told(statement: Any) -> None:
        if "FROM executions" in statement and "WHERE" in statement and "max(id)" not in statement:
            asked.append(statement)

    record, second = (begin(ours.state_db, payload_id(n), owner="one") for n in (0, 1))
    ours.database._connection.set_trace_callback(told)
    assert append(ours, record, 1) == append(ours, second, 1) == set()
    assert not asked
    theirs.journal.beat("other", AT + LEASE)
    assert append(ours, record, 2) == set()
    assert len(asked) == 1
    assert append(ours, record, 3) == set()
    assert len(asked) == 1
    ours.database._connection.set_trace_callback(None)
    assert ours.state_db.conclude([ending(record), ending(second)]) == [True, True]
    assert append(ours, second, 2) == {second.execution_id}


def test_what_could_not_be_committed_is_not_remembered(pair: list[Side]) -> None:
    ours, _ = pair
    with suppress(StoreError), ours.database.group():
        assert ours.begin(0, None, 0) == [True]
        ours.database._connection.execute("ROLLBACK")  # as SQLite does when the disk is full
    assert not ours.state_db.get([payload_id(0)])
    record = begin(ours.state_db, payload_id(1), owner="one")
    known = claim(payload_id(0)).execution_id
    assert ours.journal.append("one", [Entry(known, 1, b"{}", None)]) == {known}
    assert append(ours, record, 1) == set()
