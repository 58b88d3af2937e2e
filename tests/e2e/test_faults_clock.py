"""Clocks that jump, owners that are overtaken, deliveries that keep failing: turn by turn, in memory and in SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.memory.compute import Function
from cirrus.adapters.memory.store import Store
from cirrus.adapters.sqlite.callbacks import SqliteCallbacks
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.journal import SqliteJournal
from cirrus.adapters.sqlite.outbox import SqliteOutbox
from cirrus.adapters.sqlite.payloads import SqlitePayloads
from cirrus.adapters.sqlite.queue import SqliteQueue
from cirrus.adapters.sqlite.retention import SqliteRetention
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.event import EventType
from cirrus.core.instant import SECOND
from cirrus.core.state import State
from cirrus.errors import InvalidPayload
from cirrus.flow.deliver import deliver
from cirrus.flow.home import Home
from cirrus.flow.submit import submit
from cirrus.flow.work import Worker
from cirrus.ports.outbox import Delivery, Subscriptions
from cirrus.ports.target import Failed, Target
from cirrus.testing.builders import begin, payload_id
from cirrus.testing.home import Clock, Control, machine, make_home, task

WAIT = {
    "StartAt": "wait",
    "States": {"wait": {"Type": "Wait", "Seconds": 60, "Next": "t"}, "t": task("t")},
}
AGAIN = {"StartAt": "t", "States": {"t": task("t", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60}])}}
SLOW = {"StartAt": "t", "States": {"t": task("t", TimeoutSeconds=60)}}
TELL = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sns:publish",
    "Parameters": {"TopicArn": "arn:aws:sns:local:0:told", "Message": "hello"},
    "ResultPath": None,
    "Next": "u",
}
TELLING = {"StartAt": "t", "States": {"t": task("t", Next="tell"), "tell": TELL, "u": task("u")}}
WORKFLOWS = {"wait": WAIT, "slow": SLOW, "again": AGAIN, "telling": TELLING, "one": machine("t")}
ONE = json.dumps(machine("t")).encode()
GIVEN = b'{"features":[],"process":[{"workflow":"one"}]}'
Views = Callable[[Clock], Home]


@pytest.fixture(params=["memory", "sqlite"])
def view(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Views]:
    """Views of one deployment, each with a clock that moves when told."""
    store = Store()
    opened: list[Database] = []
    events = Subscriptions(events=("hook",))

    def memory(clock: Clock) -> Home:
        return make_home(WORKFLOWS, store=store, clock=clock, subscriptions=events)

    def sqlite(clock: Clock) -> Home:
        database = Database(tmp_path / "cirrus.db")
        opened.append(database)
        state_db = SqliteStateDb(database, events)
        return replace(
            memory(clock),
            state_db=state_db,
            queue=SqliteQueue(database, state_db),
            payloads=SqlitePayloads(database, state_db, "test", clock),
            journal=SqliteJournal(database),
            callbacks=SqliteCallbacks(database),
            outbox=SqliteOutbox(database),
            retention=SqliteRetention(database),
            unit=database,
            changes=database.data_version,
        )

    yield memory if request.param == "memory" else sqlite
    for database in opened:
        database.close()


def give(home: Home, workflow: str, *names: str) -> list[str]:
    documents = [
        b'{"features":[{"type":"Feature","id":"%s"}],"process":[{"workflow":"%s"}]}'
        % (name.encode(), workflow.encode())
        for name in names or ("a",)
    ]
    return [one.payload_id or "" for one in submit(home, documents)]


class Task:
    """A task that counts how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, given: dict[str, Any]) -> object:
        self.runs += 1
        return given


class Fails(Task):
    """A task that fails its first runs."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def __call__(self, given: dict[str, Any]) -> object:
        super().__call__(given)
        if self.runs <= self.number:
            raise ValueError("not yet")
        return given


def state(home: Home, payload_id: str) -> State:
    return home.state_db.get([payload_id])[payload_id].state


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize("jump", [-3600.0, -86_400.0, -30.0])
def test_wait_goes_on_where_the_clock_is_set_back(view: Views, jump: float) -> None:
    clock, ran = Clock(), Task()
    control = Control(view(clock), {"t": ran})
    (known,) = give(control.home, "wait")
    control.run()
    clock.advance(20)
    control.run()
    clock.turn(jump)
    control.run()
    clock.advance(39)
    control.run()
    assert ran.runs == 0
    clock.advance(2)
    control.run()
    assert ran.runs == 1
    assert state(control.home, known) is State.COMPLETED


def test_wait_ends_once_where_the_clock_is_set_forward(view: Views) -> None:
    clock, ran = Clock(), Task()
    control = Control(view(clock), {"t": ran})
    (known,) = give(control.home, "wait")
    control.run()
    for jump in (86_400, -86_400, 86_400):
        clock.turn(jump)
        control.run()
    assert ran.runs == 1
    assert state(control.home, known) is State.COMPLETED


def test_work_of_a_dead_process_is_taken_over_though_the_clock_was_set_back(view: Views) -> None:
    clock, ran = Clock(), Task()
    dead = Control(view(clock), {"t": ran}, "dead")
    (known,) = give(dead.home, "one")
    dead.turn()
    clock.turn(-3600)
    other = Control(view(clock), {"t": ran}, "other")
    other.turn(adopt=True)
    assert len(other.driver) == 0
    clock.advance(31)
    other.turn(adopt=True)
    other.run()
    assert ran.runs == 1
    assert state(other.home, known) is State.COMPLETED


def test_work_is_taken_over_at_once_after_the_machine_was_started_again(view: Views) -> None:
    before, after, ran = Clock(), Clock(), Task()
    before.advance(3600)
    dead = Control(view(before), {"t": ran}, "dead")
    (known,) = give(dead.home, "one")
    dead.turn()
    other = Control(view(after), {"t": ran}, "other")
    other.turn(adopt=True)
    other.run()
    assert ran.runs == 1
    assert state(other.home, known) is State.COMPLETED


@pytest.mark.parametrize("jump", [3600.0, -28.0, -3600.0])
def test_worker_that_slept_lets_go_of_what_was_taken_over_wherever_the_clock_was_set(view: Views, jump: float) -> None:
    clock, mine, theirs = Clock(), Task(), Task()
    home = view(clock)
    (known,) = give(home, "one", "a")
    asleep = Control(home, {"t": mine}, "unused")
    worker = Worker(home, asleep.compute, {"t"}, "asleep")
    worker._turn()
    assert asleep.compute.in_flight() == 1
    clock.turn(jump)
    other = Control(view(clock), {"t": theirs}, "other")
    other.turn(adopt=True)
    assert len(other.driver) == 0  # its lease lasts, whatever a clock says
    clock.advance(31)
    other.turn(adopt=True)
    other.run()
    worker._renew(clock.steady())  # before anything may start again
    assert len(worker._driver) == 0
    worker._turn()
    assert (mine.runs, theirs.runs) == (0, 1)
    assert state(home, known) is State.COMPLETED


def test_wait_survives_a_takeover_with_the_time_that_is_left(view: Views) -> None:
    clock, ran = Clock(), Task()
    dead = Control(view(clock), {"t": ran}, "dead")
    (known,) = give(dead.home, "wait")
    dead.run()
    clock.advance(40)
    other = Control(view(clock), {"t": ran}, "other")
    other.turn(adopt=True)
    clock.advance(19)
    other.run()
    assert ran.runs == 0
    clock.advance(1)
    other.run()
    assert ran.runs == 1
    assert state(other.home, known) is State.COMPLETED


@pytest.mark.parametrize("workflow", ["wait", "again"])
def test_takeover_after_the_clock_was_set_back_waits_no_longer_than_was_left(view: Views, workflow: str) -> None:
    clock = Clock()
    dead = Control(view(clock), {"t": Fails(1)}, "dead")
    (known,) = give(dead.home, workflow)
    dead.run()
    clock.advance(10)
    dead.run()
    clock.turn(-86_400)
    dead.home.journal.retire("dead")
    second, ran = Control(view(clock), {"t": Fails(0)}, "second"), Task()
    second.turn(adopt=True)
    second.run()
    clock.turn(-86_400)
    second.home.journal.retire("second")
    third = Control(view(clock), {"t": ran}, "third")
    third.turn(adopt=True)
    clock.advance(40)
    third.run()
    assert ran.runs == 0
    clock.advance(21)
    third.run()
    assert ran.runs == 1
    assert state(third.home, known) is State.COMPLETED


# ---------------------------------------------------------------- fencing


def test_calls_of_a_process_that_was_overtaken_are_not_made_twice(view: Views) -> None:
    clock, first, second = Clock(), Task(), Task()
    asleep = Control(view(clock), {"t": first, "u": second}, "asleep")
    (known,) = give(asleep.home, "telling")
    asleep.turn()
    clock.advance(31)
    other = Control(view(clock), {"t": first, "u": second}, "other")
    other.turn(adopt=True)
    other.run()
    assert state(other.home, known) is State.COMPLETED
    turn = asleep.turn()  # its outcome of `t` comes now, and leads to a message
    assert turn.lost
    asleep.run()
    assert len(asleep.driver) == 0
    assert asleep.home.outbox.waiting("messages")[0] == 1
    kinds = [event.type for _, event in other.home.state_db.events()]
    assert kinds.count(EventType.SUCCEEDED) == 1
    assert kinds.count(EventType.WRITE_REFUSED) == 1
    assert second.runs == 1


@pytest.mark.parametrize("noticed", [True, False])
def test_attempt_that_was_stopped_is_not_taken_for_the_one_after_it(view: Views, noticed: bool) -> None:
    clock, ran = Clock(), Task()
    first = Control(view(clock), {"t": ran}, "first")
    (known,) = give(first.home, "one")
    first.turn()
    first.home.journal.beat("first", clock.steady() - 1)
    second = view(clock)
    second.journal.beat("second", clock.steady() + 30 * SECOND)
    (taken,) = second.journal.adopt("second", clock.steady(), 9)
    if noticed:
        first.driver.drop([taken.execution_id])
    second.journal.retire("second")
    first.home.journal.beat("first", clock.steady() + 30 * SECOND)
    first.driver.apply(first._decide([], True, 9), [])
    assert first.compute.in_flight() == 1
    first.run()  # its own attempt of before comes back now, cancelled
    assert state(first.home, known) is State.COMPLETED
    assert ran.runs == 1
    assert first.home.state_db.events()[-1][1].type is EventType.SUCCEEDED


def test_overtaken_execution_takes_no_other_with_it(view: Views) -> None:
    clock, ran = Clock(), Task()
    asleep = Control(view(clock), {"t": ran}, "asleep")
    mine, theirs = give(asleep.home, "one", "a", "b")
    asleep.turn()
    clock.advance(31)
    asleep.home.journal.beat("other", clock.steady() + 30 * SECOND)
    (taken,) = asleep.home.journal.adopt("other", clock.steady(), 1)
    assert asleep.turn().lost == {taken.execution_id}
    asleep.run()
    states = {known: state(asleep.home, known) for known in (mine, theirs)}
    assert states.pop(taken.payload_id) is State.PROCESSING
    assert set(states.values()) <= {State.COMPLETED, State.PROCESSING}


@pytest.mark.parametrize("later", [31, -3600])
def test_claim_that_was_dropped_is_taken_up_by_one_worker(view: Views, later: float) -> None:
    clock, ran = Clock(), Task()
    home = view(clock)
    claim = begin(
        home.state_db,
        payload_id("a", "one"),
        clock(),
        input=b'{"features":[],"process":[{"workflow":"one"}]}',
        definition=ONE,
    )
    workers = []
    for name in ("first", "second"):
        mine = view(clock)
        workers.append(Worker(mine, Control(mine, {"t": ran}, "unused").compute, {"t"}, name))
    for worker in workers:
        worker._turn()
    assert state(home, claim.payload_id) is State.CLAIMED
    clock.turn(later - 31)
    clock.advance(31)
    for worker in workers * 4:
        worker._turn()
        clock.advance(1)
    record = home.state_db.get([claim.payload_id])[claim.payload_id]
    assert (record.state, record.executions, ran.runs) == (State.COMPLETED, claim.executions, 1)
    kinds = [event.type for _, event in home.state_db.events()]
    assert kinds == [EventType.STARTED_PROCESSING, EventType.SUCCEEDED]


def test_write_of_a_worker_that_was_overtaken_is_refused_and_told_once(view: Views) -> None:
    clock, ran = Clock(), Task()
    home = view(clock)
    (known,) = give(home, "telling")
    late = Control(home, {"t": ran, "u": ran}, "unused")
    worker = Worker(home, late.compute, {"t", "u"}, "late")
    worker._turn()
    other = view(clock)
    clock.advance(5)
    other.journal.beat("other", clock.steady() + 30 * SECOND)
    other.journal.beat("late", clock.steady() - 1)  # as after a jump of the clock that only the other one has seen
    (taken,) = other.journal.adopt("other", clock.steady(), 1)
    clock.advance(1)
    for _ in range(4):
        worker._turn()
        clock.advance(1)
    (told,) = [event for _, event in home.state_db.events() if event.type is EventType.WRITE_REFUSED]
    assert told.payload_id == known
    assert told.execution is not None
    assert told.execution.endswith(taken.execution_id)
    assert "was taken over" in str(told.error)
    assert home.state_db.execution(taken.execution_id) == taken


def test_worker_lets_go_of_what_was_taken_over_while_it_waited_to_renew_its_lease(
    view: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ran = Clock(), Task()
    home = view(clock)
    give(home, "one", "a")
    late = Control(home, {"t": ran}, "unused")
    worker = Worker(home, late.compute, {"t"}, "late")
    worker._turn()
    other, beat = Control(view(clock), {"t": ran}, "other"), home.journal.beat

    def waits(owner: str, until: int, about: str = "") -> None:
        clock.advance(21)
        other.turn(adopt=True)
        beat(owner, until, about)

    clock.advance(10)
    monkeypatch.setattr(home.journal, "beat", waits)
    worker._renew(clock.steady())
    assert len(other.driver) == 1
    assert len(worker._driver) == 0


def test_nothing_starts_in_the_last_part_of_a_lease(view: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    home = view(clock)
    compute = Control(home, {}, "unused").compute
    held: list[float] = []
    monkeypatch.setattr(compute, "hold", held.append)
    worker = Worker(home, compute, {}, "o")
    for _ in range(3):
        worker._renew(clock.steady())
        clock.advance(7)
    assert held == [26.25, 19.25, 26.25]  # of a lease of 30 s, renewed at a quarter of it


def test_worker_that_slept_starts_nothing_that_was_taken_over(view: Views) -> None:
    clock, ran = Clock(), Task()
    home = view(clock)
    give(home, "one", "a")
    asleep = Control(home, {}, "unused")
    worker = Worker(home, asleep.compute, {"t"}, "asleep")
    worker._turn()
    assert asleep.compute.in_flight() == 1
    clock.advance(31)
    other = Control(view(clock), {"t": ran}, "other")
    other.turn(adopt=True)
    other.run()
    worker._turn()
    assert asleep.compute.in_flight() == 0
    assert worker.progress.failed == 0
    assert ran.runs == 1


def test_what_was_dropped_comes_before_what_is_queued(view: Views) -> None:
    clock, ran = Clock(), Task()
    dead = Control(view(clock), {"t": ran}, "dead")
    give(dead.home, "one", *(f"old{n}" for n in range(9)))
    dead.turn()
    clock.advance(31)
    home = replace(view(clock), limits=replace(dead.home.limits, running=3, batch=3))
    give(home, "one", *(f"new{n}" for n in range(9)))
    functions: dict[str, Function] = {"t": ran}
    worker = Worker(home, Control(home, functions).compute, {"t"}, "other")
    for _ in range(8):
        worker._turn()
    ended = [event.payload_id for _, event in home.state_db.events() if event.type is EventType.SUCCEEDED]
    assert [name[-4:-1] for name in ended[:9]] == ["old"] * 9


# ---------------------------------------------------------------- deliveries


class Hook(Target):
    """Refuses the deliveries of some payloads, by an answer or by an exception."""

    def __init__(self, refuses: str, error: Exception | None = None) -> None:
        self.refuses = refuses
        self.error = error
        self.sent: list[str] = []

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        bad = [one.id for one in deliveries if one.payload_id.endswith(self.refuses)]
        if bad and self.error:
            raise self.error
        self.sent += [one.payload_id for one in deliveries if one.id not in bad]
        return {number: Failed("no") for number in bad}


@pytest.mark.parametrize("error", [None, KeyError("links"), InvalidPayload("no valid JSON")])
def test_delivery_that_keeps_failing_is_parked_after_growing_pauses(view: Views, error: Exception | None) -> None:
    clock, hook = Clock(), Hook("/a", error)
    home = replace(view(clock), targets={"hook": hook})
    control = Control(home, {"t": Task()})
    give(home, "one", "a", "b", "c")
    control.run()
    pauses: list[int] = []
    for _ in range(40):
        deliver(home, "hook", "o")
        _, due = home.outbox.waiting("hook")
        if due is None:
            break
        pauses.append((due - clock()) // SECOND)
        clock.at = due
    assert pauses[:7] == [2, 4, 8, 16, 32, 64, 128]
    assert len(hook.sent) == 6  # the three events each of b and c, sent in the first round
    (ledger,) = [one for one in home.outbox.ledger() if one.target == "hook"]
    assert (ledger.sent, ledger.waiting, ledger.parked) == (6, 0, 3)
    assert ledger.last_error
