"""JSON values and the persistent map."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl import data
from cirrus.asl.clock import read_time, show_time

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_a_copy_is_equal_and_no_part_of_the_original(value: Any) -> None:
    copied, size = data.take(value)
    assert data.equal(copied, value)
    assert size == len(data.dump(value))
    if isinstance(value, dict | list) and value:
        assert copied is not value


@given(JSON, st.integers(0, 200))
def test_exceeds_is_near_the_size(value: Any, limit: int) -> None:
    if data.exceeds(value, limit):
        assert data.size(value) > limit // 4
    else:
        assert data.size(value) <= 40 * (limit + 1)


@given(JSON, JSON)
def test_equal_is_json_equality(one: Any, two: Any) -> None:
    assert data.equal(one, one)
    if data.equal(one, two):
        assert data.equal(two, one)


@pytest.mark.parametrize(
    ("one", "two"), [(True, 1), (0, False), ([1], [True]), ({"a": 1}, {"a": 1, "b": 2}), (None, 0), ("1", 1)]
)
def test_not_equal(one: Any, two: Any) -> None:
    assert not data.equal(one, two)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def test_depth() -> None:
    data.take(nested(250))
    with pytest.raises(data.NotJson, match="nested"):
        data.take(nested(10_000))
    assert not data.too_deep(nested(250))
    assert data.too_deep(nested(251))


@pytest.mark.parametrize("value", [{"a": {1, 2}}, object(), {"a": b"x"}])
def test_not_json(value: Any) -> None:
    with pytest.raises(data.NotJson):
        data.take(value)


def test_lone_surrogates_are_kept() -> None:
    assert data.take("\ud800")[0] == "\ud800"


TIMES = [
    ("1970-01-01T00:00:00Z", 0.0),
    ("1970-01-01T01:00:00+01:00", 0.0),
    ("1970-01-01T00:00:00.25Z", 0.25),
    ("2016-02-29T00:00:00-00:30", 1456705800.0),
]


@pytest.mark.parametrize(("text", "expected"), TIMES)
def test_times(text: str, expected: float) -> None:
    assert read_time(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2016-02-30T00:00:00Z",
        "2016-01-01",
        "2016-01-01T00:00:00",
        "2016-01-01 00:00:00Z",
        "2016-01-01T25:00:00Z",
        "2016-1-1T00:00:00Z",
        5,
        None,
    ],
)
def test_texts_that_are_no_times(text: Any) -> None:
    assert read_time(text) is None


def test_times_are_shown_with_milliseconds() -> None:
    assert show_time(1.0) == "1970-01-01T00:00:01Z"
    assert show_time(0.0625) == "1970-01-01T00:00:00.062Z"
    assert json.loads(data.text(show_time(1.5))) == "1970-01-01T00:00:01.500Z"
