"""Texts: values that nobody looks inside pass through as they came; with or without them an execution is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cirrus.asl import (
    End,
    Event,
    Machine,
    ReadItems,
    Record,
    RunTask,
    Start,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
    Text,
    WriteResults,
    answer_to_json,
    event_from_json,
    event_to_json,
    parse,
    pending,
    run,
    start_to_json,
    step,
)
from cirrus.asl.data import NotJson, admit, dump, exceeds, opened, size, text
from cirrus.asl.definition import TaskState
from cirrus.asl.execution import whole
from tests.asl.builders import CONTEXT, INVOKE, chain, fold, mapping, one, task
from tests.asl.test_data import nested
from tests.asl.test_replay import RICH, RICH_INPUT, live

ACTIVITY = "arn:aws:states:us-east-1:1:activity:a"
FIRST = {"StartAt": "X", "States": {"X": {"Type": "Pass", "End": True}}}
SECOND = {"StartAt": "Y", "States": {"Y": {"Type": "Pass", "End": True}}}
CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "A"}]
QUEUE = "arn:aws:states:::sqs:sendMessage"


def invoke(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload.$": "$"}, **fields}


def parallel(**fields: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": [FIRST, SECOND], **fields}


CLOSED: list[dict[str, Any]] = [
    task(),
    task(InputPath="$", OutputPath="$", ResultPath="$"),
    task(ResultPath=None),
    task(ResultSelector={"a.$": "$.a"}),
    task(OutputPath="$.a"),
    task(Assign={"v.$": "$.a"}),
    task(TimeoutSeconds=5, Credentials={"RoleArn": "arn:aws:iam::1:role/r"}),
    task(Retry=[{"ErrorEquals": ["E"]}], Catch=CATCH),
    {"Type": "Task", "Resource": ACTIVITY, "HeartbeatSeconds": 5},
    invoke(),
    invoke(OutputPath="$.Payload"),
    invoke(Parameters={"FunctionName": "f", "Qualifier": "1", "Payload.$": "$"}),
    parallel(),
    parallel(OutputPath="$[0]", ResultSelector={"a.$": "$[0]"}),
    parallel(ResultPath=None),
    {"Type": "Pass"},
    {"Type": "Pass", "Result": {"a": 1}},
    {"Type": "Pass", "Result": {"a": 1}, "ResultPath": None},
    {"Type": "Wait", "Seconds": 1},
    {"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z"},
    {"Type": "Succeed"},
    {"Type": "Fail", "Error": "E", "Cause": "c"},
]

OPEN: list[dict[str, Any]] = [
    task(InputPath="$.a"),
    task(InputPath=None),
    task(InputPath="$$.Execution.Input"),
    task(ResultPath="$.r"),
    task(ResultPath=None, OutputPath="$.a"),
    task(Parameters={"a.$": "$.a"}),
    task(TimeoutSecondsPath="$.seconds"),
    task(TimeoutSeconds=50, HeartbeatSecondsPath="$.seconds"),
    task(Credentials={"RoleArn.$": "$.role"}),
    task(QueryLanguage="JSONata"),
    invoke(Parameters={"FunctionName.$": "$.f", "Payload.$": "$"}),
    invoke(Parameters={"FunctionName": "f", "Payload.$": "$.a"}),
    invoke(Parameters={"FunctionName": "f", "Payload": {"a.$": "$"}}),
    invoke(Parameters={"FunctionName": "f"}),
    invoke(ResultPath="$.r"),
    {"Type": "Task", "Resource": QUEUE, "Parameters": {"QueueUrl": "q", "MessageBody.$": "$"}},
    parallel(Parameters={"a.$": "$.a"}),
    parallel(ResultPath="$.r"),
    parallel(ResultPath=None, OutputPath="$.a"),
    mapping(),
    {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "A"}]},
    {"Type": "Pass", "InputPath": "$.a"},
    {"Type": "Pass", "OutputPath": "$.a"},
    {"Type": "Pass", "Parameters": {"a": 1}},
    {"Type": "Pass", "Result": 1, "ResultPath": "$.a"},
    {"Type": "Pass", "Assign": {"v.$": "$.a"}},
    {"Type": "Wait", "SecondsPath": "$.seconds"},
    {"Type": "Wait", "TimestampPath": "$.at"},
    {"Type": "Wait", "Seconds": 1, "OutputPath": "$.a"},
    {"Type": "Wait", "Seconds": 1, "Assign": {"v.$": "$.a"}},
    {"Type": "Succeed", "OutputPath": "$.a"},
    {"Type": "Fail", "ErrorPath": "$.e"},
    {"Type": "Fail", "CausePath": "$.e"},
]


@pytest.mark.parametrize(
    ("state", "expected"), [(one_, True) for one_ in CLOSED] + [(one_, False) for one_ in OPEN], ids=json.dumps
)
def test_which_states_look_inside_their_input(state: dict[str, Any], expected: bool) -> None:
    assert parse(one(state)).scope.states["A"].opaque is expected


RESULTS = [
    (task(), True),
    (task(InputPath="$.a", Parameters={"a.$": "$.a"}), True),
    (task(ResultPath=None, OutputPath="$.a"), True),
    (task(ResultPath="$.r"), False),
    (task(OutputPath="$.Payload"), False),
    (task(ResultSelector={"a.$": "$.a"}), False),
    (task(ResultSelector={"a.$": "$.a"}, ResultPath=None), False),
    (task(Assign={"v.$": "$.a"}), False),
    (task(QueryLanguage="JSONata"), False),
    (invoke(), False),
    (invoke(OutputPath="$.Payload"), True),
    (invoke(OutputPath="$.Payload.a"), False),
    (invoke(OutputPath="$.Payload", ResultPath="$.r"), False),
    (invoke(ResultSelector={"a.$": "$.Payload"}), False),
    ({"Type": "Task", "Resource": QUEUE, "Parameters": {"QueueUrl": "q", "MessageBody": "b"}}, True),
]


@pytest.mark.parametrize(("state", "expected"), RESULTS, ids=json.dumps)
def test_which_tasks_look_inside_their_result(state: dict[str, Any], expected: bool) -> None:
    found = parse(one(state)).scope.states["A"]
    assert isinstance(found, TaskState)
    assert found.opaque_result is expected


GIVEN, GAVE = Text(b'{"a": [1,  2]}'), Text(b'{"b": {"c": null}}')


def begin_with(definition: dict[str, Any], given: Any) -> tuple[Machine, Any, list[Any]]:
    machine = parse(definition)
    state, commands = step(machine, None, Start(100.0, 1, given, CONTEXT))
    return machine, state, list(commands)


@pytest.mark.parametrize("state", [task(), {"Type": "Task", "Resource": ACTIVITY}, task(Catch=CATCH)])
def test_a_text_goes_out_as_it_came_in(state: dict[str, Any]) -> None:
    machine, execution, (call,) = begin_with(one(state), GIVEN)
    assert call.parameters is GIVEN
    assert pending(execution) == (call,)
    _, (end,) = step(machine, execution, TaskSucceeded(101.0, 1, call.ref, GAVE))
    assert end.output is GAVE


def test_a_text_is_the_payload_of_an_invocation() -> None:
    machine, execution, (call,) = begin_with(one(invoke(OutputPath="$.Payload")), GIVEN)
    assert call.parameters == {"FunctionName": "f", "Payload": GIVEN}
    _, (end,) = step(machine, execution, TaskSucceeded(101.0, 1, call.ref, GAVE))
    assert end.output is GAVE


def test_a_text_goes_through_states_and_into_branches() -> None:
    middle = parallel(Branches=[{"StartAt": "X", "States": {"X": {**task(), "End": True}}}, SECOND])
    machine, execution, (call,) = begin_with(chain(P={"Type": "Pass"}, B=middle, Z={"Type": "Succeed"}), GIVEN)
    assert call.parameters is GIVEN
    _, (end,) = step(machine, execution, TaskSucceeded(101.0, 1, call.ref, GAVE))
    assert end.output == [GAVE.value, GIVEN.value]


def test_a_text_is_decoded_where_someone_looks() -> None:
    states = chain(A=task(), B=task(Parameters={"b.$": "$.b", "i.$": "$$.Execution.Input"}, ResultPath="$.r"))
    machine, execution, (first,) = begin_with(states, GIVEN)
    execution, (second,) = step(machine, execution, TaskSucceeded(101.0, 1, first.ref, GAVE))
    assert second.parameters == {"b": {"c": None}, "i": {"a": [1, 2]}}
    _, (end,) = step(machine, execution, TaskSucceeded(102.0, 1, second.ref, GIVEN))
    assert end.output == {"b": {"c": None}, "r": {"a": [1, 2]}}


def test_a_catcher_looks_inside() -> None:
    catch = [{"ErrorEquals": ["E"], "ResultPath": "$.e", "Next": "Z"}]
    machine, execution, (call,) = begin_with(chain(A=task(Catch=catch), Z={"Type": "Succeed"}), GIVEN)
    _, (end,) = step(machine, execution, TaskFailed(101.0, 1, call.ref, "E", "why"))
    assert end.output == {"a": [1, 2], "e": {"Error": "E", "Cause": "why"}}


@pytest.mark.parametrize("value", [None, True, 5, "text", '{"a": 1}'])
def test_a_text_of_a_scalar_is_its_value(value: Any) -> None:
    machine, execution, (call,) = begin_with(one(invoke(OutputPath="$.Payload")), Text(json.dumps(value).encode()))
    _, _, (same,) = begin_with(one(invoke(OutputPath="$.Payload")), value)
    assert call == same
    if isinstance(call, RunTask):
        _, (end,) = step(machine, execution, TaskSucceeded(101.0, 1, call.ref, Text(json.dumps(value).encode())))
        assert end.output == value


# -------------------------------------------------------------------- limits


@pytest.mark.parametrize("by", [0, 1])
def test_texts_count_with_their_length(by: int) -> None:
    machine = parse(one(task()), data_limit=len(GIVEN) - by)
    execution, commands = step(machine, None, Start(1.0, 1, GIVEN, CONTEXT))
    assert execution.status == ("FAILED" if by else "RUNNING")
    machine = parse(chain(A=task(), B=task()), data_limit=max(len(GIVEN), len(GAVE)) - by)
    execution, (call,) = step(machine, None, Start(1.0, 1, {}, CONTEXT))
    execution, commands = step(machine, execution, TaskSucceeded(2.0, 1, call.ref, GAVE))  # type: ignore[union-attr]
    (last,) = commands
    assert (last.error == "States.DataLimitExceeded") if isinstance(last, End) else not by


def test_the_payload_of_an_invocation_counts() -> None:
    needed = len(GIVEN) + len(b'{"FunctionName":"f","Payload":}')
    for limit, status in ((needed, "RUNNING"), (needed - 1, "FAILED")):
        execution, _ = step(parse(one(invoke()), data_limit=limit), None, Start(1.0, 1, GIVEN, CONTEXT))
        assert execution.status == status


# -------------------------------------------------------------------- texts that are no JSON

BROKEN = Text(b'{"a": ')


@pytest.mark.parametrize(
    "state",
    [
        task(InputPath="$.a"),
        task(Parameters={"a.$": "$$.Execution.Input.a"}),
        task(Parameters={"a.$": "$"}, Catch=CATCH),
        {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "A"}]},
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input %}"},
        parallel(),
    ],
    ids=json.dumps,
)
def test_a_text_that_is_no_json_fails_who_looks_inside(state: dict[str, Any]) -> None:
    machine = parse(one(state))
    execution, commands = step(machine, None, Start(1.0, 1, BROKEN, CONTEXT), record=True)
    assert execution.status == "FAILED"
    assert isinstance(commands[-1], End)
    assert commands[-1].error == "States.Runtime"
    assert "the text is not JSON" in str(commands[-1].cause)


def test_a_broken_context_fails_a_later_state() -> None:
    states = chain(A={"Type": "Pass", "Result": {}}, B=task(Parameters={"i.$": "$$.Execution.Input"}))
    assert run(states, BROKEN).error == "States.Runtime"


def test_broken_results() -> None:
    assert run(one(task()), tasks={"f": lambda _: Text(b"no")}).cause == (
        "The task's result cannot be kept: the text is not JSON: Expecting value: line 1 column 1 (char 0)"
    )
    failing = run(chain(A=task(ResultPath="$.r")), tasks={"f": lambda _: BROKEN})
    assert (failing.status, failing.error) == ("FAILED", "States.Runtime")
    caught = chain(A=task(), B=task(Catch=[{"ErrorEquals": ["E"], "Next": "Z"}]), Z={"Type": "Succeed"})
    machine, execution, (call,) = begin_with(caught, {})
    execution, (call,) = step(machine, execution, TaskSucceeded(2.0, 1, call.ref, BROKEN))
    _, (end,) = step(machine, execution, TaskFailed(3.0, 1, call.ref, "E"))  # type: ignore[union-attr]
    assert isinstance(end, End)
    assert end.error == "States.Runtime"


# -------------------------------------------------------------------- texts as such


def test_texts_are_values() -> None:
    assert Text(b"[1]") == Text(b"[1]") != Text(b"[1] ")
    assert Text(b"[1]") != [1]
    assert len({Text(b"1"), Text(b"1")}) == 1
    assert (len(GIVEN), repr(Text(b"1"))) == (14, "Text(b'1')")
    assert GIVEN.value is GIVEN.value
    assert (opened(GIVEN), opened(3)) == ({"a": [1, 2]}, 3)
    assert admit(GIVEN) == (GIVEN, 14)
    assert admit(Text(b" {}")) == ({}, 3)


def test_texts_inside_values() -> None:
    value = {"p": GIVEN}
    assert dump(value) == b'{"p":{"a":[1,2]}}'
    assert text(GIVEN) == '{"a":[1,2]}'
    assert (size(GIVEN), size(value)) == (14, 20)
    assert dump({"n": 2**80, **value}) == b'{"n":1208925819614629174706176,"p":{"a":[1,2]}}'
    assert text({"p": BROKEN}) == "<not JSON>"
    assert not exceeds({"p": 1}, 100)


@pytest.mark.parametrize("broken", [b"", b"{", b"NaN", b"[Infinity]", b'{"a":1}x', b"\xff"])
def test_texts_that_are_not_json(broken: bytes) -> None:
    with pytest.raises(NotJson, match="not JSON"):
        assert Text(broken).value


def test_texts_are_as_deep_as_values() -> None:
    assert Text(b'"\\ud800"').value == "\ud800"
    assert Text(json.dumps(nested(250)).encode()).value == nested(250)
    for levels in (300, 100_000):
        with pytest.raises(NotJson):
            assert Text(b"[" * levels + b"]" * levels).value


@pytest.mark.parametrize(
    "event", [Start(1.5, 1, GIVEN, CONTEXT), TaskSucceeded(1.5, 1, 2, GAVE), TaskSubmitted(1.5, 1, 2, GAVE)]
)
def test_events_with_texts_go_through_json(event: Event) -> None:
    fields = event_to_json(event)
    assert event_from_json(json.loads(json.dumps(fields))) == plain(event)
    key = "i" if isinstance(event, Start) else "o"
    del fields[key]
    assert event_to_json(event, apart=True) == fields


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 1 << 63), st.integers(0, 1 << 31))
def test_start_and_answer_are_written_as_any_event(at: float, seed: int, ref: int) -> None:
    event = TaskSucceeded(at, seed, ref, GAVE)
    assert json.loads(answer_to_json(event)) == event_to_json(event, apart=True)
    start = Start(at, seed, GIVEN, CONTEXT)
    assert json.loads(start_to_json(start)) | {"c": CONTEXT} == event_to_json(start, apart=True)


def test_run_gives_values_for_texts() -> None:
    seen: list[Any] = []

    def keep(given: Any) -> Text:
        seen.append(given)
        return GAVE

    result = run(one(task()), GIVEN, tasks={"f": keep})
    assert (seen, result.output) == ([GIVEN.value], GAVE.value)


def test_what_a_task_does_to_its_input_stays_with_the_task() -> None:
    def spoil(given: Any) -> None:
        given["a"].append("spoilt")

    given: dict[str, Any] = {"a": []}
    for one_ in (given, Text(b'{"a":[]}')):
        assert run(one(task(ResultPath="$.r")), one_, tasks={"f": spoil}).output == {"a": [], "r": None}
    assert given == {"a": []}


# -------------------------------------------------------------------- the same with and without


def plain(event: Any) -> Any:
    """The event or command with what its texts hold."""
    changes = {
        name: json.loads(dump(getattr(event, name)))
        for name in ("input", "output", "parameters", "results")
        if hasattr(event, name)
    }
    return replace(event, **changes)


def with_texts(event: Event) -> Event:
    if isinstance(event, Start):
        return replace(event, input=Text(dump(event.input)))
    if isinstance(event, TaskSucceeded | TaskSubmitted):
        return replace(event, output=Text(dump(event.output)))
    return event


def assert_same(machine: Machine, events: list[Event]) -> None:
    texts = [with_texts(event) for event in events]
    for record in (False, True):
        before, after = fold(machine, events, record=record), fold(machine, texts, record=record)
        for (state, commands), (other, told) in zip(before, after, strict=True):
            assert (state.status, whole(state).counter) == (other.status, whole(other).counter)
            assert [plain(one) for one in commands] == [plain(one) for one in told]
            assert [plain(one) for one in pending(state)] == [plain(one) for one in pending(other)]
            assert not any("Text(" in repr(one) for one in told if isinstance(one, Record | ReadItems | WriteResults))
    again = fold(machine, texts)
    assert again == fold(machine, texts)
    for number in (len(events) // 2, len(events) - 1):
        state = again[number - 1][0] if number else None
        assert step(machine, state, texts[number]) == again[number]


@given(st.integers(0, 2**32))
def test_a_rich_machine_does_the_same_with_texts(seed: int) -> None:
    assert_same(RICH, live(RICH, RICH_INPUT, seed))


ITEM = {"a": {"b": 1}, "seconds": 3, "n": 1, "items": [1, {"a": 2}], "role": "arn:aws:iam::1:role/r", "e": "E"}
RETRY = [{"ErrorEquals": ["E"], "MaxAttempts": 1}]
KEPT = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Z"}]
LOST = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
SAYING = {"i.$": "$$.Execution.Input", "u.$": "States.UUID()"}
MORE: list[dict[str, Any]] = [
    task(Retry=RETRY, Catch=KEPT),
    task(Retry=RETRY, Catch=LOST, ResultPath=None),
    invoke(Retry=RETRY, Catch=KEPT, OutputPath="$.Payload"),
    {"Type": "Pass", "Parameters": SAYING},
    {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% [$states.input, $states.context.Execution.Input] %}"},
    task(QueryLanguage="JSONata", Output="{% $states.result %}"),
    parallel(Branches=[{"StartAt": "B", "States": {"B": {**task(), "End": True}}}, SECOND], Catch=KEPT),
    mapping(task(), ItemsPath="$.items", Catch=KEPT),
    mapping(task(), mode="DISTRIBUTED", ItemsPath="$.items", ToleratedFailureCount=1),
    mapping({"Type": "Pass"}, ItemSelector={"g.$": "$", **SAYING}, ItemsPath="$.items", ResultPath="$.m"),
]
STATES = [state for state in [*CLOSED, *OPEN, *MORE] if state["Type"] not in ("Choice", "Fail", "Succeed")]


def renamed(state: dict[str, Any], name: str) -> dict[str, Any]:
    """The state, its inner states renamed so that it may stand twice in a machine, its catchers leading to the end."""
    texts = json.dumps(state).replace('"Next": "A"', '"Next": "Z"')
    for inner in "XYBI":
        texts = texts.replace(f'"StartAt": "{inner}"', f'"StartAt": "{name}{inner}"').replace(
            f'"States": {{"{inner}"', f'"States": {{"{name}{inner}"'
        )
    found: dict[str, Any] = json.loads(texts)
    return found


@settings(max_examples=300)
@example([invoke(), MORE[4]], 0)  # what is passed on around a text is opened with it
@example([invoke(), task(InputPath="$.Payload")], 0)
@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=4), st.integers(0, 2**32))
def test_random_machines_do_the_same_with_texts(states: list[dict[str, Any]], seed: int) -> None:
    named = {f"S{at}": renamed(state, f"S{at}") for at, state in enumerate(states)}
    machine = parse(chain(**named, Z={"Type": "Succeed"}))
    assert_same(machine, live(machine, ITEM, seed, most=60))
