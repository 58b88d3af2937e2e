"""Retry and Catch: which errors match, how long retries wait, what a catcher leaves."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from cirrus.asl import SetTimer, TaskError, TaskFailed, TimerFired, VirtualClock, step
from cirrus.asl.definition import Retrier
from cirrus.asl.retry import delay, matches
from tests.asl.builders import begin, chain, one, output, problem, run, task

MATCHES = [
    ("States.ALL", "Anything", True),
    ("States.ALL", "States.Timeout", True),
    ("States.ALL", "States.DataLimitExceeded", False),
    ("States.ALL", "States.Runtime", False),
    ("States.Runtime", "States.Runtime", False),
    ("States.DataLimitExceeded", "States.DataLimitExceeded", True),
    ("States.TaskFailed", "Anything", True),
    ("States.TaskFailed", "States.Timeout", False),
    ("States.TaskFailed", "States.HeartbeatTimeout", False),
    ("States.TaskFailed", "States.DataLimitExceeded", False),
    ("States.Timeout", "States.HeartbeatTimeout", True),
    ("States.HeartbeatTimeout", "States.Timeout", False),
    ("States.HeartbeatTimeout", "States.HeartbeatTimeout", True),
    ("Lambda.Unknown", "Lambda.Unknown", True),
    ("Lambda", "Lambda.Unknown", False),
]


@pytest.mark.parametrize(("name", "error", "expected"), MATCHES)
def test_matches(name: str, error: str, expected: bool) -> None:
    assert matches([name], error) is expected


def retrier(**fields: Any) -> Retrier:
    defaults = {"errors": (), "interval": 1, "attempts": 3, "rate": 2.0, "longest": None, "jitter": False}
    return Retrier(**{**defaults, **fields})


def test_delays_grow_up_to_the_longest() -> None:
    one = retrier(interval=3, rate=1.5, longest=10)
    assert [delay(one, attempt, Random(1)) for attempt in range(5)] == [3, 4.5, 6.75, 10, 10]


def test_jitter_lies_between_nothing_and_the_delay() -> None:
    one = retrier(interval=10, jitter=True)
    found = {delay(one, 1, Random(seed)) for seed in range(20)}
    assert len(found) == 20
    assert all(0 <= seconds <= 20 for seconds in found)


def test_a_delay_cannot_overflow() -> None:
    assert delay(retrier(rate=10.0), 99_999, Random(1)) < 1e9


def test_each_retry_waits_and_is_a_new_task() -> None:
    state = task(Retry=[{"ErrorEquals": ["E"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3}])
    machine, execution, (call,) = begin(one(state))
    waits, refs = [], [call.ref]
    for attempt in (1, 2):
        execution, (timer,) = step(machine, execution, TaskFailed(0.0, attempt, call.ref, "E"))
        assert isinstance(timer, SetTimer)
        waits.append(timer.at)
        execution, (call,) = step(machine, execution, TimerFired(0.0, attempt, timer.ref))
        assert call.attempt == attempt
        refs.append(call.ref)
    assert waits == [2.0, 6.0]
    assert len(set(refs)) == 3
    _, (end,) = step(machine, execution, TaskFailed(0.0, 9, call.ref, "E", "c"))
    assert (end.status, end.error, end.cause) == ("FAILED", "E", "c")


def test_retriers_count_apart_and_the_first_that_matches_decides() -> None:
    errors = ["A", "B", "A", "B", "C"]

    def fail(_: Any) -> Any:
        raise TaskError(errors.pop(0))

    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 2}, {"ErrorEquals": ["B"], "MaxAttempts": 2}]
    assert problem(one(task(Retry=retry)), tasks={"f": fail})[0] == "C"
    assert errors == []


def test_no_attempts() -> None:
    calls: list[Any] = []

    def fail(given: Any) -> Any:
        calls.append(given)
        raise TaskError("E")

    state = task(Retry=[{"ErrorEquals": ["E"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}])
    assert problem(one(state), tasks={"f": fail})[0] == "E"
    assert len(calls) == 1


def catching(catcher: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return chain(
        A=task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "B", **catcher}], Next="B", **fields),
        B={"Type": "Succeed"},
    )


def boom(_: Any) -> Any:
    raise TaskError("E", "why")


ERROR = {"Error": "E", "Cause": "why"}

CAUGHT = [
    ({}, ERROR),
    ({"ResultPath": "$.e"}, {"a": 1, "e": ERROR}),
    ({"ResultPath": None}, {"a": 1}),
]


@pytest.mark.parametrize(("catcher", "expected"), CAUGHT)
def test_catch(catcher: dict[str, Any], expected: Any) -> None:
    assert output(catching(catcher), {"a": 1}, tasks={"f": boom}) == expected


def test_catch_of_jsonata() -> None:
    catcher = {"Output": "{% $states.errorOutput.Error & ':' & $states.input.a %}"}
    assert output(catching(catcher, QueryLanguage="JSONata"), {"a": 1}, tasks={"f": boom}) == "E:1"


def test_catch_assigns() -> None:
    definition = catching({"Assign": {"seen.$": "$.Error"}})
    definition["States"]["B"] = {"Type": "Pass", "Parameters": {"v.$": "$seen"}, "End": True}
    assert output(definition, tasks={"f": boom}) == {"v": "E"}


def test_a_catcher_that_fails_ends_the_execution() -> None:
    definition = catching({"Output": "{% $nothing %}"}, QueryLanguage="JSONata")
    assert problem(definition, tasks={"f": boom})[0] == "States.QueryEvaluationError"


def test_query_errors_can_be_caught() -> None:
    definition = catching({"ResultPath": "$.e"})
    definition["States"]["A"]["ResultSelector"] = {"x.$": "States.ArrayGetItem($.l, 5)"}
    found = output(definition, {}, tasks={"f": lambda _: {"l": []}})
    assert found["e"]["Error"] == "States.IntrinsicFailure"


def test_runtime_errors_cannot_be_caught() -> None:
    definition = catching({})
    definition["States"]["A"]["Parameters"] = {"x.$": "$.nothing"}
    assert problem(definition, {})[0] == "States.Runtime"


def test_timeouts() -> None:
    clock = VirtualClock()

    def slow(_: Any) -> Any:
        clock.sleep(30)

    definition = catching({"ErrorEquals": ["States.Timeout"], "ResultPath": "$.e"}, TimeoutSecondsPath="$.s")
    assert output(definition, {"s": 20}, tasks={"f": slow}, clock=clock)["e"]["Error"] == "States.Timeout"
    assert run(definition, {"s": 40}, tasks={"f": slow}, clock=VirtualClock()).status == "SUCCEEDED"


@pytest.mark.parametrize("seconds", ["x", 0, -1, None])
def test_a_timeout_that_is_none(seconds: Any) -> None:
    definition = catching({}, TimeoutSecondsPath="$.s")
    assert problem(definition, {"s": seconds}, tasks={"f": boom})[0] == "States.Runtime"


def test_causes_are_cut_at_the_limit() -> None:
    definition = one({"Type": "Pass", "Parameters": {"x.$": "$.no"}})
    _, cause = problem(definition, {"a": "b" * 200_000})
    assert cause
    assert len(cause) == 32_768
