"""Driving chains of workflows."""

from __future__ import annotations

from cirrus.core.event import EventType
from cirrus.core.state import State
from cirrus.testing.builders import document
from cirrus.testing.home import machine
from tests.unit.driving import (
    Counted,
    Payload,
    broken,
    echo,
    kinds,
    start,
    state,
)


def test_chain_with_branches_runs_to_its_end() -> None:
    counted = {name: Counted() for name in "abcd"}

    def named(payload: Payload) -> Payload:
        for one in payload["features"]:
            one["collection"] = payload["process"][0]["workflow"]
        return payload

    tasks = {**counted, "named": named}
    workflows = {name: machine(name, "named") for name in "abcd"}
    process = [{"workflow": "a"}, [{"workflow": "b"}, {"workflow": "c"}], {"workflow": "d"}]
    control = start(workflows, tasks, document("s", process=process))
    control.run()
    assert {name: task.runs for name, task in counted.items()} == {"a": 1, "b": 1, "c": 1, "d": 2}
    assert set(control.home.state_db.count()) == {"scenes_a", "a_b", "a_c", "b_d", "c_d"}


def test_chain_that_is_filtered_empty_says_so() -> None:
    process = [{"workflow": "w"}, {"workflow": "x", "chain_filter": "@.id =~ 'none.*'"}]
    control = start({"w": machine("t"), "x": machine("t")}, {"t": echo}, document("a", process=process))
    control.run()
    assert kinds(control.home)[-2:] == [EventType.SUCCEEDED, EventType.CHAIN_ENDED]
    assert control.home.queue.depth() == 0
    assert "left no Items" in str(control.home.state_db.events()[-1][1].error)


def test_failed_workflow_ends_its_chain() -> None:
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start({"w": machine("t"), "x": machine("t")}, {"t": broken}, document("a", process=process))
    control.run()
    assert control.home.state_db.count() == {"scenes_w": {State.FAILED: 1}}


def test_output_without_its_process_still_chains() -> None:
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start(
        {"w": machine("bare"), "x": machine("t")},
        {"bare": lambda payload: {"features": payload["features"]}, "t": echo},
        document("a", process=process),
    )
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED
