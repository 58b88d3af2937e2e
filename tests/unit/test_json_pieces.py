"""Large arrays and FeatureCollections are given in parts, wherever the stream is cut."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.documents import LARGE, PAUSE, documents
from cirrus.errors import InvalidPayload

VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", '{"', "]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
CUTS = st.integers(1, 7)
INDENT = st.sampled_from([None, 0, 1, 4])


def cut(text: str | bytes, size: int) -> Iterator[bytes]:
    raw = text.encode() if isinstance(text, str) else text
    return (raw[n : n + size] for n in range(0, len(raw), size))


def parts(text: str | bytes, size: int = 5, *, features: bool = False) -> list[bytes]:
    return list(documents(cut(text, size), features=features, large=8))


@given(st.lists(VALUE, max_size=5), CUTS, INDENT, st.booleans())
def test_an_array_is_given_element_by_element(values: list[Any], size: int, indent: int | None, more: bool) -> None:
    text = json.dumps(values, indent=indent) + ('\n{"id": "last"}\n' if more else "")
    assert [json.loads(one) for one in parts(text, size)] == [*values, *([{"id": "last"}] if more else [])]


@given(
    st.lists(st.dictionaries(st.text(max_size=3), VALUE, max_size=3), min_size=1, max_size=4),
    st.dictionaries(st.text(max_size=3), VALUE, max_size=2),
    CUTS,
    INDENT,
)
def test_a_collection_is_given_feature_by_feature(
    features: list[Any], other: dict[str, Any], size: int, indent: int | None
) -> None:
    text = json.dumps({**other, "type": "FeatureCollection", "features": features, "links": [{}]}, indent=indent)
    found = [json.loads(one) for one in parts(text, size, features=True)]
    assert found == [{"type": "FeatureCollection", "features": [one]} for one in features]
    assert [json.loads(one) for one in parts(text, size)] == [json.loads(text)]


@given(CUTS, INDENT)
def test_what_has_its_own_process_or_no_features_stays_whole(size: int, indent: int | None) -> None:
    for whole in (
        {"process": [{"workflow": "w"}], "features": [{"id": "a"}, {"id": "b"}]},
        {"id": "a", "b": {"c": [1]}},
    ):
        assert [json.loads(one) for one in parts(json.dumps(whole, indent=indent), size, features=True)] == [whole]


def test_a_process_after_large_features_is_refused() -> None:
    text = json.dumps({"features": [{"id": "a"}], "process": [{"workflow": "w"}]})
    with pytest.raises(InvalidPayload, match="process: stands after the features"):
        parts(text, features=True)


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        ('[{"a": 1}, {"a": 2}} {"a": 3}]', [b'{"a": 1}', b'{"a": 2}', b'} {"a": 3}]']),
        ('[{"a": 1} {"a": 2}, {"a": 3}]', [b'{"a": 1}', b'{"a": 2}, {"a": 3}]']),
        ("[{},,{},{},{}]", [b"{}", b",{},{},{}]"]),
        ('["a":1,2,3,4]', [b'"a"', b":1,2,3,4]"]),
        ("[1, oops oops, 3]", [b"1", b"oops", b"oops, 3]"]),
        ('[1, "a"b, 3, 4]', [b"1", b'"a"b, 3, 4]']),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_broken_array_is_told_and_the_next_line_is_read(broken: str, found: list[bytes], size: int) -> None:
    assert parts(f'{broken}\n{{"id":"next"}}\n', size) == [*found, b'{"id":"next"}']


@pytest.mark.parametrize("size", [1, 3, 100])
def test_an_array_that_ends_too_early(size: int) -> None:
    assert parts('[{"a": 1}, {"a": 2}, {"b": [1,', size) == [b'{"a": 1}', b'{"a": 2}', b'{"b": [1,']


@given(st.binary(max_size=80), CUTS, st.booleans())
def test_any_bytes_are_read(text: bytes, size: int, features: bool) -> None:
    try:
        found = parts(text, size, features=features)
    except InvalidPayload:
        return
    assert all(one.strip() for one in found)


def test_large_arrays_and_collections_take_little_memory() -> None:
    feature = json.dumps({"type": "Feature", "id": "a", "properties": {"text": "x" * 6000}}).encode()
    count = 6 * LARGE // len(feature)

    def pieces(before: bytes, after: bytes) -> Iterator[bytes]:
        yield before + feature
        for _ in range(count - 1):
            yield b"," + feature
        yield after

    for before, after in ((b"[", b"]"), (b'{"features":[', b"]}")):
        tracemalloc.start()
        assert sum(1 for _ in documents(pieces(before, after), features=True)) == count
        assert tracemalloc.get_traced_memory()[1] < 4 * LARGE
        tracemalloc.stop()


def test_a_pause_comes_out_where_it_came_in() -> None:
    pieces = [b'{"id":"a"}\n{"id"', PAUSE, b':"b"}\n', PAUSE, PAUSE, b'{"id":"c"}']
    assert list(documents(pieces)) == [b'{"id":"a"}', PAUSE, b'{"id":"b"}', PAUSE, PAUSE, b'{"id":"c"}']
