from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.jsontext import (
    INLINE_LIMIT,
    decode,
    encode,
    encode_pretty,
    escaped_size,
    fits_inline,
    nested_too_deep,
)
from cirrus.errors import InvalidPayload

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


def nested(depth: int) -> Any:
    value: Any = []
    for n in range(depth - 1):
        value = [value] if n % 2 else {"a": value}
    return value


@given(VALUE)
def test_there_and_back(value: Any) -> None:
    assert decode(encode(value)) == value
    assert decode(encode_pretty(value)) == value
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "nul", "NaN", "Infinity", "-Infinity", "01", "1.", "{'a': 1}", '"\\ud800"', "\ufeff{}"],
)
def test_what_is_no_json_says_where(text: str) -> None:
    with pytest.raises(InvalidPayload, match=r"no valid JSON: .*(line 1 column|empty)"):
        decode(text)


@pytest.mark.parametrize("text", [b"\xff", b'"\xc3"', b"{}\x00", "{}".encode("utf-16")])
def test_what_is_not_utf8_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidPayload, match="no valid JSON"):
        decode(text)


def test_line_and_column_are_told() -> None:
    with pytest.raises(InvalidPayload, match="line 3 column 7"):
        decode('{\n "a": 1,\n "b": oops\n}')


@pytest.mark.parametrize("depth", [1, 50, 200])
def test_depth_that_is_allowed(depth: int) -> None:
    value = nested(depth)
    assert not nested_too_deep(value)
    assert decode(encode(value)) == value


@pytest.mark.parametrize("depth", [300, 5_000])
def test_deep_value_is_refused(depth: int) -> None:
    value = nested(depth)
    assert nested_too_deep(value)
    with pytest.raises(InvalidPayload, match="deeper than 200 levels"):
        encode(value)


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000])
def test_deep_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidPayload, match="no valid JSON"):
        decode(text)


@pytest.mark.parametrize("value", [{1, 2}, b"x", object(), {"a": complex(1, 2)}, "\ud800", 2**70, {("a",): 1}])
def test_what_cannot_be_written(value: Any) -> None:
    with pytest.raises(InvalidPayload, match="cannot be written as JSON"):
        encode(value)


def test_wide_values_are_no_trouble() -> None:
    value = {"features": [{"id": str(n), "links": [{"a": [n]}]} for n in range(20_000)]}
    assert not nested_too_deep(value)
    assert decode(encode(value)) == value


@given(VALUE)
def test_escaped_size_is_that_of_a_string(value: Any) -> None:
    text = encode(value)
    plain = all(32 <= byte < 127 for byte in text)
    exact = len(json.dumps(text.decode(), ensure_ascii=False).encode())
    assert escaped_size(text) == exact or not plain
    assert fits_inline(text)


@pytest.mark.parametrize(("filler", "weight"), [(b"x", 1), (b'"', 2), (b"\\", 2)])
def test_inline_up_to_the_limit_exactly(filler: bytes, weight: int) -> None:
    most = (INLINE_LIMIT - 2) // weight
    assert fits_inline(filler * most)
    assert not fits_inline(filler * (most + 1))
