"""Map states: order, width, failures, and what distributed mode adds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.asl import (
    CancelTask,
    End,
    ReadItems,
    Record,
    RunTask,
    SetTimer,
    TaskError,
    TaskFailed,
    TaskSucceeded,
    TimerFired,
    WriteResults,
    parse,
    result_files,
    step,
)
from cirrus.asl.failure import Failure
from cirrus.asl.items import parse_items
from tests.asl.builders import begin, chain, mapping, one, output, problem, run, task, types


def test_results_are_in_the_items_order() -> None:
    machine, state, calls = begin(one(mapping(task())), [1, 2, 3])
    for call in reversed(calls):
        state, commands = step(machine, state, TaskSucceeded(1.0, 1, call.ref, call.parameters * 10))
    assert commands == (End("SUCCEEDED", [10, 20, 30]),)


def test_no_items() -> None:
    assert output(one(mapping()), []) == []


def test_width() -> None:
    machine, state, calls = begin(one(mapping(task(), MaxConcurrency=2)), [1, 2, 3])
    assert [call.parameters for call in calls] == [1, 2]
    state, (third,) = step(machine, state, TaskSucceeded(1.0, 1, calls[1].ref, "b"))
    assert isinstance(third, RunTask)
    assert third.parameters == 3


@pytest.mark.parametrize(("mode", "width"), [("INLINE", 40), ("DISTRIBUTED", 200)])
def test_width_without_a_limit(mode: str, width: int) -> None:
    _, _, calls = begin(one(mapping(task(), mode=mode)), list(range(200)))
    assert len(calls) == width


def test_without_a_limit_children_start_by_the_handful() -> None:
    machine, state, calls = begin(one(mapping(task(), mode="DISTRIBUTED")), list(range(1_120)))
    assert len(calls) == 1_000
    started = []
    for call in calls[:120]:
        state, commands = step(machine, state, TaskSucceeded(1.0, 1, call.ref, 0))
        started.append(len([command for command in commands if isinstance(command, RunTask)]))
    assert [(at, count) for at, count in enumerate(started, 1) if count] == [(100, 100), (120, 20)]


def test_item_selector_and_context() -> None:
    state = mapping(
        ItemsPath="$.items",
        ItemSelector={"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "shared.$": "$.s"},
        ResultPath="$.out",
    )
    assert output(one(state), {"items": ["a"], "s": 1})["out"] == [{"i": 0, "v": "a", "shared": 1}]


def test_jsonata_items() -> None:
    state = mapping(
        QueryLanguage="JSONata",
        Items="{% $states.input.l[$ > 1] %}",
        ItemSelector={"v": "{% $states.context.Map.Item.Value %}"},
    )
    assert output(one(state), {"l": [1, 2, 3]}) == [{"v": 2}, {"v": 3}]


def test_one_failure_fails_an_inline_map_and_stops_the_rest() -> None:
    machine, state, calls = begin(one(mapping(task())), [1, 2, 3])
    _, commands = step(machine, state, TaskFailed(1.0, 1, calls[1].ref, "E", "c"), record=True)
    assert {command for command in commands if isinstance(command, CancelTask)} == {
        CancelTask(calls[0].ref),
        CancelTask(calls[2].ref),
    }
    told = [command.event["type"] for command in commands if hasattr(command, "event")]
    assert told == [
        "LambdaFunctionFailed",
        "MapIterationFailed",
        "TaskStateAborted",
        "MapIterationAborted",
        "TaskStateAborted",
        "MapIterationAborted",
        "TaskStateAborted",
        "MapStateFailed",
        "ExecutionFailed",
    ]
    assert commands[-1] == End("FAILED", None, "E", "c")


def test_iterations_that_run_out_of_time_together() -> None:
    """As AWS recorded it: all are timed out, one fails the Map, and what follows comes after its last event."""
    machine, state, calls = begin(one(mapping(task(TimeoutSeconds=5))), [1, 2])
    timers = [command for command in calls if isinstance(command, SetTimer)]
    _, commands = step(machine, state, TimerFired(timers[0].at, 1, timers[0].ref), record=True)
    events = [command.event for command in commands if isinstance(command, Record)]
    assert [(event["type"], event["id"], event["previousEventId"]) for event in events] == [
        ("LambdaFunctionTimedOut", 12, 8),
        ("LambdaFunctionTimedOut", 13, 11),
        ("MapIterationFailed", 14, 12),
        ("TaskStateAborted", 15, 12),
        ("MapIterationAborted", 16, 12),
        ("TaskStateAborted", 17, 12),
        ("MapStateFailed", 18, 12),
        ("ExecutionFailed", 19, 18),
    ]


def test_states_inside_a_parallel_that_fails_are_aborted() -> None:
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9, "End": True}}}
    fail = {"StartAt": "T", "States": {"T": task(End=True)}}
    inner = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [wait], "End": True}}}
    machine, state, commands = begin(one({"Type": "Parallel", "Branches": [inner, fail]}), {})
    (call,) = [command for command in commands if isinstance(command, RunTask)]
    _, commands = step(machine, state, TaskFailed(1.0, 1, call.ref, "E", "c"), record=True)
    told = [command.event["type"] for command in commands if isinstance(command, Record)]
    assert told == [
        "LambdaFunctionFailed",
        "WaitStateAborted",
        "ParallelStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]


def test_nested_maps() -> None:
    inner = one(mapping())
    inner["States"]["M"] = inner["States"].pop("A")
    state = {"Type": "Map", "ItemProcessor": {**inner, "StartAt": "M"}}
    assert output(one(state), [[1, 2], [], [3]]) == [[1, 2], [], [3]]


@pytest.mark.parametrize("items", [None, 1, "a", {"a": 1}])
def test_items_that_are_no_array(items: Any) -> None:
    assert problem(one(mapping(ItemsPath="$.x")), {"x": items})[0] == "States.Runtime"


@pytest.mark.parametrize("width", ["x", -1, 1.5, None, []])
def test_a_width_that_is_none(width: Any) -> None:
    assert (
        problem(one(mapping(ItemsPath="$.x", MaxConcurrencyPath="$.w")), {"x": [1], "w": width})[0] == "States.Runtime"
    )


def flaky(given: Any) -> Any:
    if given % 2:
        raise TaskError("Odd", str(given))
    return given


TOLERANCE = [
    ({}, False),
    ({"ToleratedFailureCount": 5}, True),
    ({"ToleratedFailureCount": 4}, False),
    ({"ToleratedFailurePercentage": 50}, True),
    ({"ToleratedFailurePercentage": 49}, False),
    ({"ToleratedFailurePercentage": 50.5}, True),
    ({"ToleratedFailurePercentage": 49.9}, False),
    ({"ToleratedFailureCount": 9, "ToleratedFailurePercentage": 40}, False),
]


@pytest.mark.parametrize(("fields", "tolerated"), TOLERANCE)
def test_tolerated_failures(fields: dict[str, Any], tolerated: bool) -> None:
    result = run(one(mapping(task(), mode="DISTRIBUTED", **fields)), list(range(10)), tasks={"f": flaky})
    if tolerated:
        assert result.output == [0, 2, 4, 6, 8]
        assert "MapRunSucceeded" in types(result)
    else:
        assert result.error == "States.ExceedToleratedFailureThreshold"
        assert "MapRunFailed" in types(result)


def test_children_of_a_distributed_map_are_executions_of_their_own() -> None:
    inner = {
        "Type": "Pass",
        "Parameters": {"id.$": "$$.Execution.Id", "in.$": "$$.Execution.Input", "m.$": "$$.StateMachine.Name"},
    }
    found = output(one(mapping(inner, mode="DISTRIBUTED", Label="L")), [{"a": 1}, {"a": 2}])
    assert [one["in"] for one in found] == [{"a": 1}, {"a": 2}]
    assert len({one["id"] for one in found}) == 2
    assert all(":execution:machine/L:" in one["id"] for one in found)
    assert found[0]["m"] == "machine/L"


def test_variables_do_not_reach_a_distributed_child() -> None:
    definition = chain(
        A={"Type": "Pass", "Assign": {"v": 1}},
        M=mapping({"Type": "Pass", "Parameters": {"v.$": "$v"}}, mode="DISTRIBUTED", ItemsPath="$.l"),
    )
    assert problem(definition, {"l": [1]})[0] == "States.ExceedToleratedFailureThreshold"


BATCHES = [
    ({"MaxItemsPerBatch": 2}, [{"Items": [1, 2]}, {"Items": [3]}]),
    ({"MaxInputBytesPerBatch": 16}, [{"Items": [1, 2]}, {"Items": [3]}]),
    ({"MaxItemsPerBatch": 9, "BatchInput": {"k.$": "$.k"}}, [{"BatchInput": {"k": "v"}, "Items": [1, 2, 3]}]),
    ({"MaxItemsPerBatchPath": "$.n"}, [{"Items": [1]}, {"Items": [2]}, {"Items": [3]}]),
]


@pytest.mark.parametrize(("batcher", "expected"), BATCHES)
def test_batches(batcher: dict[str, Any], expected: Any) -> None:
    state = mapping(mode="DISTRIBUTED", ItemsPath="$.l", ItemBatcher=batcher)
    assert output(one(state), {"l": [1, 2, 3], "k": "v", "n": 1}) == expected


LIMITS = [
    (
        "MaxConcurrency",
        "NoNumber",
        'The MaxConcurrencyPath field refers to value "NoNumber" which is not a valid integer',
    ),
    ("MaxConcurrency", 1.5, 'The MaxConcurrencyPath field refers to value "1.5" which is not a valid integer'),
    ("MaxConcurrency", -1, "Expected non-negative integer for MaxConcurrency, got '-1' instead."),
    ("ToleratedFailureCount", {"a": 1}, 'The ToleratedFailureCountPath field refers to value "{"a":1}" which is not'),
    ("ToleratedFailureCount", -1, "ToleratedFailureCount cannot be negative."),
    ("ToleratedFailurePercentage", True, 'refers to value "true" which is not a valid float: $.n'),
    ("ToleratedFailurePercentage", 100.1, "ToleratedFailurePercentage must be between 0 and 100."),
]


@pytest.mark.parametrize(("field", "found", "words"), LIMITS)
def test_a_limit_that_is_none(field: str, found: Any, words: str) -> None:
    definition = one(mapping(mode="DISTRIBUTED", ItemsPath="$.l", **{f"{field}Path": "$.n"}))
    error, cause = problem(definition, {"l": [1], "n": found})
    assert error == "States.Runtime"
    assert cause
    assert words in cause
    jsonata = one(mapping(mode="DISTRIBUTED", **{field: f"{{% {json.dumps(found)} %}}"}), QueryLanguage="JSONata")
    assert problem(jsonata, [1])[0] == "States.QueryEvaluationError"


def reading(**fields: Any) -> dict[str, Any]:
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON", "MaxItemsPath": "$.n"},
        "Parameters": {"Bucket": "b", "Key.$": "$.key"},
    }
    return one(mapping(mode="DISTRIBUTED", ItemReader=reader, **fields))


def test_reader() -> None:
    machine, state, (command,) = begin(reading(), {"key": "k", "n": 2})
    assert isinstance(command, ReadItems)
    assert (command.kind, command.parameters) == ("s3:getObject", {"Bucket": "b", "Key": "k"})
    assert command.config == {"InputType": "JSON", "MaxItems": 2}
    _, (end,) = step(machine, state, TaskSucceeded(1.0, 1, command.ref, "[1, 2, 3]"))
    assert end.output == [1, 2]


def test_a_reader_that_fails() -> None:
    machine, state, (command,) = begin(reading(), {"key": "k", "n": 2})
    _, (end,) = step(machine, state, TaskFailed(1.0, 1, command.ref, "S3.NoSuchKey", "gone"))
    assert end.error == "States.ItemReaderFailed"
    _, (end,) = step(machine, state, TaskSucceeded(1.0, 1, command.ref, "{"))
    assert end.error == "States.ItemReaderFailed"


def test_the_map_run_is_there_while_its_items_are_read() -> None:
    def told(content: Any) -> list[str]:
        events = run(reading(), {"key": "k", "n": 2}, tasks={"s3:getObject": lambda _: content}).events
        assert events[2]["mapStateStartedEventDetails"] == {"length": 0}
        return [event["type"].removeprefix("Map") for event in events[2:]]

    begun = ["StateStarted", "RunStarted"]
    assert told([1, 2]) == [*begun, "RunSucceeded", "StateSucceeded", "StateExited", "ExecutionSucceeded"]
    assert told("{") == [*begun, "RunFailed", "StateFailed", "ExecutionFailed"]


def test_a_map_run_that_succeeded_stays_so() -> None:
    tasks = {"s3:getObject": lambda _: []}
    result = run(reading(OutputPath="$.nothing"), {"key": "k", "n": 2}, tasks=tasks)
    assert types(result)[-4:] == ["MapRunSucceeded", "MapStateSucceeded", "MapStateFailed", "ExecutionFailed"]


def test_a_writer_that_fails_fails_the_map_run() -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}}

    def refuse(_: Any) -> Any:
        raise TaskError("S3.AccessDenied", "no")

    result = run(one(mapping(mode="DISTRIBUTED", ResultWriter=writer)), [1], tasks={"s3:putObject": refuse})
    assert (result.error, result.cause) == ("States.ResultWriterFailed", "S3.AccessDenied: no")
    assert types(result)[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


def test_writer() -> None:
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "b", "Prefix": "p"},
        "WriterConfig": {"OutputType": "JSONL", "Transformation": "COMPACT"},
    }
    state = mapping(task(), mode="DISTRIBUTED", ResultWriter=writer, ToleratedFailureCount=1)
    machine, execution, calls = begin(one(state), [1, 2])
    execution, _ = step(machine, execution, TaskFailed(1.0, 1, calls[0].ref, "E", "c"))
    execution, (command,) = step(machine, execution, TaskSucceeded(1.0, 1, calls[1].ref, {"r": 2}))
    assert isinstance(command, WriteResults)
    assert [record["Status"] for record in command.results] == ["FAILED", "SUCCEEDED"]
    files = result_files(command)
    contents = {key.rpartition("/")[2]: text for key, text in files.items()}
    assert contents["SUCCEEDED_0.jsonl"] == '{"r":2}'
    assert contents["FAILED_0.jsonl"] == '{"Error":"E","Cause":"c"}'
    assert list(contents)[-1] == "manifest.json"
    _, (end,) = step(machine, execution, TaskSucceeded(2.0, 2, command.ref, {}))
    assert end.output["ResultWriterDetails"]["Key"] in files
    assert end.output["MapRunArn"] == command.label


def test_a_writer_without_a_store_shapes_the_output() -> None:
    writer = {"WriterConfig": {"Transformation": "FLATTEN"}}
    assert output(one(mapping(mode="DISTRIBUTED", ResultWriter=writer)), [[1, 2], [3], 4]) == [1, 2, 3, 4]


READ = [
    ("[1, 2]", {"InputType": "JSON"}, [1, 2]),
    ('{"a": {"b": [1]}}', {"InputType": "JSON", "ItemsPointer": "/a/b"}, [1]),
    ('{"a": 1}\n\n{"a": 2}\n', {"InputType": "JSONL"}, [{"a": 1}, {"a": 2}]),
    ('a,b\n1,"x,y"\n2\n', {"InputType": "CSV"}, [{"a": "1", "b": "x,y"}, {"a": "2", "b": ""}]),
    (
        "1|2\n",
        {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"], "CSVDelimiter": "PIPE"},
        [{"a": "1", "b": "2"}],
    ),
    ([1, 2, 3], {"MaxItems": 1}, [1]),
    ([1, 2, 3], {"MaxItems": 0}, [1, 2, 3]),
    ([1, 2, 3], {"MaxItems": 2.0}, [1, 2]),
    ([1, 2, 3], {"MaxItems": 100_000_001}, [1, 2, 3]),
    ('{"a": 1, "b": 2}', {"MaxItems": 1}, {"a": 1}),
    ('{"a": "\u2028"}\n', {"InputType": "JSONL"}, [{"a": "\u2028"}]),
    ("a,b\n   \n", {"InputType": "CSV"}, [{"a": "   ", "b": ""}]),
    ("H1,\n1,2,3\n,,,\n", {"InputType": "CSV"}, [{"H1": "1", "": "2"}, {"H1": "", "": ""}]),
    ("0,True,{}\n1,2,3\n", {"InputType": "CSV"}, [{"0": "1", "True": "2", "{}": "3"}]),
]


@pytest.mark.parametrize(("content", "config", "expected"), READ)
def test_items_of_a_file(content: Any, config: dict[str, Any], expected: Any) -> None:
    assert parse_items(content, config) == expected


@pytest.mark.parametrize(
    ("content", "config"),
    [
        ("{", {}),
        ("5", {}),
        ("[]", {"ItemsPointer": "/a"}),
        ("x", {"InputType": "PARQUET"}),
        (5, {}),
        ("[" * 100_000, {}),
        ("a,a\n1,2\n", {"InputType": "CSV"}),
        ("[1]", {"MaxItems": -1}),
        ("[1]", {"MaxItems": 1.5}),
        ("[1]", {"MaxItems": "x"}),
        ("[1]", {"MaxItems": True}),
    ],
)
def test_files_that_hold_no_items(content: Any, config: dict[str, Any]) -> None:
    with pytest.raises(Failure) as failure:
        parse_items(content, config)
    assert failure.value.error == "States.ItemReaderFailed"


OBJECT = {"b": 2, "a": {"x": 1}}
PLACE = {
    "k.$": "$$.Map.Item.Key",
    "v.$": "$$.Map.Item.Value",
    "i.$": "$$.Map.Item.Index",
    "s.$": "$$.Map.Item.Source",
}


def test_a_distributed_map_over_an_object() -> None:
    assert output(one(mapping(mode="DISTRIBUTED")), OBJECT) == [
        {"Key": "b", "Value": 2},
        {"Key": "a", "Value": {"x": 1}},
    ]
    assert output(one(mapping(mode="DISTRIBUTED", ItemSelector=PLACE)), OBJECT)[1] == {
        "k": "a",
        "v": {"x": 1},
        "i": 1,
        "s": "STATE_DATA",
    }
    batched = mapping(mode="DISTRIBUTED", ItemBatcher={"MaxItemsPerBatch": 5})
    assert output(one(batched), OBJECT) == [{"Items": [{"Key": "b", "Value": 2}, {"Key": "a", "Value": {"x": 1}}]}]
    expressed = mapping(mode="DISTRIBUTED", QueryLanguage="JSONata", Items="{% $states.input %}")
    assert output(one(expressed), OBJECT)[0] == {"Key": "b", "Value": 2}
    fixed = mapping(mode="DISTRIBUTED", QueryLanguage="JSONata", Items={"a": "{% $states.input.b + 1 %}"})
    assert output(one(fixed), OBJECT) == [{"Key": "a", "Value": 3}]


def test_an_inline_map_over_an_object_fails() -> None:
    assert problem(one(mapping()), OBJECT)[0] == "States.Runtime"
    state = mapping(QueryLanguage="JSONata", Items="{% $states.input %}")
    error, cause = problem(one(state), OBJECT)
    assert error == "States.QueryEvaluationError"
    assert cause
    assert "Expected 'array', but was 'object'" in cause


@pytest.mark.parametrize(
    ("kind", "parameters", "source"),
    [
        ("getObject", {"Bucket": "b", "Key": "k/items.json"}, "s3://b/k/items.json"),
        ("listObjectsV2", {"Bucket": "b", "Prefix": "k"}, "s3://b"),
    ],
)
def test_the_source_of_items_that_were_read(kind: str, parameters: dict[str, Any], source: str) -> None:
    reader = {"Resource": f"arn:aws:states:::s3:{kind}", "Parameters": parameters}
    if kind == "getObject":
        reader["ReaderConfig"] = {"InputType": "JSON"}
    state = mapping(mode="DISTRIBUTED", ItemReader=reader, ItemSelector={"s.$": "$$.Map.Item.Source"})
    assert output(one(state), {}, tasks={f"s3:{kind}": lambda given: [1]}) == [{"s": source}]


def test_a_retried_map_starts_over() -> None:
    calls: list[Any] = []

    def second_time(given: Any) -> Any:
        calls.append(given)
        if len(calls) < 3:
            raise TaskError("E")
        return given

    state = mapping(task(), MaxConcurrency=1, Retry=[{"ErrorEquals": ["E"]}])
    assert output(one(state), ["a", "b"], tasks={"f": second_time}) == ["a", "b"]
    assert calls == ["a", "a", "a", "b"]


def test_data_limit_of_a_result() -> None:
    machine = parse(one(mapping({"Type": "Pass", "Result": "x" * 10_000})))
    assert run(machine, list(range(40))).error == "States.DataLimitExceeded"
