"""One execution in memory: the public, embeddable way in."""

from __future__ import annotations

from typing import Any

import pytest

from cirrus.asl import RealClock, TaskError, VirtualClock, parse, run
from cirrus.errors import InvalidDefinition
from tests.asl.builders import FUNCTION, INVOKE, mapping, one, task


@pytest.mark.parametrize("name", [FUNCTION, "f", "A"])
def test_a_task_is_found_by_arn_name_or_state(name: str) -> None:
    assert run(one(task()), 3, tasks={name: lambda given: given + 1}).output == 4


@pytest.mark.parametrize("name", ["f", FUNCTION])
def test_the_function_of_lambda_invoke(name: str) -> None:
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": FUNCTION, "Payload.$": "$"}}
    assert run(one(state), {"a": 1}, tasks={name: lambda given: given}).output["Payload"] == {"a": 1}


def test_other_resources_by_their_arn() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {"QueueUrl": "q", "MessageBody": "m"},
    }
    assert run(one(state), tasks={"arn:aws:states:::sqs:sendMessage": lambda given: given["QueueUrl"]}).output == "q"


def test_a_task_that_nobody_gave() -> None:
    result = run(one(task()))
    assert (result.status, result.error) == ("FAILED", "Lambda.ResourceNotFoundException")


def test_exceptions_are_told_as_lambda_tells_them() -> None:
    def fail(_: Any) -> Any:
        raise LookupError("not here")

    result = run(one(task()), tasks={"f": fail})
    assert result.error == "LookupError"
    assert result.cause
    assert '"errorMessage":"not here"' in result.cause


def test_errors_by_name() -> None:
    def fail(_: Any) -> Any:
        raise TaskError("Mine", "because")

    result = run(one(task()), tasks={"f": fail})
    assert (result.error, result.cause) == ("Mine", "because")


def test_tasks_take_virtual_time_side_by_side() -> None:
    clock = VirtualClock()
    began = clock.now()

    def work(given: Any) -> Any:
        clock.sleep(10)
        return given

    assert run(one(mapping(task())), [1, 2, 3], tasks={"f": work}, clock=clock).output == [1, 2, 3]
    assert clock.now() - began == 10


def test_virtual_waits_take_no_time_and_real_ones_do() -> None:
    definition = one({"Type": "Wait", "Seconds": 100_000})
    assert run(definition).status == "SUCCEEDED"
    assert run(one({"Type": "Wait", "Seconds": 0}), clock=RealClock()).status == "SUCCEEDED"


def test_runs_repeat() -> None:
    definition = one(mapping({"Type": "Pass", "Parameters": {"u.$": "States.UUID()"}}, mode="DISTRIBUTED"))
    assert run(definition, [1, 2], seed=1) == run(definition, [1, 2], seed=1)


def test_a_machine_is_compiled_once() -> None:
    machine = parse(one({"Type": "Pass"}))
    assert [run(machine, number).output for number in range(3)] == [0, 1, 2]


def test_invalid_definitions_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="StartAt"):
        run({"States": {}})


def test_without_a_history() -> None:
    assert run(one({"Type": "Pass"}), record=False).events == ()
