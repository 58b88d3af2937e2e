"""JSONata: what Step Functions adds and takes away, how it fails, and that it cannot run away."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import pytest

from tests.asl.builders import chain, one, output, problem, run


def evaluate(expression: Any, given: Any = None, **options: Any) -> Any:
    return output(one({"Type": "Pass", "Output": expression}, QueryLanguage="JSONata"), given, **options)


def failure(expression: Any, given: Any = None) -> str:
    error, cause = problem(one({"Type": "Pass", "Output": expression}, QueryLanguage="JSONata"), given)
    assert error == "States.QueryEvaluationError"
    assert cause
    return cause


VALUES = [
    ("{% $states.input.a %}", 1),
    ("{% $states.input %}", {"a": 1, "l": [1, 2, 3], "n": None}),
    ("{% $states.input.n %}", None),
    ("{%$sum($states.input.l)%}", 6),
    ("{% 4 / 2 %}", 2),
    ("{% 0.1 + 0.2 %}", 0.1 + 0.2),
    ("{% $states.input.l[$ > 1] %}", [2, 3]),
    ("{% [$states.input.l[$ > 2]] %}", [3]),
    ("{% {'k': $states.input.nothing, 'n': null} %}", {"n": None}),
    ("{% $states.context.Execution.Input.a %}", 1),
    ({"x": ["{% 1 %}", "{no}", {"y": "{% 'z' %}"}], "$": 2}, {"x": [1, "{no}", {"y": "z"}], "$": 2}),
    ("text", "text"),
    (None, None),
    ("{% $partition([1,2,3], 2) %}", [[1, 2], [3]]),
    ("{% $range(1, 7, 3) %}", [1, 4, 7]),
    ("{% $range(3, 1, -1) %}", [3, 2, 1]),
    ("{% $hash('input data', 'SHA-256') %}", hashlib.sha256(b"input data").hexdigest()),
    ("{% $parse('[1,null]') %}", [1, None]),
    (
        "{% $distinct([1, 1.0, true, '1', {'a': 1, 'b': 2}, {'b': 2, 'a': 1}, null, null, [1], [1]]) %}",
        [1, True, "1", {"a": 1, "b": 2}, None, [1]],
    ),
    ("{% $distinct(5) %}", 5),
    ("{% $fromMillis(0, '[Y0001]-[M01]') %}", "1970-01"),
    ("{% $formatNumber(12.5, '#0.00') %}", "12.50"),
    ("{% 'a' in $states.input.l %}", False),
    ("{% {'a': [1]} = {'a': [1]} %}", True),
    ("{% $now() %}", "2023-11-14T22:13:20.000Z"),
    ("{% $millis() %}", 1_700_000_000_000),
    ("{% $replace('aXbX', 'X', '$1') %}", "a$1b$1"),
    ("{% $replace('a1b22', /[0-9]+/, '<$0>') %}", "a<1>b<22>"),
    ("{% $split('a, b,c', /,\\s*/) %}", ["a", "b", "c"]),
    ("{% $match('ab12', /([a-z]+)([0-9]+)/).groups %}", ["ab", "12"]),
    ("{% ($f := function($n) { $n <= 1 ? 1 : $n * $f($n - 1) }; $f(20)) %}", 2432902008176640000),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES)
def test_value(expression: Any, expected: Any) -> None:
    assert evaluate(expression, {"a": 1, "l": [1, 2, 3], "n": None}) == expected


def test_chance_comes_from_the_seed() -> None:
    expression = "{% [$random(), $uuid(), $shuffle([1..20])] %}"
    assert evaluate(expression, seed=3) == evaluate(expression, seed=3) != evaluate(expression, seed=4)
    assert evaluate("{% $random(7) %}", seed=1) == evaluate("{% $random(7) %}", seed=2)


FAILURES = [
    ("{% $nothing %}", "returned nothing (undefined)"),
    ("{% $states.input.x %}", "returned nothing (undefined)"),
    ("{% $states.result %}", "returned nothing (undefined)"),
    ("{% 1 + 'a' %}", "T2002"),
    ("{% $sum('a', 1) %}", "T0410"),
    ("{% 1 / 0 %}", "D1001"),
    ("{% $eval('1') %}", "$eval is not supported"),
    ("{% $error('stop') %}", "stop"),
    ("{% function($x) { $x } %}", "T1006"),
    ("{% $parse('{') %}", "no JSON"),
    ("{% $partition([1], 0) %}", "positive"),
    ("{% $hash('a', 'b') %}", "must be one of"),
    ("{% $range(1, 2, 0) %}", "zero"),
    ("{% $range('a', 2, 1) %}", "numbers"),
    ("{% $parse(1) %}", "must be a string"),
    ("{% $fromMillis(0, $pad('', 5000, '[Y]')) %}", "picture"),
    ("{% $sum($states.input.big.($sum($states.input.big))) %}", "too many steps"),
]


@pytest.mark.parametrize(("expression", "words"), FAILURES)
def test_failure(expression: str, words: str) -> None:
    cause = failure(expression, {"a": 1, "big": list(range(5_000))})
    assert words in cause
    assert f"The JSONata expression '{expression[2:-2].strip()}' specified for the field 'Output'" in cause


def test_the_field_of_a_failure_is_its_place() -> None:
    assert "specified for the field 'Output/a/b[1]'" in failure({"a": {"b": [1, "{% $no %}"]}})


TYPES = [
    ({"Type": "Wait", "Seconds": "{% 'x' %}"}, "Expected 'number', but was 'string' for value: \"x\""),
    ({"Type": "Fail", "Error": "{% 5 %}"}, "Expected 'string', but was 'number' for value: 5"),
]


@pytest.mark.parametrize(("state", "words"), TYPES)
def test_a_field_of_another_type(state: dict[str, Any], words: str) -> None:
    _, cause = problem(one(state, QueryLanguage="JSONata"))
    assert cause
    assert words in cause


def test_a_condition_must_be_a_boolean() -> None:
    definition = chain(
        C={"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "E"}], "Default": "E"}, E={"Type": "Succeed"}
    )
    _, cause = problem({**definition, "QueryLanguage": "JSONata"})
    assert cause
    assert "Choices[0]/Condition" in cause
    assert "Expected 'boolean'" in cause


def test_variables_null_among_them() -> None:
    definition = chain(
        A={"Type": "Pass", "Assign": {"n": None, "v": "{% $states.input.a + 1 %}"}},
        B={"Type": "Pass", "Output": {"n": "{% $n %}", "v": "{% $v %}"}},
    )
    assert output({**definition, "QueryLanguage": "JSONata"}, {"a": 1}) == {"n": None, "v": 2}


def test_task_result_and_arguments() -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:lambda:us-east-1:1:function:f",
        "Arguments": {"x": "{% $states.input.a %}"},
        "Output": "{% $merge([$states.input, {'r': $states.result}]) %}",
        "Assign": {"v": "{% $states.result %}"},
    }
    assert output(one(state, QueryLanguage="JSONata"), {"a": 1}, tasks={"f": lambda given: given["x"] + 1}) == {
        "a": 1,
        "r": 2,
    }


def test_spread() -> None:
    spread = {"a": "{% $spread([{'x': 1, 'y': 2}, {'z': null}]) %}", "b": "{% $spread('s') %}"}
    state = {"Type": "Pass", "Output": spread}
    assert output(one(state, QueryLanguage="JSONata")) == {"a": [{"x": 1}, {"y": 2}, {"z": None}], "b": "s"}


RUNAWAY = [
    "($f := function($x) { $f($x + 1) }; $f(1))",
    "($f := function($x) { 1 + $f($x) }; $f(1))",
    "[1..100000000]",
    "$map([1..1000000], function($v) { $v * 2 })",
    "$pad('a', 1000000000)",
    "($g := function($n, $v) { $n = 0 ? $v : $g($n - 1, {'a': $v, 'b': $v}) }; $string($g(60, 1)))",
    "($g := function($n, $s) { $n = 0 ? $s : $g($n - 1, $s & $s) }; $g(60, 'a'))",
    "$match($states.input.s, /(a+)+$/)",
    "$contains($states.input.s, /(.*)*x/)",
    "$contains($states.input.s, /a*a*a*a*a*x/)",
    "$replace($states.input.s, /(a|aa)*c/, '')",
    "$range(1, 1e12, 1)",
    "$string([1..1000000])",
    "$states.input.**.**.**.**.**.**",
    "$count($spread([1..900000]))",
    "$match($pad('', 900000, 'a'), /a/)",
]


@pytest.mark.parametrize("expression", RUNAWAY)
def test_an_expression_cannot_run_away(expression: str) -> None:
    definition = one({"Type": "Pass", "Output": f"{{% {expression} %}}"}, QueryLanguage="JSONata")
    result = run(definition, {"s": "a" * 5_000 + "b", "d": {"e": {"f": [{"g": 1}] * 20}}})
    assert result.status == "SUCCEEDED" or result.error in ("States.QueryEvaluationError", "States.DataLimitExceeded")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000,
        "[" * 5_000 + "]" * 5_000,
        "1" + "+1" * 20_000,
        "$a." * 10_000 + "b",
        "{" * 3_000,
        "'" * 9_999,
        "/(/",
        "/[/",
    ],
)
def test_hostile_expressions_are_refused_or_run(text: str) -> None:
    from cirrus.asl import check

    findings = check(one({"Type": "Pass", "Output": f"{{% {text} %}}"}, QueryLanguage="JSONata"))
    errors = [finding for finding in findings if finding.severity == "ERROR"]
    assert errors or text.startswith(("1+", "$a"))


def test_the_interpreter_is_loaded_only_for_expressions() -> None:
    code = (
        "import sys; from cirrus.asl import run;"
        "run({'StartAt': 'A', 'States': {'A': {'Type': 'Pass', 'End': True}}});"
        "assert not any(name.startswith('jsonata') for name in sys.modules); assert 'yaml' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
