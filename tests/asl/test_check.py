"""Checking definitions: no false accept, no false reject, every error at once with its place and line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl import check, parse
from cirrus.errors import Diagnostic, InvalidDefinition
from tests.asl import invalid
from tests.asl.builders import FUNCTION, INVOKE, chain, mapping, one, task
from tests.asl.invalid import EXPRESS, INVALID


def errors(definition: Any, **options: Any) -> list[Diagnostic]:
    return [finding for finding in check(definition, **options) if finding.severity == "ERROR"]


def codes(definition: Any) -> set[str]:
    return {finding.code for finding in check(definition) if finding.severity == "WARNING"}


def test_there_are_enough() -> None:
    assert len(INVALID) >= 200
    assert len({json.dumps(row[1], default=repr) for row in INVALID}) == len(INVALID)


@pytest.mark.parametrize(("what", "definition", "where"), INVALID, ids=[f"{row[0]}" for row in INVALID])
def test_invalid(what: str, definition: Any, where: str) -> None:
    found = errors(definition)
    assert found, what
    if where != "/":
        assert where in {error.location for error in found}, [str(error) for error in found]
    assert all(error.message for error in found)
    with pytest.raises(InvalidDefinition) as caught:
        parse(definition)
    assert list(caught.value.diagnostics) == found


@pytest.mark.parametrize(("what", "definition", "where"), EXPRESS, ids=[row[0] for row in EXPRESS])
def test_invalid_in_an_express_machine(what: str, definition: Any, where: str) -> None:
    assert errors(definition) == []
    assert [error.location for error in errors(definition, machine_type="EXPRESS")] == [where]


STATES = {"A": {"Type": "Pass", "Next": "Begin"}, "Begin": {"Type": "Succeed"}, "C": {"Type": "Succeed"}}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("A", [("/States/C", 'State "C" is not reachable.')]),
        (
            "Start",
            [
                ("/StartAt", "Missing 'StartAt' target: Start"),
                ("/States/C", "State \"C\" is not reachable even if StartAt were 'A'."),
            ],
        ),
        (
            "begin",
            [
                ("/StartAt", "Missing 'StartAt' target: begin; did you mean 'Begin'?"),
                ("/States/A", "State \"A\" is not reachable even if StartAt were 'Begin'."),
                ("/States/C", "State \"C\" is not reachable even if StartAt were 'Begin'."),
            ],
        ),
    ],
)
def test_what_cannot_be_reached_is_told_wherever_it_starts(start: str, expected: list[tuple[str, str]]) -> None:
    found = errors({"StartAt": start, "States": STATES})
    assert [(error.location, error.message) for error in found] == expected


def test_a_wrong_start_alone_is_one_error() -> None:
    loop = {name: {"Type": "Pass", "Next": after} for name, after in ("AB", "BC", "CA")}
    assert [error.location for error in errors({"StartAt": "Z", "States": loop})] == ["/StartAt"]
    assert [error.location for error in errors({"States": loop})] == ["/"]


VALID = [
    one({"Type": "Pass"}),
    one({"Type": "Pass", "Comment": "", "InputPath": None, "OutputPath": None, "ResultPath": None}),
    one({"Type": "Pass", "Parameters": "text"}),
    one({"Type": "Pass", "Result": {"a.$": "no path"}}),
    one({"Type": "Pass", "Parameters": {"a.$": "$.b[?(@.c > 1)].d", "e.$": "$$.Map.Item.Value", "f.$": "$v"}}),
    one({"Type": "Pass", "Output": "{no expression}"}, QueryLanguage="JSONata"),
    one({"Type": "Pass", "Output": {"a.$": "kept"}}, QueryLanguage="JSONata"),
    one({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $x %}"}, QueryLanguage="JSONPath"),
    one({"Type": "Succeed"}, Version="1.0", Comment="c", TimeoutSeconds=1),
    one({"Type": "Fail"}),
    one({"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}', $.c)"}),
    one({"Type": "Wait", "Seconds": 0}),
    one({"Type": "Wait", "TimestampPath": "$.a.b"}),
    one(task(Retry=[], Catch=[])),
    one(task(TimeoutSeconds=10, HeartbeatSeconds=9)),
    one(task(Credentials={"RoleArn.$": "$.r"})),
    one(
        task(
            Retry=[
                {
                    "ErrorEquals": ["A", "B"],
                    "IntervalSeconds": 1,
                    "MaxAttempts": 0,
                    "BackoffRate": 1,
                    "MaxDelaySeconds": 2,
                    "JitterStrategy": "FULL",
                }
            ]
        )
    ),
    one({**task(), "Resource": "${my-task}"}),
    one({**task(), "Resource": f"{FUNCTION}:live"}),
    one({**task(), "Resource": "arn:aws-cn:states:::lambda:invoke"}),
    one({**task(), "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem"}),
    one({**task(), "Resource": "arn:aws:states:::states:startExecution.sync:2"}),
    one({**task(), "Resource": "arn:aws:states:::batch:submitJob.sync"}),
    one(mapping()),
    one(mapping(MaxConcurrency=0, ItemsPath="$", ItemSelector={})),
    one(mapping(mode="DISTRIBUTED", Label="L", ToleratedFailurePercentagePath="$.t")),
    {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}},
    {"StartAt": "N" * 80, "States": {"N" * 80: {"Type": "Succeed"}}},
    chain(
        A={
            "Type": "Choice",
            "Choices": [{"Not": {"Variable": "$v", "IsNull": False}, "Next": "B", "Comment": "c", "Assign": {"x": 1}}],
        },
        B={"Type": "Succeed"},
    ),
]


@pytest.mark.parametrize("definition", VALID, ids=lambda definition: json.dumps(definition["States"])[:60])
def test_valid(definition: Any) -> None:
    assert [str(error) for error in errors(definition)] == []
    parse(definition)
    assert errors(json.dumps(definition)) == errors(json.dumps(definition).encode()) == []


WARNINGS = [
    (one({"Type": "Fail", "Error": "$.error.Error"}), "LITERAL_PATH"),
    (one({"Type": "Pass", "Parameters": {"a": "$.b"}}), "LITERAL_PATH"),
    (one({"Type": "Pass", "Result": {"a.$": "$.b"}}), "LITERAL_PATH"),
    (one(task()), "NO_ERROR_HANDLING"),
    (invalid.catching(), "INPUT_LOST"),
    (invalid.choosing(invalid.rule(IsNull=True)) | {"StartAt": "A"}, None),
    (one(task(Retry=[{"ErrorEquals": ["States.Typo"]}])), "UNKNOWN_ERROR"),
    (one(task(Retry=[{"ErrorEquals": ["States.Runtime"]}])), "UNKNOWN_ERROR"),
    (one({"Type": "Task", "Resource": f"{INVOKE}.waitForTaskToken", "Retry": [{"ErrorEquals": ["E"]}]}), "NO_TIMEOUT"),
    (
        one({"Type": "Task", "Resource": "arn:aws:states:::events:putEvents", "Retry": [{"ErrorEquals": ["E"]}]}),
        "UNSUPPORTED_RESOURCE",
    ),
    ({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}}, "NO_END"),
    (
        chain(A={"Type": "Choice", "Choices": [{"Variable": "$", "IsNull": True, "Next": "B"}]}, B={"Type": "Succeed"}),
        "NO_DEFAULT",
    ),
    ('{"StartAt": "A", "StartAt": "A", "States": {"A": {"Type": "Succeed"}}}', "REPEATED_NAME"),
]


@pytest.mark.parametrize(("definition", "code"), WARNINGS)
def test_warning(definition: Any, code: str | None) -> None:
    assert errors(definition) == []
    assert codes(definition) == ({code} if code else set())


def test_unsupported_resources_can_be_refused() -> None:
    definition = one({"Type": "Task", "Resource": "arn:aws:states:::events:putEvents"})
    parse(definition)
    with pytest.raises(InvalidDefinition, match="UNSUPPORTED_RESOURCE"):
        parse(definition, supported_only=True)


def test_all_errors_come_at_once_with_their_lines() -> None:
    text = """{
  "StartAt": "A",
  "States": {
    "A": {
      "Type": "Pass",
      "InputPath": "x",
      "Next": "Nowhere"
    },
    "B": {"Type": "Wait",
      "Seconds": -1, "End": true}
  }
}"""
    found = {(error.location, error.line) for error in errors(text)}
    assert found == {("/States/A/InputPath", 6), ("/States/A/Next", 7), ("/States/B/Seconds", 10), ("/States/B", 9)}


def test_yaml_with_lines() -> None:
    text = """
Comment: a comment
StartAt: A
States:
  A:
    Type: Wait
    Timestamp: 2020-01-01T00:00:00Z
    Next: no
  "no":
    Type: Pass
    Parameters: { a.$: $.x, on: yes }
    Nextt: B
"""
    (unknown, missing) = sorted(errors(text), key=lambda error: -error.line)
    assert (unknown.location, unknown.line) == ("/States/no/Nextt", 12)
    assert "did you mean 'Next'?" in unknown.message
    assert (missing.location, missing.line) == ("/States/no", 9)
    fixed = text.replace("Nextt: B", "End: true")
    assert parse(fixed).definition["States"]["no"]["Parameters"]["on"] == "yes"


def test_the_place_of_text_that_is_no_json() -> None:
    (error,) = errors('{"StartAt": "A",\n  "States" }')
    assert (error.code, error.location, error.line) == ("INVALID_JSON_DESCRIPTION", "line 2, column 12", 2)


def test_names_are_escaped_in_pointers() -> None:
    (error,) = errors({"StartAt": "a/b~c", "States": {"a/b~c": {"Type": "Pass"}}})
    assert error.location == "/States/a~1b~0c"


def test_the_definition_is_not_kept() -> None:
    definition = one({"Type": "Pass", "Result": [1]})
    machine = parse(definition)
    definition["States"]["A"]["Result"].append(2)
    assert machine.definition["States"]["A"]["Result"] == [1]


def test_findings_are_bounded() -> None:
    states = {f"S{number}": {"Type": "Pass"} for number in range(5_000)}
    assert len(check({"StartAt": "S0", "States": states})) == 1_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "A", "$", "$.a", "{% 1 %}", "Pass", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "a.$", "StartAt", "States", "Next"]), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = [
    "Type", "Next", "End", "Resource", "Parameters", "Arguments", "Output", "Assign", "Retry", "Catch", "Choices",
    "Branches", "ItemProcessor", "ItemSelector", "ItemReader", "ItemBatcher", "ResultWriter", "Items", "ItemsPath",
    "InputPath", "ResultPath", "Seconds", "Timestamp", "QueryLanguage", "Label", "MaxConcurrency", "TimeoutSeconds",
    "Error", "Cause", "ErrorPath", "Credentials", "Comment", "Default", "Iterator", "HeartbeatSeconds",
]  # fmt: skip
KIND = st.sampled_from(["Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"])


@given(
    KIND,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=6),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
)
def test_any_value_anywhere_is_judged(kind: str, fields: dict[str, Any], top: dict[str, Any]) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": kind, **fields}}, **top}
    if not errors(definition):
        parse(definition)


@given(JSON)
def test_any_value_is_judged(value: Any) -> None:
    assert errors(value) if not isinstance(value, str) else True


@given(st.text("{}[]:,\"' \nABaeStp.$-&*!|>#0", max_size=60))
def test_any_text_is_judged(text: str) -> None:
    assert isinstance(check(text), list)
