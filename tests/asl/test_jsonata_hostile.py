"""Every function of JSONata with arguments that mean harm: a value or States.QueryEvaluationError, within bounds."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from functools import cache
from typing import Any

import pytest

from cirrus.asl import Result, parse, run
from cirrus.asl.jsonata_library import LIBRARY
from tests.asl.builders import one, output

SECONDS = 10.0
"""Of CPU, for one evaluation on a slow machine; most take milliseconds."""

MEGABYTES = 700


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


GIVEN = {
    "text": "a" * 60_000 + "b",
    "odd": "\u00e9\u2003" * 20_000,
    "digits": "9" * 60_000,
    "big": "b" * 200_000,
    "numbers": list(range(20_000)),
    "texts": [f"x{number}" for number in range(8_000)],
    "objects": [{"k": number} for number in range(5_000)],
    "object": {f"k{number}": number for number in range(5_000)},
    "deep": nested(100),
}
SMALL = {"a": [{"b": [1, 2]}, {"b": {"c": 3}}] * 9}
HUGE = [
    "$states.input.text",
    "$states.input.odd",
    "$states.input.digits",
    "$states.input.numbers",
    "$states.input.texts",
    "$states.input.objects",
    "$states.input.object",
    "$states.input.deep",
    "[1..200000]",
    "$pad('', 900000, 'ab')",
    "1e308",
    "-1e300",
    "null",
    "function($a, $b, $c) { $a & $b }",
    "/(a|a)*b/",
]
PAIRS = [
    (first, second)
    for first in ("$states.input.text", "$states.input.texts", "1e308")
    for second in ("1e9", "-1e9", "$states.input.text", "function($a, $b) { [$a, $a, $b] }", "/(x+x+)+y/")
]


@cache
def expression(text: str) -> Any:
    return parse(one({"Type": "Pass", "Output": f"{{% {text} %}}"}, QueryLanguage="JSONata"), data_limit=10**9)


def evaluate(text: str) -> Result:
    machine, given = expression(text), {name: value for name, value in GIVEN.items() if f"input.{name}" in text}
    began = time.process_time()
    result = run(machine, given or SMALL, record=False)
    assert time.process_time() - began < SECONDS, text
    assert result.status == "SUCCEEDED" or result.error == "States.QueryEvaluationError", (text, result)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < MEGABYTES + STARTED, text
    return result


STARTED = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
FUNCTIONS = sorted(LIBRARY.bindings)


def test_all_functions_are_here() -> None:
    assert len(FUNCTIONS) >= 66
    assert {"trim", "zip", "partition", "hash", "toMillis", "single", "sift"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_bounded(name: str) -> None:
    evaluate(f"${name}()")
    for argument in HUGE:
        evaluate(f"${name}({argument})")
    for first, second in PAIRS:
        evaluate(f"${name}({first}, {second})")
    for first in ("$states.input.text", "$states.input.numbers"):
        evaluate(f"${name}({first}, $states.input.text, 1e9)")


@pytest.mark.parametrize("outer", ["map", "filter", "single", "reduce", "sort", "each", "sift"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_bounded_where_another_calls_it(outer: str, name: str) -> None:
    among = "$states.input.object" if outer in ("each", "sift") else "$states.input.texts"
    evaluate(f"${outer}({among}, ${name})")


HOLES = [
    "$toMillis('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '(a+)+b[Y]')",
    "$toMillis($pad('', 300, '9') & 'x', '[f][f][f][f][f][f][f]')",
    "$replace('', /x/, 'y', 1e9)",
    "$replace('x', /x/, $pad('x', 900000), 20000)",
    "$replace($pad('', 20000, 'a'), /a/, $pad('', 900000, 'b'))",
    "$replace($pad('', 20000, 'a'), 'a', $pad('', 900000, 'b'))",
    "$replace($states.input.text, /a+/, $pad('', 900000, '$0'))",
    "$replace($states.input.text, /a/, function($m) { $states.input.big })",
    "$join($map([1..3000], function($i) { $pad('', 900000) }))",
    "$join([1..20000].('a'), $pad('', 900000))",
    "$string([1..3000].($states.input.big))",
    "[1..3000].($states.input.big) & ''",
    "$count([1..8000].$pad('', 900000, 'a'))",
    "$count([1..100000].$pad('', 4000, 'a'))",
    "$count($partition([1..200000], 1).*)",
    "[1..200000]{'a': $}",
    "$count($reduce([1..60000], $append))",
    "$count($map($states.input.texts, $pad(?, 900000)))",
    "$parseInteger($pad('', 60000, 'z'), 'a')",
    "$string($reduce([1..300], function($a, $b) { [$a] }, [1..100000]), true)",
    "$string($reduce([1..5000], function($a, $b) { [$a] }))",
    "$formatInteger(1e308, 'w')",
    "$formatInteger(1e9, 'I')",
    "$number('0x' & $pad('', 900000, 'f')) * 2",
    "$sum([1..900000].($number('0x' & $pad('', 900, 'f'))))",
    "$formatBase($number('0x' & $pad('', 900000, 'f')), 2)",
    "$map($states.input.numbers, function($v, $i, $a) { $sum($a) })",
    "$states.input.numbers[$ in $states.input.numbers]",
    "**.**.**",
    "[1..1e9]",
    "[1..900000]^(>$)",
    "($f := function($x) { $g($x) }; $g := function($x) { $f($x) }; $f(1))",
    "($f := function($x) { $f([$x, $x]) }; $f(1))",
    "($f := function($x) { $f({'a': $x}) }; $f(1))",
    "($f := function($x) { [$f($x)] }; $f(1))",
    "$reduce([1..100000], function($a, $b) { $append($a, $a) }, [1])",
    "$reduce([1..60], function($a, $b) { $a & $a }, 'x')",
    "$eval('[1..10000000]')",
    "$contains($states.input.text, /^(([a-z])+.)+[A-Z]([a-z])+$/)",
    "$match($states.input.text, /(?=(a+))\\1b/)",
    "$split($states.input.text, /(a?){30}a{30}/)",
    "$states.input ~> |$|{'x': $pad('', 900000)}|",
    "$states.input ~> |**|{'x': $}|",
    "(5)(1)",
]


@pytest.mark.parametrize("text", HOLES)
def test_an_expression_is_bounded(text: str) -> None:
    evaluate(text)


HONEST = [
    ("$replace('aaa', /a/, 'ba', 2)", "babaa"),
    ("$replace('abcb', /b/, function($m) { $uppercase($m.match) }, 1)", "aBcb"),
    ("$replace('abc', /b/, 'x', 0)", "abc"),
    ("$replace('John Smith', /(\\w+)\\s(\\w+)/, '$2, $1')", "Smith, John"),
    ("$replace('aaa', 'a', 'b', 2)", "bba"),
    ("$join(['a', 'b'], '-')", "a-b"),
    ("$string({'a': [1]}, true)", '{\n  "a": [\n    1\n  ]\n}'),
    ("$map(['a', 'b'], $pad(?, 3, '.'))", ["a..", "b.."]),
    ("[[1, 2], [3], [[4]]].*", [1, 2, 3, 4]),
    ("{'a': 1, 'b': [2]}.*", [1, 2]),
    ("[{'k': 'x', 'v': 1}, {'k': 'y', 'v': 2}, {'k': 'x', 'v': 3}]{k: $sum(v)}", {"x": 4, "y": 2}),
    ("$toMillis('2018-05-15T13:45:02', '[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01]')", 1526391902000),
    ("$toMillis('15 May 2018', '[D] [MNn] [Y]')", 1526342400000),
    ("$count($map([1..1000], function($i) { $substring($states.input.big, $i * 100, 100) }))", 1000),
    ("$length($join($split($states.input.text, '')))", 60_001),
    ("$count($states.input.texts[$contains($, '99')])", 152),
]


@pytest.mark.parametrize(("text", "expected"), HONEST)
def test_an_honest_expression_is_not_held_up(text: str, expected: Any) -> None:
    assert evaluate(text).output == expected


def test_what_a_picture_leaves_out_is_the_day_of_the_step() -> None:
    state = {"Type": "Pass", "Output": ["{% $toMillis('12:30', '[H]:[m]') %}", "{% $millis() %}"]}
    then, now = output(one(state, QueryLanguage="JSONata"))
    assert then // 86_400_000 == now // 86_400_000


def test_the_interpreter_prints_nothing_and_meets_others_in_its_thread() -> None:
    code = (
        "from cirrus.asl import parse, run; from jsonata import Jsonata;"
        "machine = parse({'QueryLanguage': 'JSONata', 'StartAt': 'A', 'States': {'A': {'Type': 'Pass', "
        "'Output': '{% (5)(1) %}', 'End': True}}});"
        "assert Jsonata('1 + 1').evaluate(None) == 2; assert run(machine).error == 'States.QueryEvaluationError'"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
