from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.documents import documents

A, B = {"id": "a", "process": [{"workflow": "w"}]}, {"id": "b", "nested": {"x": [1, {"y": None}]}}
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(st.text(max_size=5), VALUE, min_size=1, max_size=4)


def read(text: str | bytes) -> list[bytes]:
    raw = text.encode() if isinstance(text, str) else text
    return list(documents(raw.splitlines(keepends=True)))


def values(text: str) -> list[Any]:
    return [json.loads(one) for one in read(text)]


def compact(*given: Any) -> str:
    return "".join(json.dumps(one) + "\n" for one in given)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n", []),
        (" \n\n\t\n", []),
        (compact(A), [A]),
        (json.dumps(A), [A]),
        (compact(A, B), [A, B]),
        (f"\n{compact(A)}\n\n{compact(B)}\n", [A, B]),
        (compact(A, B) + "\n", [A, B]),
        (compact(A, B).replace("\n", "\r\n"), [A, B]),
        (json.dumps(A, indent=2), [A]),
        (json.dumps(A, indent=2) + "\n" + json.dumps(B, indent=4) + "\n", [A, B]),
        (json.dumps(A, indent="\t"), [A]),
        (json.dumps(B, indent=0), [B]),
        (json.dumps([A, B]), [A, B]),
        (json.dumps([A, B], indent=2), [A, B]),
        (f"[\n{json.dumps(A)},\n{json.dumps(B)}\n]\n", [A, B]),
        (f"[{json.dumps(A)},\n{json.dumps(B)}]\n", [A, B]),
        (f"[\n  {json.dumps(A)}\n, {json.dumps(B)}\n]", [A, B]),
        ("[]", []),
        ("[\n]\n", []),
        (f"  {json.dumps(A)}  \n", [A]),
        (f"[\n{json.dumps(A)}\n]\n{compact(B)}", [A, B]),
        (json.dumps({"a": "{[", "b": '"}'}, indent=0), [{"a": "{[", "b": '"}'}]),
        ('5\n"text"\nnull\n', [5, "text", None]),
    ],
)
def test_streams(text: str, found: list[Any]) -> None:
    assert values(text) == found


@pytest.mark.parametrize(
    "bad", ["oops", "{oops", '{"id": "c"', '{"id": "c",', "}", "[1, 2", "id: c", "{'id': 1}", "\x00"]
)
def test_bad_line_does_not_stop_the_rest(bad: str) -> None:
    assert read(f"{compact(A)}{bad}\n{compact(B)}") == [
        compact(A).strip().encode(),
        bad.encode(),
        compact(B).strip().encode(),
    ]


def test_two_bad_lines_are_two_documents() -> None:
    assert read(f"oops\nagain\n{compact(A)}") == [b"oops", b"again", compact(A).strip().encode()]


def test_what_is_not_utf8_is_given_as_it_is() -> None:
    assert read(b'{"a": "\xff"}\n' + compact(A).encode()) == [b'{"a": "\xff"}', compact(A).strip().encode()]


def test_lines_are_read_one_by_one() -> None:
    drawn: list[int] = []

    def endless() -> Iterator[bytes]:
        n = 0
        while True:
            drawn.append(n)
            yield b'{"n":%d}\n' % n
            n += 1

    stream = documents(endless())
    assert [next(stream) for _ in range(3)] == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert len(drawn) == 3


@given(st.lists(OBJECT, max_size=6), st.booleans())
def test_ndjson_there_and_back(given_values: list[Any], blob: bool) -> None:
    assert values(compact(*given_values) + ("\n" if blob else "")) == given_values


@given(OBJECT, st.sampled_from([None, 0, 1, 2, 4, "\t"]))
def test_one_document_however_it_is_printed(value: Any, indent: int | str | None) -> None:
    assert values(json.dumps(value, indent=indent)) == [value]


@given(st.lists(OBJECT, max_size=5), st.sampled_from([None, 1, 2, 4]))
def test_array_however_it_is_printed(given_values: list[Any], indent: int | None) -> None:
    assert values(json.dumps(given_values, indent=indent)) == given_values


@given(st.lists(OBJECT | st.sampled_from(["oops", "{oops", '{"a": 1']), max_size=8))
def test_every_good_line_between_bad_ones_is_found(lines: list[Any]) -> None:
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    good = [json.dumps(line).encode() for line in lines if not isinstance(line, str)]
    assert [one for one in read(text) if one in good] == good


def test_large_document_without_indentation_is_read_in_one_go() -> None:
    value = {"features": [{"id": str(n), "links": [{"href": "{"}]} for n in range(20_000)]}
    assert values(json.dumps(value, indent=0)) == [value]


@given(st.binary(max_size=60))
def test_any_bytes_are_read(text: bytes) -> None:
    found = read(text)
    assert all(one.strip() for one in found)
    assert bool(found) <= bool(text.strip())
