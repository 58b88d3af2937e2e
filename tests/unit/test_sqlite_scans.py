"""What is asked again and again in SQLite costs the same however much waits or is kept: counted in steps of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cirrus.adapters.sqlite.callbacks import SqliteCallbacks
from cirrus.adapters.sqlite.campaigns import SqliteCampaigns
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.journal import SqliteJournal
from cirrus.adapters.sqlite.outbox import SqliteOutbox
from cirrus.adapters.sqlite.queue import SqliteQueue
from cirrus.adapters.sqlite.retention import SqliteRetention
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.lease import Lease
from cirrus.core.state import ENDED, State
from cirrus.core.throttle import Limit, Throttle
from cirrus.ports.callbacks import Waiting
from cirrus.ports.outbox import LONGEST, Attempted, Subscriptions
from cirrus.ports.queue import Message
from cirrus.ports.retention import Policy
from cirrus.ports.state_db import Query
from cirrus.testing.builders import AT, begin, event, finish, payload_id

FEW, MANY = 30, 1500
LATER = AT + 10_000_000
DAY = 86_400_000_000
KEPT = Policy(dict.fromkeys(ENDED, DAY), dict.fromkeys(ENDED, DAY), dict.fromkeys(ENDED, DAY), *[DAY] * 4)
BUSY = Throttle(workflows={"w": Limit(running=5)})
Ask = Callable[[Database], object]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Database]]:
    """A deployment in which little waits and is kept, and one in which much is."""
    made = [filled(tmp_path_factory.mktemp("home"), number) for number in (FEW, MANY)]
    yield made[0], made[1]
    for one in made:
        one.close()


def filled(folder: Path, number: int) -> Database:
    """Records, messages, deliveries that wait, were put off, wait behind such, or were sent, and waiting tasks."""
    database = Database(folder / "cirrus.db")
    state_db = SqliteStateDb(database, Subscriptions(events=("hook", "down")))
    outbox, callbacks = SqliteOutbox(database), SqliteCallbacks(database)
    with database.group():
        SqliteJournal(database).beat("o", AT + DAY)
        for n in range(number):
            finish(state_db, payload_id(n), at=AT + n)
        runs = begin(state_db, payload_id("runs"), AT, owner="o")
        SqliteQueue(database, state_db).put([Message(b'{"n":%d}' % n, payload_id(n)) for n in range(number)], AT)
        state_db.note([event(payload_id(n)) for n in range(number)])
        put_off = outbox.take("down", number, owner="o", now=AT, lease=Lease(AT, AT + DAY))
        outbox.settle("o", [Attempted(one.id, AT, "no", AT + LONGEST) for one in put_off])
        sent = outbox.take("hook", number // 2, owner="o", now=AT, lease=Lease(AT, AT + DAY))
        outbox.settle("o", [Attempted(one.id, AT) for one in sent])
        state_db.note([event(payload_id(n)) for n in range(number)])
        for n in range(number):
            callbacks.open(Waiting(f"token-{n}", str(runs.execution_id), f"place-{n}", "work", b"{}"))
    # puts off what waits behind what was put off
    outbox.take("down", 500, owner="o", now=AT + 1, lease=Lease(AT + 1, AT + DAY))
    return database


def steps(database: Database, ask: Ask) -> int:
    """How many hundreds of steps SQLite takes for an answer, which changes nothing."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection: sqlite3.Connection = database._connection
    with pytest.raises(KeyError), database.group():  # noqa: PT012 - undoes what was asked
        ask(database)
        connection.set_progress_handler(step, 10)
        ask(database)
        connection.set_progress_handler(None, 0)
        raise KeyError
    return count


def queue(database: Database) -> SqliteQueue:
    return SqliteQueue(database, SqliteStateDb(database))


ASKED: dict[str, Ask] = {
    "take messages": lambda one: queue(one).take(9, owner="o", now=LATER, until=LATER + DAY),
    "take messages within a limit": lambda one: queue(one).take(9, owner="o", now=LATER, until=DAY, throttle=BUSY),
    "when more may be taken": lambda one: queue(one).again(BUSY, LATER),
    "whether anything waits": lambda one: queue(one).stirs(),
    "what has been dropped": lambda one: SqliteJournal(one).adopt("other", LATER, 9),
    "what was claimed and dropped": lambda one: SqliteStateDb(one).page(Query(states=(State.CLAIMED,)), 9),
    "renew a lease": lambda one: SqliteJournal(one).beat("o", AT + DAY + 1),
    "let go of everything": lambda one: SqliteJournal(one).retire("nobody"),
    "what was cancelled": lambda one: SqliteJournal(one).cancelled("o"),
    "answers": lambda one: SqliteCallbacks(one).take("o"),
    "the next task of an activity": lambda one: SqliteCallbacks(one).next_activity("work"),
    "campaigns that are active": lambda one: SqliteCampaigns(one, queue(one)).active(),
    "take deliveries": lambda one: SqliteOutbox(one).take(
        "hook", 9, owner="o", now=LATER, lease=Lease(LATER, LATER + DAY)
    ),
    "take deliveries of a target that is down": lambda one: SqliteOutbox(one).take(
        "down", 9, owner="o", now=LATER, lease=Lease(LATER, LATER + DAY)
    ),
    "remove what is past its time, where nothing is": lambda one: sum(SqliteRetention(one).expire(KEPT, LATER, 9)),
}


@pytest.mark.parametrize("asked", ASKED)
def test_it_costs_the_same_however_much_there_is(homes: tuple[Database, Database], asked: str) -> None:
    few, many = (steps(one, ASKED[asked]) for one in homes)
    assert many <= 1.5 * few + 10, f"{few * 10} and {many * 10} steps of SQLite"
