"""What states do with their data, and what the driver is asked for."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cirrus.asl import (
    Abort,
    CancelTask,
    CancelTimer,
    End,
    RunTask,
    SetTimer,
    Start,
    TaskFailed,
    TaskHeartbeat,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
    VirtualClock,
    parse,
    pending,
    run,
    step,
)
from tests.asl.builders import CONTEXT, FUNCTION, INVOKE, begin, chain, one, output, problem, task, types

PIPES = [
    ({}, {"a": 1}, {"a": 1}),
    ({"InputPath": "$.a"}, {"a": {"b": 1}}, {"b": 1}),
    ({"InputPath": None}, {"a": 1}, {}),
    ({"OutputPath": None}, {"a": 1}, {}),
    ({"OutputPath": "$.a"}, {"a": 1}, 1),
    ({"Result": 5}, {"a": 1}, 5),
    ({"Result": 5, "ResultPath": "$.r"}, {"a": 1}, {"a": 1, "r": 5}),
    ({"Result": 5, "ResultPath": None}, {"a": 1}, {"a": 1}),
    ({"Result": 5, "ResultPath": "$.r", "OutputPath": "$.r"}, {}, 5),
    ({"InputPath": "$.a", "ResultPath": "$.r"}, {"a": 1}, {"a": 1, "r": 1}),
    (
        {"Parameters": {"x.$": "$.a", "y": {"z.$": "$$.State.Name"}, "k": [1, {"v.$": "$.a"}]}},
        {"a": 1},
        {"x": 1, "y": {"z": "A"}, "k": [1, {"v": 1}]},
    ),
    (
        {"Parameters": {"id.$": "$$.Execution.Name", "in.$": "$$.Execution.Input.a"}},
        {"a": 3},
        {"id": "execution", "in": 3},
    ),
    ({"Parameters": 7}, {}, 7),
]


@pytest.mark.parametrize(("fields", "given", "expected"), PIPES)
def test_input_and_output(fields: dict[str, Any], given: Any, expected: Any) -> None:
    assert output(one({"Type": "Pass", **fields}), given) == expected


def test_task_result_goes_through_selector_path_and_output_path() -> None:
    state = task(
        InputPath="$.in",
        Parameters={"p.$": "$.x"},
        ResultSelector={"s.$": "$.p"},
        ResultPath="$.out",
        OutputPath="$.out",
    )
    assert output(one(state), {"in": {"x": 4}}, tasks={"f": lambda given: given}) == {"s": 4}


def test_lambda_invoke_wraps_the_result() -> None:
    state = {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": "f", "Payload.$": "$"},
        "OutputPath": "$.Payload",
    }
    assert output(one(state), {"a": 1}, tasks={"f": lambda given: [given]}) == [{"a": 1}]


@pytest.mark.parametrize(("payload", "sent"), [(None, {}), ("7", 7), ('{"a": 1}', {"a": 1}), ([1], [1])])
def test_payload_of_lambda_invoke(payload: Any, sent: Any) -> None:
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload": payload}}
    _, _, commands = begin(one(state))
    assert isinstance(commands[0], RunTask)
    assert commands[0].parameters == {"FunctionName": "f", "Payload": sent}


def test_payload_text_that_is_no_json_fails_the_task() -> None:
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload": "{"}}
    assert problem(one(state))[0] == "Lambda.InvalidRequestContentException"


def test_run_task_says_everything() -> None:
    machine, state, commands = begin(one(task(TimeoutSeconds=60)), {"a": 1})
    run_task, timer = commands
    assert run_task == RunTask(run_task.ref, "lambda", FUNCTION, {"a": 1}, "A", 0, None, 60, None, None)
    assert timer == SetTimer(timer.ref, 160.0, run_task.ref)
    assert list(pending(state)) == commands
    state, commands = step(machine, state, TaskSucceeded(101.0, 2, run_task.ref, 5))
    assert commands == (CancelTimer(timer.ref), End("SUCCEEDED", 5))
    assert pending(state) == ()
    assert state.status == "SUCCEEDED"


def test_task_tokens_are_each_attempts_own() -> None:
    state = {
        "Type": "Task",
        "Resource": f"{INVOKE}.waitForTaskToken",
        "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
    }
    machine, execution, commands = begin(one(state))
    first = commands[0]
    assert first.token
    assert first.parameters["Payload"]["token"] == first.token
    execution, (timer,) = step(machine, execution, TaskFailed(100.0, 2, first.ref, "No", None))
    execution, (second,) = step(machine, execution, TimerFired(101.0, 3, timer.ref))
    assert second.attempt == 1
    assert second.token not in (None, first.token)


def test_heartbeats_put_the_timer_off() -> None:
    state = {"Type": "Task", "Resource": "arn:aws:states:us-east-1:1:activity:a", "HeartbeatSeconds": 10}
    machine, execution, (call, timer) = begin(one(state))
    assert call.kind == "activity"
    assert timer.at == 110.0
    execution, (cancel, again) = step(machine, execution, TaskHeartbeat(105.0, 2, call.ref))
    assert cancel == CancelTimer(timer.ref)
    assert again.at == 115.0
    _, commands = step(machine, execution, TimerFired(115.0, 3, again.ref))
    assert commands == (CancelTask(call.ref), End("FAILED", None, "States.Timeout", None))


@pytest.mark.parametrize("name", ["States.HeartbeatTimeout", "States.Timeout", "States.ALL"])
def test_a_missed_heartbeat_is_caught_by_either_name(name: str) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:us-east-1:1:activity:a",
        "TimeoutSeconds": 60,
        "HeartbeatSeconds": 10,
        "Next": "B",
        "Catch": [
            {"ErrorEquals": ["States.TaskFailed"], "Next": "B"},
            {"ErrorEquals": [name], "ResultPath": "$.error", "Next": "C"},
        ],
    }
    machine, execution, (_, _, heartbeat) = begin(chain(A=state, B={"Type": "Fail"}, C={"Type": "Succeed"}), {})
    _, commands = step(machine, execution, TimerFired(110.0, 3, heartbeat.ref))
    assert commands[-1] == End("SUCCEEDED", {"error": {"Error": "States.Timeout", "Cause": ""}})


def test_events_that_nobody_awaits_change_nothing() -> None:
    machine, state, (call, timer) = begin(one(task(TimeoutSeconds=60)))
    for event in (
        TaskSucceeded(101.0, 2, 999, 1),
        TimerFired(101.0, 2, call.ref),
        TaskSucceeded(101.0, 2, timer.ref, 1),
        Start(101.0, 2, {}, CONTEXT),
    ):
        assert step(machine, state, event) == (state, ())
    over, _ = step(machine, state, TaskSucceeded(101.0, 2, call.ref, 1))
    for event in (TaskSucceeded(102.0, 2, call.ref, 1), TimerFired(103.0, 2, timer.ref), Abort(104.0, 1)):
        assert step(machine, over, event) == (over, ())


def test_first_event_is_start() -> None:
    with pytest.raises(ValueError, match="Start"):
        step(parse(one({"Type": "Pass"})), None, Abort(1.0, 1))


def test_abort_cancels_everything() -> None:
    machine, state, (call, timer) = begin(one(task(TimeoutSeconds=60)))
    state, commands = step(machine, state, Abort(101.0, 2, "Stopped", "by hand"))
    assert set(commands[:-1]) == {CancelTask(call.ref), CancelTimer(timer.ref)}
    assert commands[-1] == End("ABORTED", None, "Stopped", "by hand")
    assert state.status == "ABORTED"


def test_the_machines_time_is_over() -> None:
    result = run({**one({"Type": "Wait", "Seconds": 100}), "TimeoutSeconds": 50})
    assert (result.status, result.error) == ("TIMED_OUT", "States.Timeout")
    assert types(result)[-1] == "ExecutionTimedOut"


WAITS = [
    ({"Seconds": 10}, {}, 10.0),
    ({"SecondsPath": "$.s"}, {"s": 20}, 20.0),
    ({"Timestamp": "2023-11-14T22:13:50Z"}, {}, 30.0),
    ({"TimestampPath": "$.t"}, {"t": "2023-11-14T23:14:00.5+01:00"}, 40.5),
    ({"Seconds": "{% $states.input.s * 2 %}", "QueryLanguage": "JSONata"}, {"s": 20}, 40.0),
]


@pytest.mark.parametrize(("fields", "given", "expected"), WAITS)
def test_wait(fields: dict[str, Any], given: Any, expected: float) -> None:
    clock = VirtualClock()
    began = clock.now()
    assert output(one({"Type": "Wait", **fields}), given, clock=clock) == given
    assert clock.now() - began == expected


BAD_WAITS = [
    ({"SecondsPath": "$.s"}, {"s": "x"}, "States.Runtime", "cannot be parsed as a long value: $.s == x"),
    ({"SecondsPath": "$.s"}, {"s": 1.5}, "States.Runtime", "cannot be parsed as a long value: $.s == 1.5"),
    ({"SecondsPath": "$.s"}, {"s": None}, "States.Runtime", "cannot be parsed as a long value: $.s == null"),
    ({"SecondsPath": "$.s"}, {"s": -1}, "States.Runtime", "parameter references a negative value: $.s == -1"),
    ({"SecondsPath": "$.s"}, {"s": 10**8}, "States.Runtime", "between 0 and 99999999 but was: $.s == 100000000"),
    ({"TimestampPath": "$.t"}, {}, "States.Runtime", "does not reference an input value: $.t"),
    (
        {"Seconds": "{% 'x' %}", "QueryLanguage": "JSONata"},
        {},
        "States.QueryEvaluationError",
        "Expected 'number', but was 'string' for value: \"x\"",
    ),
]


@pytest.mark.parametrize(("fields", "given", "error", "words"), BAD_WAITS)
def test_wait_for_no_time(fields: dict[str, Any], given: Any, error: str, words: str) -> None:
    found, cause = problem(one({"Type": "Wait", **fields}), given)
    assert found == error
    assert cause
    assert cause.endswith(words)


FAILS = [
    ({}, {}, (None, None)),
    ({"Error": "E", "Cause": "C"}, {}, ("E", "C")),
    ({"ErrorPath": "$.e", "CausePath": "$.c"}, {"e": "E", "c": "C"}, ("E", "C")),
    ({"Error": "E", "CausePath": "States.Format('{}!', $.c)"}, {"c": "C"}, ("E", "C!")),
    ({"Error": "$.e"}, {"e": "E"}, ("$.e", None)),
    ({"Error": "{% $states.input.e %}", "QueryLanguage": "JSONata"}, {"e": "E"}, ("E", None)),
]


@pytest.mark.parametrize(("fields", "given", "expected"), FAILS)
def test_fail(fields: dict[str, Any], given: Any, expected: Any) -> None:
    assert problem(one({"Type": "Fail", **fields}), given) == expected


def test_parallel_gathers_in_order_and_gives_all_the_input() -> None:
    branches = [one({"Type": "Pass", "Parameters": {"n": n, "in.$": "$.a"}}) for n in range(3)]
    for number, branch in enumerate(branches):
        branch["States"] = {f"B{number}": branch["States"]["A"]}
        branch["StartAt"] = f"B{number}"
    state = {"Type": "Parallel", "Branches": branches, "ResultPath": "$.r"}
    assert output(one(state), {"a": 1}) == {"a": 1, "r": [{"n": n, "in": 1} for n in range(3)]}


def test_parallel_cancels_the_others_when_one_fails() -> None:
    branches = [{"StartAt": "X", "States": {"X": task(End=True)}}, {"StartAt": "Y", "States": {"Y": task(End=True)}}]
    machine, state, (first, second) = begin(one({"Type": "Parallel", "Branches": branches}))
    _, commands = step(machine, state, TaskFailed(101.0, 2, first.ref, "E", "c"))
    assert commands == (CancelTask(second.ref), End("FAILED", None, "E", "c"))


def test_variables() -> None:
    definition = chain(
        A={"Type": "Pass", "Assign": {"x.$": "$.n", "y": "fixed"}},
        B={"Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}},
        C={"Type": "Pass", "Parameters": {"x.$": "$x", "y.$": "$y"}},
    )
    assert output(definition, {"n": 1}) == {"x": "fixed", "y": 1}


def test_inner_variables_end_with_their_scope() -> None:
    inner = chain(I={"Type": "Pass", "Assign": {"in.$": "$outer"}}, J={"Type": "Pass", "Parameters": {"v.$": "$in"}})
    definition = chain(
        A={"Type": "Pass", "Assign": {"outer": 1}},
        P={"Type": "Parallel", "Branches": [inner]},
        C={"Type": "Pass", "Parameters": {"gone.$": "$in"}},
    )
    assert problem(definition)[0] == "States.Runtime"
    definition["States"]["P"].pop("Next")
    definition["States"].pop("C")
    definition["States"]["P"]["End"] = True
    assert output(definition) == [{"v": 1}]


def test_variables_have_limits() -> None:
    definition = chain(A={"Type": "Pass", "Assign": {"x": "a" * 200_000, "y": "a" * 200_000}})
    assert problem(definition)[0] == "States.DataLimitExceeded"


def test_the_context_object_counts_retries() -> None:
    seen: list[Any] = []

    def flaky(given: Any) -> Any:
        seen.append(given)
        if len(seen) < 3:
            raise ValueError("not yet")
        return "done"

    state = task(Parameters={"n.$": "$$.State.RetryCount"}, Retry=[{"ErrorEquals": ["ValueError"]}])
    assert output(one(state), tasks={"f": flaky}) == "done"
    assert seen == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_submitted_tasks_are_told_once() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {"JobName": "n", "JobQueue": "q", "JobDefinition": "d"},
    }
    machine = parse(one(state))
    execution, commands = step(machine, None, Start(1.0, 1, {}, CONTEXT))
    ref = commands[0].ref  # type: ignore[union-attr]
    execution, told = step(machine, execution, TaskSubmitted(2.0, 2, ref, {"JobId": "j"}), record=True)
    assert [command.event["type"] for command in told] == ["TaskSubmitted"]  # type: ignore[union-attr]
    _, told = step(machine, execution, TaskSucceeded(3.0, 3, ref, {"Status": "SUCCEEDED"}), record=True)
    assert [command.event["type"] for command in told[:-1]] == [
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]  # type: ignore[union-attr]


def test_nothing_a_caller_holds_is_part_of_the_state() -> None:
    given = {"a": {"deep": [1]}}
    machine, state, (call,) = begin(one(task(ResultPath="$.r")), given)
    given["a"]["deep"].append("spoilt")
    result = {"x": [1]}
    before = copy.deepcopy(pending(state))
    _, (end,) = step(machine, state, TaskSucceeded(2.0, 2, call.ref, result))
    result["x"].append(2)
    assert end.output == {"a": {"deep": [1]}, "r": {"x": [1]}}
    assert pending(state) == before


def test_resources_of_a_machine() -> None:
    inner = one({"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "g"}})
    inner["States"]["I"] = inner["States"].pop("A")
    inner["StartAt"] = "I"
    definition = chain(A=task(), P={"Type": "Parallel", "Branches": [inner]})
    assert parse(definition).resources == (
        ("/States/A", FUNCTION),
        ("/States/P/Branches/0/States/I", INVOKE),
        ("/States/P/Branches/0/States/I", "g"),
    )


NAMES = [
    ("lambda:invoke", "lambda", "invoke"),
    ("states:startExecution.sync:2", "states", "startExecution.sync:2"),
    ("sqs:sendMessage.waitForTaskToken", "sqs", "sendMessage.waitForTaskToken"),
    ("aws-sdk:s3:getObject", "aws-sdk:s3", "getObject"),
]


@pytest.mark.parametrize(("kind", "service", "action"), NAMES)
def test_names_of_a_resource(kind: str, service: str, action: str) -> None:
    from cirrus.asl.resource import names, read_resource

    assert names(kind) == {"resourceType": service, "resource": action}
    found = read_resource(f"arn:aws:states:::{kind}")
    assert found
    assert found.kind == kind


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("$.x", "No results for path: $['x']"),
        ("$.a.x", "No results for path: $['a']['x']"),
        ("$.a.l[3]", "No results for path: $['a']['l'][3]"),
        ("$.x.y", "Missing property in path $['x']"),
        ("$.a['x'].y.z", "Missing property in path $['a']['x']"),
    ],
)
@pytest.mark.parametrize("field", ["InputPath", "OutputPath"])
def test_a_path_to_nowhere_says_where_it_ends(field: str, path: str, reason: str) -> None:
    error, cause = problem(one({"Type": "Pass", field: path}), {"a": {"l": []}})
    assert error == "States.Runtime"
    assert cause
    assert cause.endswith(f"(entered at the event id #2). Invalid path '{path}' : {reason}")
