"""What one turn commits, and who goes on after it: takeovers and aborts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cirrus.adapters.memory.store import Store
from cirrus.core.event import EventType
from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.errors import Fenced, NotFound, StoreError
from cirrus.flow import query
from cirrus.flow.abort import NotRunning, abort
from cirrus.flow.submit import submit
from cirrus.flow.turn import Turn
from cirrus.ports.compute import Outcome
from cirrus.ports.outbox import Subscriptions
from cirrus.testing.builders import document
from cirrus.testing.home import Clock, Control, machine, make_home, task
from tests.unit.driving import (
    Counted,
    P,
    echo,
    kinds,
    output,
    start,
    state,
)


def everything(store: Store) -> Any:
    with store.reading() as tables:
        return repr(tables)


def test_end_is_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    store, counted = Store(), Counted()
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start(
        {"w": machine("t"), "x": machine("u")},
        {"t": counted, "u": echo},
        document("a", process=process),
        store=store,
        subscriptions=Subscriptions(events=("events",), items=("items",)),
    )
    control.turn()
    outcomes = control.compute.collect(0)
    before = everything(store)

    def fail(*_: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(control.home.state_db, "_write_events", fail)
        with pytest.raises(StoreError), control.home.unit.group():
            _turn(control, outcomes)
    assert everything(store) == before
    assert len(control.driver) == 1

    with control.home.unit.group():
        turn = _turn(control, outcomes)
    control.driver.apply(turn, outcomes)
    assert counted.runs == 1
    assert state(control.home) is State.COMPLETED
    assert control.home.queue.depth() == 1
    assert control.home.outbox.waiting("items")[0] == 1
    assert control.home.outbox.waiting("events")[0] == 3
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED


def test_turn_that_does_not_commit_starts_nothing() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted})
    with pytest.raises(KeyError), control.home.unit.group():  # noqa: PT012
        taken = control.home.queue.take(9, owner="o", now=0, until=9)
        assert taken
        raise KeyError
    assert (counted.runs, control.compute.in_flight()) == (0, 0)
    control.run()
    assert counted.runs == 1


def test_new_control_process_goes_on_where_the_dead_one_was() -> None:
    store, clock = Store(), Clock()
    counted = {name: Counted() for name in ("one", "two", "three")}
    home = make_home({"w": machine(*counted)}, store=store, clock=clock)
    list(submit(home, [encode(document("a", filler="x" * 200_000))]))
    dead = Control(home, counted, "dead")
    dead.turn()
    dead.turn()
    assert {name: task.runs for name, task in counted.items()} == {"one": 1, "two": 0, "three": 0}

    heir = Control(make_home({"w": machine("three")}, store=store, clock=clock), counted, "heir")
    assert not heir.turn(adopt=True).staged
    clock.advance(31)
    assert heir.turn(adopt=True).staged
    heir.run()
    assert {name: task.runs for name, task in counted.items()} == {"one": 1, "two": 1, "three": 1}
    assert state(home) is State.COMPLETED
    assert len(query.record(home, P).executions) == 1

    late = dead.turn()
    assert late.lost == {query.record(home, P).executions[0]}
    assert len(dead.driver) == 0
    assert kinds(home).count(EventType.SUCCEEDED) == 1


def test_takeover_sees_the_same_context_though_the_history_does_not_hold_it() -> None:
    seen = {"at.$": "$$.Execution.StartTime", "id.$": "$$.Execution.Id", "name.$": "$$.StateMachine.Name"}
    tell = {"Type": "Pass", "Parameters": seen, "ResultPath": "$.seen"}
    definition = {"StartAt": "first", "States": {"first": tell | {"Next": "t"}, "t": task("t", Next="second")}}
    definition["States"]["second"] = tell | {"ResultPath": "$.again", "End": True}
    store, clock = Store(), Clock()
    home = make_home({"w": definition}, store=store, clock=clock)
    list(submit(home, [encode(document("a"))]))
    Control(home, {"t": echo}, "dead").turn()
    began = clock()
    (execution_id,) = query.record(home, P).executions
    assert b"StateMachine" not in b"".join(one.event for one in home.journal.read(execution_id))
    clock.advance(31)
    heir = Control(home, {"t": echo}, "heir")
    heir.turn(adopt=True)
    heir.run()
    told = output(home)
    assert told["seen"] == told["again"]
    assert told["seen"]["at"] == iso(began)[:23] + "Z"
    assert told["seen"]["id"].endswith(f":w:{execution_id}")


def test_takeover_before_the_first_step() -> None:
    store, clock, counted = Store(), Clock(), Counted()
    home = make_home({"w": machine("t")}, store=store, clock=clock)
    list(submit(home, [encode(document("a"))]))
    from cirrus.flow.process import process

    process(home, home.queue.take(9, owner="dead", now=clock(), until=clock()), "dead", clock())
    heir = Control(home, {"t": counted}, "heir")
    heir.turn(adopt=True)
    heir.run()
    assert (state(home), counted.runs) == (State.COMPLETED, 1)


def test_takeover_keeps_timers() -> None:
    store, clock, counted = Store(), Clock(), Counted(failures=1)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100}]
    home = make_home({"w": machine(t=task("t", Retry=retry))}, store=store, clock=clock)
    list(submit(home, [encode(document("a"))]))
    dead = Control(home, {"t": counted}, "dead")
    dead.run()
    clock.advance(50)
    heir = Control(home, {"t": counted}, "heir")
    heir.turn(adopt=True)
    heir.run()
    assert counted.runs == 1
    clock.advance(50)
    heir.run()
    assert (state(home), counted.runs) == (State.COMPLETED, 2)


def test_abort_stops_the_execution_and_its_tasks() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted})
    control.turn()
    record = abort(control.home, P, "wrong scene")
    assert (record.state, record.last_error) == (State.ABORTED, "Aborted: wrong scene")
    assert kinds(control.home)[-1] is EventType.ABORTED
    control.driver.drop(control.home.journal.cancelled(control.owner))
    assert len(control.driver) == 0
    control.run()
    assert counted.runs == 0
    assert state(control.home) is State.ABORTED
    list(submit(control.home, [encode(document("a"))]))
    control.run()
    assert (state(control.home), len(query.record(control.home, P).executions)) == (State.COMPLETED, 2)


def test_abort_wins_over_an_outcome_that_comes_late() -> None:
    control = start({"w": machine("t")}, {"t": echo})
    control.turn()
    abort(control.home, P)
    turn = control.turn()
    assert turn.lost
    assert state(control.home) is State.ABORTED


def test_abort_of_what_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    control = start({"w": machine("t")}, {"t": echo})
    with pytest.raises(NotFound):
        abort(control.home, P)
    control.turn()
    with monkeypatch.context() as patch:
        patch.setattr(control.home.state_db, "conclude", lambda ends: [False])
        with pytest.raises(Fenced):
            abort(control.home, P)
    assert [event.type for _, event in control.home.state_db.events()][-1] is EventType.WRITE_REFUSED
    control.run()
    with pytest.raises(NotRunning, match="is COMPLETED"):
        abort(control.home, P)


def _turn(control: Control, outcomes: Sequence[Outcome]) -> Turn:
    now = control.home.clock()
    turn = control.driver.decide(now, outcomes=outcomes)
    control.driver.write(turn, now, outcomes=outcomes)
    return turn
