"""Single states looked into, as TestState does; what is shown is what the engine does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cirrus import asl
from cirrus.errors import NotFound
from cirrus.trial.inspection import inspect, read_mock
from cirrus.trial.play import Unanswered
from cirrus.trial.spies import BadMock, Mocked, all_states

INVOKE = "arn:aws:states:::lambda:invoke"
CASES = Path(__file__).resolve().parents[3] / "shared" / "asl-cases" / "cases.jsonl"


def machine(state: dict[str, Any], **top: Any) -> asl.Machine:
    states = {"it": state, "next": {"Type": "Succeed"}, "other": {"Type": "Succeed"}}
    state.setdefault("Next", "next")
    used = {"it", *(name for name in states if f'"{name}"' in json.dumps(state))}
    return asl.parse({"StartAt": "it", "States": {name: states[name] for name in states if name in used}, **top})


def task(**more: Any) -> asl.Machine:
    given = {"FunctionName": "f", "Payload.$": "$"}
    return machine({"Type": "Task", "Resource": INVOKE, "Parameters": given, **more})


def test_every_stage_of_a_jsonpath_state() -> None:
    state = task(
        InputPath="$.in",
        Parameters={"FunctionName": "f", "Payload": {"x.$": "$.n"}},
        ResultSelector={"y.$": "$.Payload.y"},
        ResultPath="$.result",
        OutputPath="$.result",
    )
    told = inspect(state, "it", {"in": {"n": 1}, "result": 0}, mock=Mocked({"Payload": {"y": 2, "z": 3}}))
    assert told.body("DEBUG") == {
        "status": "SUCCEEDED",
        "nextState": "next",
        "output": {"y": 2},
        "inspectionData": {
            "input": {"in": {"n": 1}, "result": 0},
            "afterInputPath": {"n": 1},
            "afterParameters": {"FunctionName": "f", "Payload": {"x": 1}},
            "result": {"Payload": {"y": 2, "z": 3}},
            "afterResultSelector": {"y": 2},
            "afterResultPath": {"in": {"n": 1}, "result": {"y": 2}},
        },
    }
    assert told.body("INFO") == {"status": "SUCCEEDED", "nextState": "next", "output": {"y": 2}}
    trace = told.body("TRACE")["inspectionData"]
    assert trace["request"] == {"resource": INVOKE, "parameters": trace["afterParameters"]}
    assert trace["response"] == trace["result"]


def test_every_stage_of_a_jsonata_state() -> None:
    state = machine(
        {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": INVOKE,
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input.n + $seen %}"},
            "Output": "{% $states.result.Payload & $states.context.Execution.Name %}",
            "Assign": {"last": "{% $states.result.Payload %}"},
        }
    )
    told = inspect(
        state,
        "it",
        {"n": 1},
        mock=Mocked({"Payload": "p"}),
        variables={"seen": 4},
        context={"Execution": {"Name": "me"}},
    )
    assert told.output == "pme"
    assert told.stages == {
        "input": {"n": 1},
        "afterArguments": {"FunctionName": "f", "Payload": 5},
        "result": {"Payload": "p"},
        "variables": {"seen": 4, "last": "p"},
    }


RETRIED = {
    "Retry": [
        {"ErrorEquals": ["Never"]},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 3, "BackoffRate": 2, "MaxAttempts": 2},
    ],
    "Catch": [
        {"ErrorEquals": ["Rare"], "Next": "next"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "other"},
    ],
}


@pytest.mark.parametrize(("retries", "seconds"), [(0, 3), (1, 6)])
def test_an_error_that_is_retried(retries: int, seconds: int) -> None:
    told = inspect(task(**RETRIED), "it", {}, mock=Mocked(error="Busy", cause="full"), retries=retries)
    assert (told.status, told.error, told.cause, told.next_state) == ("RETRIABLE", "Busy", "full", None)
    assert told.stages["errorDetails"] == {"retryIndex": 1, "retryBackoffIntervalSeconds": seconds}
    assert "output" not in told.body("INFO")


def test_an_error_that_is_caught() -> None:
    told = inspect(task(**RETRIED), "it", {"n": 1}, mock=Mocked(error="Busy", cause="full"), retries=2)
    assert (told.status, told.error, told.cause, told.next_state) == ("CAUGHT_ERROR", "Busy", "full", "other")
    assert told.output == {"n": 1, "error": {"Error": "Busy", "Cause": "full"}}
    assert told.stages["errorDetails"] == {"catchIndex": 1}


def test_an_error_that_ends_it() -> None:
    told = inspect(task(), "it", {}, mock=Mocked(error="Bad"))
    assert told.body("INFO") == {"status": "FAILED", "error": "Bad"}


def test_a_stage_that_fails_shows_those_before_it() -> None:
    told = inspect(task(ResultSelector={"y.$": "$.Payload.y"}), "it", {}, mock=Mocked({"Payload": {}}))
    assert (told.status, told.error) == ("FAILED", "States.Runtime")
    assert "entered at the event id #2" in str(told.cause)
    assert list(told.stages) == ["input", "afterInputPath", "afterParameters", "result"]


def test_a_choice_shows_where_it_goes() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.n", "NumericEquals": 1, "Next": "next"},
            {"Variable": "$.n", "NumericEquals": 2, "Next": "it"},
        ],
        "Default": "other",
    }
    choosing = asl.parse(
        {
            "StartAt": "it",
            "States": {"it": choice, "next": {"Type": "Succeed"}, "other": {"Type": "Succeed"}},
        }
    )
    assert [inspect(choosing, "it", {"n": n}).next_state for n in (1, 2, 3)] == ["next", "it", "other"]


def test_states_inside_a_map_see_its_item() -> None:
    inner = {"Type": "Pass", "Parameters": {"at.$": "$$.Map.Item.Index"}, "End": True}
    flow = machine({"Type": "Map", "ItemProcessor": {"StartAt": "inner", "States": {"inner": inner}}})
    told = inspect(flow, "inner", {}, context={"Map": {"Item": {"Index": 7, "Value": "x"}}})
    assert (told.output, told.next_state) == ({"at": 7}, None)


MAP = {
    "Type": "Map",
    "ItemsPath": "$.items",
    "ItemSelector": {"v.$": "$$.Map.Item.Value"},
    "MaxConcurrency": 3,
    "ItemProcessor": {
        "StartAt": "work",
        "States": {"work": {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f"}, "End": True}},
    },
    "ResultPath": "$.done",
}


def test_a_map_with_a_mocked_result() -> None:
    told = inspect(machine(dict(MAP)), "it", {"items": [1, 2]}, mock=Mocked(["a", "b"]))
    assert told.output == {"items": [1, 2], "done": ["a", "b"]}
    assert told.stages["afterItemsPath"] == [1, 2]
    assert told.stages["afterItemSelector"] == [{"v": 1}, {"v": 2}]
    assert told.stages["maxConcurrency"] == 3


def test_a_map_with_a_mocked_error() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "other"}]
    told = inspect(machine({**MAP, "Catch": catch}), "it", {"items": [1]}, mock=Mocked(error="Bad"))
    assert (told.status, told.error, told.next_state) == ("CAUGHT_ERROR", "Bad", "other")


def test_a_parallel_with_a_mocked_result() -> None:
    branch = {"StartAt": "work", "States": MAP["ItemProcessor"]["States"]}  # type: ignore[index]
    other = {"StartAt": "rest", "States": {"rest": {"Type": "Pass", "End": True}}}
    flow = machine({"Type": "Parallel", "Branches": [branch, other]})
    assert inspect(flow, "it", {}, mock=Mocked([1, 2])).output == [1, 2]
    with pytest.raises(BadMock, match="3 elements, but the state 2 children"):
        inspect(flow, "it", {}, mock=Mocked([1, 2, 3]))
    with pytest.raises(BadMock, match="child 1"):
        inspect(flow, "it", {}, mock=Mocked([1]))
    with pytest.raises(Unanswered, match="work calls f"):
        inspect(flow, "it", {})


def test_batches_of_a_distributed_map() -> None:
    flow = machine(
        {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": "b", "Key": "k"},
            },
            "ItemBatcher": {"MaxItemsPerBatch": 2},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "same",
                "States": {"same": {"Type": "Pass", "End": True}},
            },
        }
    )
    told = inspect(flow, "it", {}, items=[1, 2, 3])
    assert told.stages["afterItemBatcher"] == [{"Items": [1, 2]}, {"Items": [3]}]


def test_what_cannot_be_mocked_is_told() -> None:
    with pytest.raises(NotFound, match="there are: it, next"):
        inspect(task(), "nowhere")
    with pytest.raises(Unanswered, match="it calls f, and there is no mock"):
        inspect(task(), "it")
    with pytest.raises(BadMock, match="Payload"):
        inspect(task(), "it", mock=Mocked(3))
    with pytest.raises(BadMock, match="Succeed state calls nothing"):
        inspect(task(), "next", mock=Mocked(3))


@pytest.mark.parametrize(
    ("value", "mock"),
    [
        ({"result": {"a": 1}}, Mocked({"a": 1})),
        ({"result": '{"a": 1}', "fieldValidationMode": "NONE"}, Mocked({"a": 1})),
        ({"result": "word"}, Mocked("word")),
        ({"errorOutput": {"error": "E", "cause": "c"}}, Mocked(error="E", cause="c")),
    ],
)
def test_mocks_are_written_as_for_teststate(value: Any, mock: Mocked) -> None:
    assert read_mock(value) == mock


@pytest.mark.parametrize(
    "value", [3, {}, {"results": 1}, {"result": 1, "errorOutput": {}}, {"errorOutput": {"error": 3}}]
)
def test_other_mocks_are_refused(value: Any) -> None:
    with pytest.raises(BadMock):
        read_mock(value)


def test_states_that_aws_recorded_do_alone_what_they_do_in_their_machine() -> None:
    if not CASES.is_file():
        pytest.skip("there are no recorded cases beside the repository")
    number = sum(_compare(json.loads(line)) for line in CASES.read_text().splitlines())
    assert number > 150


def _compare(case: dict[str, Any]) -> int:
    """Inspect every state outside of tasks as the execution came to it; gives how many there were."""
    found = asl.parse(case["definition"], machine_type=case.get("machine_type") or "STANDARD")
    run = asl.run(found, case["input"], tasks={arn: lambda _: {} for arn in case.get("lambdas", {})})
    if "$$" in json.dumps(case["definition"]) or "context" in json.dumps(case["definition"]):
        return 0
    kinds = {state.name: state.type for state in all_states(found.scope)}
    inputs: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    number = 0
    for event in run.events:
        entered, left = event.get("stateEnteredEventDetails", {}), event.get("stateExitedEventDetails", {})
        if entered.get("name") in found.scope.states:
            inputs[entered["name"]] = json.loads(entered["input"])
        name = left.get("name")
        if name not in found.scope.states:
            continue
        before = dict(variables)
        variables |= {key: json.loads(text) for key, text in left.get("assignedVariables", {}).items()}
        random = any(word in json.dumps(case["definition"]) for word in ("UUID", "Random", "random", "uuid", "$now"))
        if kinds[name] == "Task" or random:
            continue
        try:
            told = inspect(found, name, inputs[name], variables=before)
        except Unanswered:
            continue
        assert told.output == json.loads(left["output"]), (case["id"], name)
        number += 1
    return number
