"""Driving executions whose tasks, definitions or outputs are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from cirrus.core.event import EventType
from cirrus.core.state import State
from cirrus.errors import NotFound
from cirrus.flow import query
from cirrus.testing.builders import document
from cirrus.testing.home import Control, machine, make_home, task
from tests.unit.driving import (
    Counted,
    P,
    broken,
    clock_of,
    echo,
    invalid,
    kinds,
    output,
    start,
    state,
)


@pytest.mark.parametrize(
    ("function", "expected", "event", "message"),
    [
        (broken, State.FAILED, EventType.FAILED, "ValueError: no bands"),
        (invalid, State.INVALID, EventType.INVALID, "InvalidInput: never"),
        (lambda payload: None, State.FAILED, EventType.FAILED, "InvalidOutput: task 't' returned a NoneType"),
    ],
)
def test_task_that_fails(function: Any, expected: State, event: EventType, message: str) -> None:
    control = start({"w": machine("t")}, {"t": function})
    control.run()
    record = query.record(control.home, P)
    assert record.state is expected
    assert str(record.last_error).startswith(message)
    said = control.home.state_db.events()[-1][1]
    assert (said.type, said.error) == (event, record.last_error)
    assert control.home.queue.depth() == 0
    with pytest.raises(NotFound, match="output payload"):
        query.output_payload(control.home, record)


def test_retry_waits_for_its_time() -> None:
    counted = Counted(failures=2)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 2}]
    control = start({"w": machine(t=task("t", Retry=retry))}, {"t": counted})
    clock = clock_of(control.home)
    for runs, wait in ((1, 10), (2, 20)):
        control.run()
        assert counted.runs == runs
        clock.advance(wait - 1)
        control.run()
        assert counted.runs == runs
        assert control.driver.next_timer() is not None
        clock.advance(1)
    control.run()
    assert (state(control.home), counted.runs) == (State.COMPLETED, 3)
    assert control.driver.next_timer() is None


def test_retries_that_are_used_up_fail() -> None:
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    control = start({"w": machine(t=task("t", Retry=retry))}, {"t": broken})
    control.run()
    clock_of(control.home).advance(1)
    control.run()
    assert state(control.home) is State.FAILED


def test_catch_goes_on_elsewhere() -> None:
    caught = [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "mend"}]
    control = start({"w": machine(t=task("t", Catch=caught), mend=task("mend"))}, {"t": broken, "mend": echo})
    control.run()
    assert state(control.home) is State.COMPLETED
    assert output(control.home)["error"]["Error"] == "ValueError"


def test_wait_and_timeout_of_the_workflow() -> None:
    states = machine(wait={"Type": "Wait", "Seconds": 3600, "End": True})
    control = start({"w": {**states, "TimeoutSeconds": 60}}, {})
    control.run()
    assert state(control.home) is State.PROCESSING
    clock_of(control.home).advance(60)
    control.run()
    record = query.record(control.home, P)
    assert (record.state, kinds(control.home)[-1]) == (State.FAILED, EventType.TIMED_OUT)
    assert str(record.last_error).startswith("TimedOutError: ")


def test_workflow_that_has_gone_fails_its_payload_and_no_other() -> None:
    control = start({"w": machine("t"), "x": machine("t")}, {"t": echo}, document("a"), document("a", process="x"))
    home = make_home({"x": machine("t")}, store=control.home.unit, clock=control.home.clock)  # type: ignore[arg-type]
    Control(home, {"t": echo}).run()
    assert str(query.record(home, P).last_error).startswith("Cirrus.CannotStart: no workflow 'w'")
    assert state(home, "scenes/workflow-x/a") is State.COMPLETED


def test_unknown_function_fails_with_its_name() -> None:
    control = start({"w": machine("t")}, {})
    control.run()
    assert "the project has no task 't'" in str(query.record(control.home, P).last_error)


@pytest.mark.parametrize("result", [{"url": "cirrus://test/cirrus/tmp/oversized/gone.json"}, "text", [], 5, None])
def test_workflow_whose_output_is_no_payload(result: Any) -> None:
    states = machine(p={"Type": "Pass", "Result": result, "End": True})
    control = start({"w": states, "x": machine("t")}, {"t": echo}, document("a"), document("a", process="x"))
    control.run()
    assert state(control.home) in {State.COMPLETED, State.FAILED}
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED
