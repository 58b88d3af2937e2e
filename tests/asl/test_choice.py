"""Choice rules: every operator, with the values that it takes and those that it does not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl.choice import compile_wildcard
from tests.asl.builders import output, problem

EARLY, LATE = "2020-01-01T00:00:00Z", "2020-01-01T01:30:00+01:00"


def choose(rule: dict[str, Any], given: Any, **options: Any) -> bool:
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{**rule, "Next": "Y"}], "Default": "N"},
            "Y": {"Type": "Pass", "Result": True, "End": True},
            "N": {"Type": "Pass", "Result": False, "End": True},
        },
    }
    return bool(output(definition, given, **options))


TRUE = [
    ("StringEquals", "a", "a"),
    ("StringLessThan", "b", "a"),
    ("StringLessThanEquals", "a", "a"),
    ("StringGreaterThan", "A", "a"),
    ("StringGreaterThanEquals", "a", "b"),
    ("StringMatches", "log-*.txt", "log-a.b.txt"),
    ("StringMatches", "*", ""),
    ("StringMatches", "a\\*b", "a*b"),
    ("NumericEquals", 1, 1.0),
    ("NumericLessThan", 2, 1.5),
    ("NumericLessThanEquals", 2, 2),
    ("NumericGreaterThan", -2, 0),
    ("NumericGreaterThanEquals", 0, 0),
    ("BooleanEquals", False, False),
    ("TimestampEquals", EARLY, "2020-01-01T01:00:00+01:00"),
    ("TimestampLessThan", LATE, EARLY),
    ("TimestampLessThanEquals", EARLY, EARLY),
    ("TimestampGreaterThan", EARLY, LATE),
    ("TimestampGreaterThanEquals", EARLY, EARLY),
    ("IsNull", True, None),
    ("IsNull", False, 0),
    ("IsString", True, ""),
    ("IsNumeric", True, 0),
    ("IsNumeric", False, True),
    ("IsBoolean", True, False),
    ("IsTimestamp", True, EARLY),
    ("IsTimestamp", False, "2020-01-01"),
    ("IsPresent", True, None),
]

FALSE = [
    ("StringEquals", "a", 1),
    ("StringEquals", "1", 1),
    ("StringMatches", "a*b", "a*bc"),
    ("StringMatches", "a*", 1),
    ("NumericEquals", 1, "1"),
    ("NumericEquals", 1, True),
    ("BooleanEquals", True, 1),
    ("TimestampEquals", EARLY, "not a time"),
    ("TimestampLessThan", EARLY, 5),
    ("IsPresent", False, None),
]


@pytest.mark.parametrize(("operator", "operand", "value"), TRUE)
def test_holds(operator: str, operand: Any, value: Any) -> None:
    assert choose({"Variable": "$.x", operator: operand}, {"x": value})


@pytest.mark.parametrize(("operator", "operand", "value"), FALSE)
def test_does_not_hold(operator: str, operand: Any, value: Any) -> None:
    assert not choose({"Variable": "$.x", operator: operand}, {"x": value})


@pytest.mark.parametrize(
    ("operator", "operand", "value"), [row for row in TRUE if not row[0].startswith(("Is", "StringM"))]
)
def test_with_a_path(operator: str, operand: Any, value: Any) -> None:
    assert choose({"Variable": "$.x", f"{operator}Path": "$.y"}, {"x": value, "y": operand})


def test_is_present_of_what_is_not_there() -> None:
    assert choose({"Variable": "$.y", "IsPresent": False}, {"x": 1})


def test_joined_rules() -> None:
    yes, no = {"Variable": "$.x", "NumericEquals": 1}, {"Variable": "$.x", "NumericEquals": 2}
    assert choose({"And": [yes, {"Not": no}]}, {"x": 1})
    assert not choose({"And": [yes, no]}, {"x": 1})
    assert choose({"Or": [no, yes]}, {"x": 1})
    assert choose({"Not": {"Or": [no, {"And": [no, yes]}]}}, {"x": 1})


def test_a_missing_variable_fails_the_execution() -> None:
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.y", "IsNull": True, "Next": "E"}], "Default": "E"},
            "E": {"Type": "Succeed"},
        },
    }
    error, cause = problem(definition, {})
    assert error == "States.Runtime"
    assert cause
    assert "Invalid path '$.y'" in cause


def test_no_rule_holds_and_no_default() -> None:
    definition = {
        "StartAt": "C",
        "States": {
            "C": {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsNull": True, "Next": "E"}]},
            "E": {"Type": "Succeed"},
        },
    }
    assert problem(definition, {"x": 1})[0] == "States.NoChoiceMatched"


@given(st.lists(st.sampled_from(["a", "ab", "*", "b"]), max_size=8), st.text("ab", max_size=12))
def test_wildcards_match_as_a_regular_expression_would(pieces: list[str], text: str) -> None:
    import re

    pattern = "".join(pieces)
    expected = re.fullmatch(".*".join(re.escape(part) for part in re.split(r"\*+", pattern)), text) is not None
    assert compile_wildcard(pattern)(text) is expected


def test_hostile_wildcards_are_quick() -> None:
    assert not compile_wildcard("*a" * 2_000 + "b")("a" * 200_000)
    assert compile_wildcard("*" * 10_000)("a" * 100_000)
