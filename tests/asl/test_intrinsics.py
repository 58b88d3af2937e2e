"""Intrinsic functions, as the developer guide describes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl.calls import InvalidCall, parse_call
from tests.asl.builders import one, output, problem

CALLS = [
    ("States.Format('Hello, my name is {}.', $.name)", {"name": "Arnav"}, "Hello, my name is Arnav."),
    ("States.Format('{}-{}', 1, null)", {}, "1-null"),
    ("States.Format('{} {}', true, 1.5)", {}, "true 1.5"),
    (r"States.Format('\{{}\} it\'s \\', $.a)", {"a": 1}, "{1} it's \\"),
    ("States.Format($.t, 'x')", {"t": "a{}b\\c"}, "axb\\c"),
    ("States.Format('no places')", {}, "no places"),
    ("States.StringToJson($.s)", {"s": '{"a": [1, null]}'}, {"a": [1, None]}),
    ("States.JsonToString($)", {"a": "ü"}, '{"a":"ü"}'),
    ("States.Array(1, 'a', $.x, null)", {"x": [2]}, [1, "a", [2], None]),
    ("States.Array()", {}, []),
    ("States.ArrayPartition($.a, 4)", {"a": list(range(1, 10))}, [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
    ("States.ArrayContains($.a, $.b)", {"a": [1, 2], "b": 2}, True),
    ("States.ArrayContains($.a, 1)", {"a": [True]}, False),
    ("States.ArrayRange(1, 9, 2)", {}, [1, 3, 5, 7, 9]),
    ("States.ArrayRange(5, 1, -2)", {}, [5, 3, 1]),
    ("States.ArrayGetItem($.a, 1)", {"a": [7, 8]}, 8),
    ("States.ArrayLength($.a)", {"a": [7, 8]}, 2),
    ("States.ArrayUnique($.a)", {"a": [1, 2, 1, {"a": 1}, {"a": 1}, True, 1.0]}, [1, 2, {"a": 1}, True]),
    ("States.Base64Encode('Data to encode')", {}, "RGF0YSB0byBlbmNvZGU="),
    ("States.Base64Decode('RGVjb2RlZCBkYXRh')", {}, "Decoded data"),
    ("States.Base64Decode('YQ')", {}, "a"),
    ("States.Base64Decode('')", {}, ""),
    ("States.Hash('input data', 'SHA-1')", {}, "aaff4a450a104cd177d28d18d74485e8cae074b7"),
    ("States.Hash($.o, 'MD5')", {"o": {"a": 1}}, "bb6cb5c68df4652941caf652a366f2d8"),
    (
        "States.JsonMerge($.a, $.b, false)",
        {"a": {"x": {"p": 1}, "y": 1}, "b": {"x": {"q": 2}}},
        {"x": {"q": 2}, "y": 1},
    ),
    ("States.MathAdd($.a, -1)", {"a": 111}, 110),
    ("States.StringSplit('This.is+a,test=string', '.+,=')", {}, ["This", "is", "a", "test", "string"]),
    ("States.StringSplit('a]b[c^d-e', ']^-[')", {}, ["a", "b", "c", "d", "e"]),
    ("States.ArrayGetItem(States.StringSplit('a-b', '-'), States.MathAdd(0, 1))", {}, "b"),
]


@pytest.mark.parametrize(("call", "given", "expected"), CALLS)
def test_call(call: str, given: Any, expected: Any) -> None:
    assert output(one({"Type": "Pass", "Parameters": {"r.$": call}}), given)["r"] == expected


FAILING = [
    ("States.Format('{}{}', 1)", {}),
    ("States.Format($.x)", {"x": 1}),
    ("States.StringToJson($.s)", {"s": "{"}),
    ("States.ArrayPartition($.a, 0)", {"a": [1]}),
    ("States.ArrayPartition(1, 1)", {}),
    ("States.ArrayRange(1, 5000, 1)", {}),
    ("States.ArrayRange(1, 5, 0)", {}),
    ("States.ArrayGetItem($.a, 2)", {"a": [1]}),
    ("States.ArrayGetItem($.a, -1)", {"a": [1]}),
    ("States.Base64Decode('***')", {}),
    ("States.Base64Decode('Y')", {}),
    ("States.Base64Decode('YQ=')", {}),
    ("States.Base64Encode($.s)", {"s": "a" * 10_001}),
    ("States.Hash('a', 'CRC32')", {}),
    ("States.JsonMerge($.a, $.a, true)", {"a": {}}),
    ("States.JsonMerge($.a, 1, false)", {"a": {}}),
    ("States.MathAdd('1', 2)", {}),
    ("States.MathAdd(true, 2)", {}),
    ("States.MathRandom(5, 5)", {}),
    ("States.StringSplit(1, 'a')", {}),
]


@pytest.mark.parametrize(("call", "given"), FAILING)
def test_call_that_fails(call: str, given: Any) -> None:
    error, cause = problem(one({"Type": "Pass", "Parameters": {"r.$": call}}), given)
    assert error == "States.IntrinsicFailure"
    assert cause
    assert f"The function '{call}' had the following error" in cause


def test_a_missing_argument_names_its_path() -> None:
    error, cause = problem(one({"Type": "Pass", "Parameters": {"r.$": "States.Array($.a)"}}), {"b": 1})
    assert error == "States.Runtime"
    assert cause
    assert cause.endswith("""The JsonPath argument for the field '$.a' could not be found in the input '{"b":1}'""")


def test_chance_comes_from_the_seed() -> None:
    definition = one({"Type": "Pass", "Parameters": {"u.$": "States.UUID()", "r.$": "States.MathRandom(1, 1000000)"}})
    assert output(definition, seed=1) == output(definition, seed=1) != output(definition, seed=2)
    seeded = one({"Type": "Pass", "Parameters": {"r.$": "States.MathRandom(1, 1000000, 7)"}})
    assert output(seeded, seed=1) == output(seeded, seed=2)


REFUSED = [
    "States.Nothing()",
    "States.UUID(1)",
    "States.Array(1",
    "States.Array(1,)",
    "States.Array(1) x",
    "States.Array('a)",
    "States.Array(bare)",
    r"States.Format('He said, \"{}\"', 'x')",
    "States.Format()",
    "Format('a')",
    "States.Array(" * 11 + ")" * 11,
]


@pytest.mark.parametrize("call", REFUSED)
def test_text_that_is_no_call(call: str) -> None:
    with pytest.raises(InvalidCall):
        parse_call(call)


@given(st.text("States.Arrayfom(){}',$ab0-\\ ", max_size=40).map(lambda text: "States." + text))
def test_any_text_is_a_call_or_refused(text: str) -> None:
    try:
        parse_call(text)
    except InvalidCall:
        return


def test_results_cannot_grow_without_end() -> None:
    call = "States.Format('" + "{}" * 90 + "', " + ", ".join(["$.a"] * 90) + ")"
    error, _ = problem(one({"Type": "Pass", "Parameters": {"r.$": call}}), {"a": "x" * 200_000})
    assert error == "States.IntrinsicFailure"
