"""Workflows played in memory: mocks, cases in both formats, verdicts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus import asl
from cirrus.errors import InvalidDefinition
from cirrus.trial.answers import Answer, answer_to
from cirrus.trial.cases import Case, read_cases
from cirrus.trial.differences import ABSENT, differences
from cirrus.trial.judge import Verdict, judge
from cirrus.trial.play import Unanswered, names_of, play

INVOKE = "arn:aws:states:::lambda:invoke"
FETCH = "arn:aws:lambda:us-east-1:123456789012:function:fetcher"
FLOW: dict[str, Any] = {
    "StartAt": "fetch",
    "States": {
        "fetch": {
            "Type": "Task",
            "Resource": INVOKE,
            "Parameters": {"FunctionName": FETCH, "Payload.$": "$"},
            "OutputPath": "$.Payload",
            "TimeoutSeconds": 100,
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 5, "MaxAttempts": 2}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "failure"}],
            "Next": "each",
        },
        "each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": {
                "StartAt": "one",
                "States": {"one": {"Type": "Task", "Resource": FETCH.replace("fetcher", "oner"), "End": True}},
            },
            "End": True,
        },
        "failure": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    },
}
MACHINE = asl.parse(FLOW)


def cases(text: str, files: dict[str, bytes] | None = None) -> list[Case]:
    def read(name: str) -> bytes:
        if name not in (files or {}):
            raise FileNotFoundError(name)
        return (files or {})[name]

    return read_cases(text.encode(), "flow.test.yaml", FLOW, "flow", read)


def verdict(text: str, given: Any = None) -> Verdict:
    (case,) = cases(text)
    return judge(MACHINE, case, {} if given is None else given)


# ---------------------------------------------------------------- answers


def test_answers_come_one_after_another_and_the_last_for_ever() -> None:
    answers = (Answer(1, times=2), Answer(2), Answer(3))
    values = [one.value for n in range(6) if (one := answer_to(answers, n))]
    assert values == [1, 1, 2, 3, 3, 3]


def test_answers_with_a_number_run_out() -> None:
    assert answer_to((Answer(1), Answer(2, times=1)), 2) is None
    assert answer_to((), 0) is None


@pytest.mark.parametrize(
    ("name", "names"),
    [
        (FETCH, ("fetcher", FETCH)),
        (f"{FETCH}:live", ("fetcher", f"{FETCH}:live")),
        ("${resize}", ("resize", "${resize}")),
        ("cog", ("cog",)),
        ("arn:aws:batch:r:1:job-definition/cog:3", ("cog", "arn:aws:batch:r:1:job-definition/cog:3")),
        ("arn:aws:states:r:1:stateMachine:flow", ("flow", "arn:aws:states:r:1:stateMachine:flow")),
    ],
)
def test_what_is_called_has_a_short_name(name: str, names: tuple[str, ...]) -> None:
    assert names_of(name) == names


# ---------------------------------------------------------------- play


def test_retries_take_virtual_time_only() -> None:
    mocks = {"fetcher": (Answer(error="Busy", times=2), Answer({"items": [1, 2]})), "one": (Answer(echo=True),)}
    played = play(MACHINE, {"n": 1}, mocks)
    assert (played.status, played.output) == ("SUCCEEDED", [1, 2])
    assert played.path == ["fetch", "each", "one", "one"]
    assert [(call.state, call.task, call.at) for call in played.calls[:3]] == [
        ("fetch", "fetcher", 0.0),
        ("fetch", "fetcher", 5.0),
        ("fetch", "fetcher", 15.0),
    ]
    assert played.calls[0].input == {"n": 1}


def test_functions_answer_with_the_input_and_fail_as_lambda_does() -> None:
    def broken(given: Any) -> Any:
        raise KeyError(given["n"])

    played = play(MACHINE, {"n": "red"}, {"fetch": broken})
    assert (played.status, played.error) == ("FAILED", "KeyError")
    assert "red" in str(played.cause)
    failed = play(MACHINE, {}, {"fetch": lambda _: (_ for _ in ()).throw(asl.TaskError("Mine", "so"))})
    assert (failed.error, failed.cause) == ("Mine", "so")


def test_a_late_answer_is_a_timeout() -> None:
    played = play(MACHINE, {}, {"fetch": (Answer({}, after=101),)})
    assert played.error == "States.Timeout"


def test_a_call_without_a_mock_stops_even_where_errors_are_caught() -> None:
    with pytest.raises(Unanswered, match="fetch calls fetcher, and there is no mock for it"):
        play(MACHINE, {}, {})
    with pytest.raises(Unanswered, match="has no answer to call 2"):
        play(MACHINE, {}, {"fetch": (Answer(error="Busy", times=1),)})


def test_trials_repeat() -> None:
    mocks = {"fetch": (Answer({"items": [1]}),), "one": (Answer(echo=True),)}
    assert play(MACHINE, {}, mocks).events == play(MACHINE, {}, mocks).events


def test_the_reader_of_a_distributed_map_is_mocked_by_its_state() -> None:
    flow = {
        "StartAt": "all",
        "States": {
            "all": {
                "Type": "Map",
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:getObject",
                    "ReaderConfig": {"InputType": "JSON"},
                    "Parameters": {"Bucket": "b", "Key": "k"},
                },
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "same",
                    "States": {"same": {"Type": "Pass", "End": True}},
                },
                "End": True,
            }
        },
    }
    assert play(asl.parse(flow), {}, {"all": (Answer([1, 2]),)}).output == [1, 2]


# ---------------------------------------------------------------- cases


def test_a_case_passes() -> None:
    told = verdict("""
mocks: { one: { echo: true } }
cases:
  good:
    comment: said in passing
    input: { n: 1 }
    mocks: { fetch: [{ throw: Busy }, { return: { items: [{ id: a, x: 1 }] } }] }
    expect: { output_includes: [{ id: a }], path: [fetch, each, one] }
""")
    assert told.passed
    assert told.played is not None
    assert told.played.calls[0].input == {"n": 1}


def test_a_case_tells_every_difference() -> None:
    told = verdict("""
cases:
  bad:
    mocks: { fetch: { throw: { error: Bad, cause: because } } }
    expect: { status: SUCCEEDED, error: Worse, cause: cause, path: [fetch], output: 3 }
""")
    assert [(one.what, one.pointer) for one in told.differences] == [
        ("status", ""),
        ("error", ""),
        ("path", ""),
        ("output", ""),
    ]
    assert told.differences[0].found == "FAILED: Bad: because"


def test_success_is_expected_unless_said_otherwise() -> None:
    failing = "cases: { a: { mocks: { fetch: { throw: Bad } }, expect: { %s } } }"
    assert not verdict(failing % "").passed
    assert verdict(failing % "error: Bad").passed
    assert verdict(failing % "status: FAILED").passed


def test_a_call_without_a_mock_fails_the_case() -> None:
    told = verdict("cases: { a: {} }")
    assert not told.passed
    assert told.problem == "fetch calls fetcher, and there is no mock for it"


def test_inputs_come_from_files_too() -> None:
    (case,) = cases("cases: { a: { input_file: in.json } }", {"in.json": b'{"n": 2}'})
    assert case.input == {"n": 2}


BAD = {
    "3": "neither a JSON nor a YAML object",
    "a: [": "line 1, column",
    '{"cases": {"a": }': "line 1, column 17",
    "cases: {}": "at least one case",
    "cases: 3": "/cases",
    "cases: { a: 3 }": "/cases/a",
    "cases: { a: {} }\nmock: {}": "did you mean mocks?",
    "cases: { a: { mocks: { fetcher: 1 } } }": "/cases/a/mocks/fetcher",
    "cases: { a: { mocks: { fetch: [] } } }": "at least one answer",
    "cases: { a: { mocks: { fetch: [{ return: 1 }, { throw: 3 }] } } }": "/cases/a/mocks/fetch/1/throw",
    "cases: { a: { mocks: { fetch: { throw: { error: x, cause: 3 } } } } }": "/throw/cause",
    "cases: { a: { mocks: { fetch: { return: 1, times: true } } } }": "/times",
    "cases: { a: { mocks: { fetch: { return: 1, after: soon } } } }": "/after",
    "cases: { a: { mocks: { fetch: { echo: 1 } } } }": "/echo",
    "cases: { a: { mocks: { fetch: {} } } }": "one of return, throw, echo",
    "cases: { a: { mocks: { ones: { echo: true } } } }": "did you mean 'one'? There are: fetch, fetcher, one, oner",
    "cases: { a: { mocks: { failure: { echo: true } } } }": "'failure' is a Fail state",
    "cases: { a: { expect: { status: DONE } } }": "SUCCEEDED, FAILED",
    "cases: { a: { expect: { path: fetch } } }": "/expect/path",
    "cases: { a: { expect: { path: [fetch, nowhere] } } }": "no state is named 'nowhere'",
    "cases: { a: { expect: { error: 3 } } }": "/expect/error",
    "cases: { a: { expect: [] } }": "/expect",
    "cases: { a: { input: 1, input_file: x } }": "either input or input_file",
    "cases: { a: { input_file: x } }": "cannot be read as JSON",
}


@pytest.mark.parametrize("text", BAD)
def test_a_wrong_file_is_told(text: str) -> None:
    with pytest.raises(InvalidDefinition) as caught:
        cases(text)
    assert BAD[text] in str(caught.value)
    assert str(caught.value).startswith("flow.test.yaml: ERROR INVALID_TEST")


def test_all_that_is_wrong_is_told_with_its_line() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        cases("cases:\n  a:\n    inputs: 1\n    mocks:\n      no: { echo: true }\n    expect: { status: X }\n")
    assert [one.line for one in caught.value.diagnostics] == [3, 5, 6]


# ---------------------------------------------------------------- Step Functions Local


def config(**responses: Any) -> str:
    chosen = {"fetch": "Fetched", "one": "One"}
    ready = {"One": {"0-9": {"Return": "done"}}}
    machines = {"flow": {"TestCases": {"Happy": chosen}}}
    return json.dumps({"StateMachines": machines, "MockedResponses": {**ready, **responses}})


def test_mock_config_files_are_read() -> None:
    busy = {"Throw": {"Error": "Busy", "Cause": "x"}}
    text = config(Fetched={"0-1": busy, "2": {"Return": {"StatusCode": 200, "Payload": {"items": [1, 2]}}}})
    told = verdict(text, {"given": 1})
    assert told.passed
    assert told.played is not None
    assert (told.played.output, told.played.calls[0].input) == (["done", "done"], {"given": 1})


def test_a_mock_config_that_runs_out_fails_the_case() -> None:
    told = verdict(config(Fetched={"0": {"Throw": {"Error": "Busy"}}}))
    assert told.problem == "fetch calls fetcher, and its mock has no answer to call 2"


BAD_CONFIG: dict[str, Any] = {
    "lambda:invoke returns an object with a Payload": {"0": {"Return": {"items": []}}},
    "not 'first'": {"first": {"Return": {"Payload": 1}}},
    "the answer to call 1 is expected next, not to call 2": {
        "0": {"Return": {"Payload": 1}},
        "2-3": {"Return": {"Payload": 1}},
    },
    "either Return or Throw": {"0": {}},
    "Error, a text": {"0": {"Throw": {"Cause": "x"}}},
}


@pytest.mark.parametrize("message", BAD_CONFIG)
def test_a_wrong_mock_config_is_told(message: str) -> None:
    with pytest.raises(InvalidDefinition, match=message):
        cases(config(Fetched=BAD_CONFIG[message]))


def test_names_of_a_mock_config_are_held_to_the_workflow() -> None:
    with pytest.raises(InvalidDefinition, match=r"no mocked response is named 'Fetched'; there are: One"):
        cases(config())
    with pytest.raises(InvalidDefinition, match="no state machine is named 'flow'; there are: other"):
        cases('{"StateMachines": {"other": {"TestCases": {}}}, "MockedResponses": {}}')
    with pytest.raises(InvalidDefinition, match="no state is named 'x'"):
        cases('{"StateMachines": {"flow": {"TestCases": {"a": {"x": "y"}}}}, "MockedResponses": {}}')


# ---------------------------------------------------------------- differences


def test_differences_are_found_place_by_place() -> None:
    found = list(differences("output", {"a": [1, {"b": 1}], "c": True}, {"a": [1.0, {"b": 2}, 3], "c": 1, "d": 0}))
    assert [(one.pointer, one.expected, one.found) for one in found] == [
        ("/a/1/b", 1, 2),
        ("/a/2", ABSENT, 3),
        ("/c", True, 1),
        ("/d", ABSENT, 0),
    ]
    assert list(differences("output", {"a": {}}, {"a": {"b": 1}, "c": 2}, partly=True)) == []
