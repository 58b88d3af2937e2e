"""The history has the shape that Step Functions gives: every field is one that botocore's model knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.asl import run
from tests.asl.builders import INVOKE, chain, mapping, one, task, types
from tests.asl.test_replay import RICH, RICH_INPUT, live
from tests.asl.test_replay import fold as fold_steps


def shape() -> Any:
    loaders = pytest.importorskip("botocore.loaders")
    models = pytest.importorskip("botocore.model")
    service = models.ServiceModel(loaders.Loader().load_service_model("stepfunctions", "service-2"))
    return service.shape_for("HistoryEvent")


KINDS = {
    "string": str,
    "long": int,
    "integer": int,
    "boolean": bool,
    "timestamp": (int, float),
    "structure": dict,
    "map": dict,
}


def check(value: Any, model: Any, where: str) -> None:
    assert isinstance(value, KINDS[model.type_name]), (where, value)
    if model.type_name == "structure":
        assert set(value) <= set(model.members), (where, set(value) - set(model.members))
        assert set(model.required_members) <= set(value), where
        for name, below in value.items():
            check(below, model.members[name], f"{where}/{name}")
    allowed = getattr(model, "enum", None)
    assert not allowed or value in allowed, (where, value)


def boom(_: Any) -> Any:
    raise ValueError("no")


VARIETY = [
    (chain(A=task(TimeoutSeconds=5), B={"Type": "Wait", "Seconds": 1}, C={"Type": "Succeed"}), {"f": len}),
    (one({"Type": "Task", "Resource": INVOKE, "TimeoutSeconds": 5, "Parameters": {"FunctionName": "f"}}), {"f": boom}),
    (
        one(
            {
                "Type": "Task",
                "Resource": f"{INVOKE}.waitForTaskToken",
                "HeartbeatSeconds": 5,
                "Parameters": {"FunctionName": "f"},
            }
        ),
        {"f": len},
    ),
    (
        one(
            {
                "Type": "Task",
                "Resource": "arn:aws:states:us-east-1:1:activity:a",
                "TimeoutSeconds": 9,
                "HeartbeatSeconds": 5,
            }
        ),
        {"a": boom},
    ),
    (one(task()), {"f": boom}),
    (one(mapping(ItemsPath="$.l")), {}),
    (one(mapping(mode="DISTRIBUTED", ItemsPath="$.l")), {}),
    (one(mapping(task(), mode="DISTRIBUTED", ItemsPath="$.l")), {"f": boom}),
    (one({"Type": "Fail", "Error": "E", "Cause": "C"}), {}),
    (one({"Type": "Pass", "Assign": {"v": {"a": 1}, "w": None}}), {}),
    (one({"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"x": "{% $nothing %}"}}), {}),
]


@pytest.mark.parametrize(("definition", "tasks"), VARIETY)
def test_every_event_is_known_to_botocore(definition: dict[str, Any], tasks: dict[str, Any]) -> None:
    model = shape()
    for event in run(definition, {"l": [1, 2]}, tasks=tasks).events:
        check(event, model, event["type"])


def test_every_event_of_random_lives_is_known_to_botocore() -> None:
    model = shape()
    for seed in range(30):
        for _, commands in fold_steps(RICH, live(RICH, RICH_INPUT, seed), record=True):
            for command in commands:
                if hasattr(command, "event"):
                    check(command.event, model, command.event["type"])


def test_a_history_in_full() -> None:
    definition = chain(A={"Type": "Pass", "Result": 1, "ResultPath": "$.r"}, B=task(End=True))
    result = run(definition, {"ü": 1}, tasks={"f": lambda given: given["r"]})
    assert types(result) == [
        "ExecutionStarted",
        "PassStateEntered",
        "PassStateExited",
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["previousEventId"] for event in result.events] == [0, 0, 2, 3, 4, 5, 6, 7, 8]
    assert result.events[2]["stateExitedEventDetails"] == {
        "name": "A",
        "output": '{"ü":1,"r":1}',
        "outputDetails": {"truncated": False},
    }
    assert json.loads(result.events[-1]["executionSucceededEventDetails"]["output"]) == 1


def test_assigned_variables_are_told_as_texts() -> None:
    details = run(one({"Type": "Pass", "Assign": {"v": {"a": 1}}})).events[2]["stateExitedEventDetails"]
    assert details["assignedVariables"] == {"v": '{"a":1}'}
