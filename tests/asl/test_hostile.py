"""Definitions, inputs and events that mean harm: bounded time and memory, a clear error, never a crash."""

from __future__ import annotations

from typing import Any

import pytest

from cirrus.asl import SetTimer, Start, TaskSucceeded, TimerFired, parse, step
from tests.asl.builders import CONTEXT, begin, chain, mapping, one, output, problem, run, task, types

LOOP = {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def test_a_loop_ends_at_25_000_events() -> None:
    result = run(LOOP)
    assert (result.status, result.error) == ("FAILED", "States.Runtime")
    assert result.cause
    assert "maximum number of history events (25000)" in result.cause
    assert len(result.events) == 25_000
    assert types(result)[-1] == "ExecutionFailed"


def test_the_last_event_may_be_success() -> None:
    def rounds(count: int) -> dict[str, Any]:
        again = {"Variable": "$.n", "NumericLessThan": count, "Next": "A"}
        return {
            "StartAt": "A",
            "States": {
                "A": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "C"},
                "C": {"Type": "Choice", "Choices": [again], "Default": "E"},
                "E": {"Type": "Pass", "End": True},
            },
        }

    result = run(rounds(6_249), {"n": 0})
    assert (result.status, len(result.events)) == ("SUCCEEDED", 25_000)
    assert run(rounds(6_250), {"n": 0}).status == "FAILED"


def test_an_express_loop_ends_too() -> None:
    result = run(LOOP, machine_type="EXPRESS", record=False)
    assert result.cause == "The execution reached the maximum number of history events (250000)."


def test_loops_inside_a_distributed_map_end_each_by_itself() -> None:
    inner = {"StartAt": "X", "States": {"X": {"Type": "Pass", "Next": "Y"}, "Y": {"Type": "Pass", "Next": "X"}}}
    state = mapping(mode="DISTRIBUTED", ToleratedFailurePercentage=100)
    state["ItemProcessor"] = {**state["ItemProcessor"], **inner}
    assert output(one(state), [1, 2]) == []
    assert (
        problem(one({**state, "ToleratedFailurePercentage": 0}), [1, 2])[0] == "States.ExceedToleratedFailureThreshold"
    )


def test_a_step_gives_the_driver_its_turn() -> None:
    machine = parse(one(mapping(mode="DISTRIBUTED")), data_limit=10**9)
    state, commands = step(machine, None, Start(1.0, 1, list(range(60_000)), CONTEXT))
    turns = 0
    while state.status == "RUNNING":
        (timer,) = commands
        assert isinstance(timer, SetTimer)
        assert timer.at == 1.0
        state, commands = step(machine, state, TimerFired(1.0, 1, timer.ref))
        turns += 1
    assert turns >= 2
    assert commands[-1].output == list(range(60_000))  # type: ignore[union-attr]


@pytest.mark.parametrize("given", [nested(10_000), "x" * 300_000, float("nan"), {"a": {1, 2}}])
def test_inputs_that_cannot_be_kept(given: Any) -> None:
    result = run(one({"Type": "Pass"}), given)
    if result.status == "FAILED":
        assert result.error == "States.Runtime"
        assert result.cause
        assert "input" in result.cause
    else:
        assert result.output is None


@pytest.mark.parametrize("given", [nested(10_000), "x" * 300_000, object()])
def test_results_that_cannot_be_kept(given: Any) -> None:
    machine, state, (call,) = begin(one(task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "A"}])))
    _, commands = step(machine, state, TaskSucceeded(1.0, 1, call.ref, given))
    assert commands[-1].error in ("States.DataLimitExceeded", "States.Runtime")  # type: ignore[union-attr]


def test_data_that_doubles_meets_the_limit() -> None:
    definition = {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "Parameters": {f"k{n}.$": "$" for n in range(2_000)}, "Next": "A"}},
    }
    assert problem(definition, {"a": "x" * 1_000})[0] == "States.DataLimitExceeded"


def test_data_that_grow_deeper_meet_the_limit() -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Pass", "ResultPath": "$.a", "Next": "A"}}}
    assert run(definition, {}).error in ("States.Runtime", "States.DataLimitExceeded")


@pytest.mark.parametrize("depth", [30, 200, 10_000])
def test_deep_choice_rules(depth: int) -> None:
    rule: Any = {"Variable": "$.x", "IsNull": True}
    for _ in range(depth):
        rule = {"Not": rule}
    definition = chain(A={"Type": "Choice", "Choices": [{**rule, "Next": "B"}], "Default": "B"}, B={"Type": "Succeed"})
    if depth == 30:
        assert output(definition, {"x": None}) == {"x": None}
    else:
        from cirrus.asl import check

        assert any(finding.severity == "ERROR" for finding in check(definition))


def test_deep_scopes() -> None:
    scope: Any = {"StartAt": "S0", "States": {"S0": {"Type": "Pass", "End": True}}}
    for number in range(1, 40):
        scope = {
            "StartAt": f"S{number}",
            "States": {f"S{number}": {"Type": "Parallel", "Branches": [scope], "End": True}},
        }
    found = output(scope, 7)
    for _ in range(39):
        (found,) = found
    assert found == 7


def test_many_states() -> None:
    states = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}"} for number in range(5_000)}
    definition = {"StartAt": "S0", "States": {**states, "S5000": {"Type": "Succeed"}}}
    assert output(definition, {"a": 1}) == {"a": 1}


def test_wide_inline_maps_meet_the_history_limit() -> None:
    machine = parse(one(mapping()), data_limit=10**8)
    assert run(machine, list(range(100_000)), record=False).error == "States.Runtime"


def test_a_hundred_thousand_items() -> None:
    machine = parse(one(mapping({"Type": "Pass", "Result": 1}, mode="DISTRIBUTED")), data_limit=10**8)
    assert run(machine, list(range(100_000)), record=False).output == [1] * 100_000


@pytest.mark.parametrize("at", [0.0, -1.0, 1e12, 4e9])
def test_strange_times(at: float) -> None:
    machine = parse(one({"Type": "Wait", "Seconds": 1}))
    state, _ = step(machine, None, Start(at, 1, {}, CONTEXT))
    assert state.status in ("RUNNING", "FAILED")


@pytest.mark.parametrize("context", [{}, {"Execution": {}}, {"Execution": {"Id": None}, "StateMachine": None}])
def test_thin_contexts(context: Any) -> None:
    machine = parse(one(mapping(mode="DISTRIBUTED")))
    _, commands = step(machine, None, Start(1.0, 1, [1], context))
    assert commands[-1].output == [1]  # type: ignore[union-attr]


def test_results_that_name_lone_surrogates() -> None:
    definition = one(
        {"Type": "Pass", "Parameters": {"h.$": "States.Hash($.s, 'MD5')", "b.$": "States.Base64Encode($.s)"}}
    )
    assert problem(definition, {"s": "\ud800"})[0] == "States.IntrinsicFailure"


def test_numbers_beyond_all_bounds() -> None:
    definition = one({"Type": "Pass", "Parameters": {"r.$": "States.MathAdd(States.StringToJson('1e999'), 1)"}})
    assert problem(definition)[0] == "States.IntrinsicFailure"
    assert output(one({"Type": "Pass"}), {"n": 2**200}) == {"n": 2**200}


def test_the_history_may_end_in_any_step() -> None:
    """A task, a wait and a retry each meet the limit in the step that answers them."""
    loop = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Pass", "Next": "T"},
            "T": {**task(), "Next": "W"},
            "W": {"Type": "Wait", "Seconds": 1, "Next": "A"},
        },
    }
    result = run(loop, 1, tasks={"f": lambda given: given})
    assert (result.error, len(result.events)) == ("States.Runtime", 25_000)
    flaky = one(task(Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 99_999, "MaxDelaySeconds": 2}]))
    assert run(flaky).error == "States.Runtime"
