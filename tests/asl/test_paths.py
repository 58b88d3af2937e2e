"""JSONPath: what it finds, what it refuses, and that nothing makes it crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl.failure import Failure
from cirrus.asl.paths import MISSING, InvalidPath, parse_path, parse_reference
from cirrus.asl.place import compile_place


class Surroundings:
    def __init__(self) -> None:
        self.context = {"Execution": {"Id": "e"}}
        self.variables = {"v": [1, {"a": 2}], "größe": 3}


def find(path: str, data: Any = None) -> Any:
    return parse_path(path).find(data, Surroundings())


STORE = {
    "book": [
        {"category": "reference", "price": 8.95, "title": "Sayings"},
        {"category": "fiction", "price": 12.99, "title": "Sword"},
        {"category": "fiction", "price": 8.99, "isbn": "0-553", "title": "Moby"},
    ],
    "bicycle": {"color": "red", "price": 19.95},
    "a-b c": {"x.y": 1},
}

FOUND = [
    ("$", STORE),
    ("$.bicycle.color", "red"),
    ("$['bicycle']['color']", "red"),
    ('$["a-b c"]["x.y"]', 1),
    ("$.book[0].title", "Sayings"),
    ("$.book[-1].title", "Moby"),
    ("$.book[*].price", [8.95, 12.99, 8.99]),
    ("$.book[0,2].title", ["Sayings", "Moby"]),
    ("$.book[:2].title", ["Sayings", "Sword"]),
    ("$.book[1:].title", ["Sword", "Moby"]),
    ("$.book[-1:].title", ["Moby"]),
    ("$..color", ["red"]),
    ("$..price", [8.95, 12.99, 8.99, 19.95]),
    ("$.book[?(@.isbn)].title", ["Moby"]),
    ("$.book[?(@.price < 10)].title", ["Sayings", "Moby"]),
    ("$.book[?(@.price < 10 && @.category == 'fiction')].title", ["Moby"]),
    ("$.book[?(@.category=='reference' || @.price>12)].title", ["Sayings", "Sword"]),
    ("$.book[?(!(@.price < 10))].title", ["Sword"]),
    ("$.book[?(@.category in ['fiction'])].title", ["Sword", "Moby"]),
    ("$.book[?(@.price > $.bicycle.price)]", []),
    ("$.book[?(@.title contains 'Mo')].isbn", ["0-553"]),
    ("$.book[?(@.title =~ /S.*/)].title", ["Sayings", "Sword"]),
    ("$.book[?(@.title =~ /sword/i)].title", ["Sword"]),
    ("$.book[?(@.title =~ /word/)].title", []),
    ("$.book[?(@.price =~ /.*/)].title", []),
    ("$.book[?(@.isbn=~/\\d-\\d{3}/ && @.price<9)].title", ["Moby"]),
    ("$.book.length()", 3),
    ("$.book[*].price.max()", 12.99),
    ("$['bicycle','nothing']", {"bicycle": {"color": "red", "price": 19.95}}),
    ("$.nothing[*].x", []),
    ("$.nothing[1:2]", []),
    ("$.nothing", MISSING),
    ("$.book.title", MISSING),
    ("$.book[7]", MISSING),
    ("$.bicycle[0]", MISSING),
    ("$$.Execution.Id", "e"),
    ("$v[1].a", 2),
    ("$größe", 3),
    ("$unset", MISSING),
]


@pytest.mark.parametrize(("path", "expected"), FOUND)
def test_finds(path: str, expected: Any) -> None:
    assert find(path, STORE) == expected


REFUSED = [
    "",
    "x",
    "$.",
    "$..",
    "$[",
    "$[]",
    "$['a",
    "$.a b",
    "$[1:2:3]",
    "$.[0]",
    "$.a[?(@.x]",
    "$.a[?(@.x == )]",
    "$a b",
    "$.a.length().b",
    "$" * 3,
]


@pytest.mark.parametrize("path", REFUSED)
def test_refuses(path: str) -> None:
    with pytest.raises(InvalidPath):
        parse_path(path)


@pytest.mark.parametrize("path", ["$.a[*]", "$..a", "$.a[0,1]", "$.a[1:]", "$.a[?(@.b)]", "$['a','b']", "$.a.length()"])
def test_reference_paths_name_one_place(path: str) -> None:
    parse_path(path)
    with pytest.raises(InvalidPath):
        parse_reference(path)


PLACES = [
    ("$", {"a": 1}, 2),
    ("$.b", {"a": 1}, {"a": 1, "b": 2}),
    ("$.b.c.d", {"a": 1}, {"a": 1, "b": {"c": {"d": 2}}}),
    ("$.a", {"a": 1}, {"a": 2}),
    ("$.l[1]", {"l": [0, 1]}, {"l": [0, 2]}),
    (None, {"a": 1}, {"a": 1}),
]


@pytest.mark.parametrize(("path", "data", "expected"), PLACES)
def test_result_path(path: str | None, data: Any, expected: Any) -> None:
    before = json.dumps(data)
    place = compile_place(path)
    assert (place(data, 2) if place else 2) == expected
    assert json.dumps(data) == before


@pytest.mark.parametrize(("path", "data"), [("$.a", 1), ("$.a.b", {"a": 1}), ("$.l[9]", {"l": []}), ("$[0]", {})])
def test_result_path_that_does_not_fit(path: str, data: Any) -> None:
    place = compile_place(path)
    assert place
    with pytest.raises(Failure) as caught:
        place(data, 2)
    assert caught.value.error == "States.ResultPathMatchFailure"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab$.", max_size=3), inner, max_size=4),
    max_leaves=20,
)
PATH_TEXT = st.text("$@.[]()?*:,'\"ab01-<>=!&| \\", max_size=30)


@given(PATH_TEXT.map(lambda text: "$" + text), JSON)
def test_any_text_is_a_path_or_refused(text: str, data: Any) -> None:
    try:
        path = parse_path(text)
    except InvalidPath:
        return
    found = path.find(data, Surroundings())
    assert path.definite or isinstance(found, list)


@given(JSON)
def test_every_member_is_found_where_it_stands(data: Any) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            if not set(key) & set("'\\"):
                assert find(f"$['{key}']", data) is value


def test_a_path_cannot_multiply_without_end() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep, "b": [1, 2]}
    with pytest.raises(Failure):
        find("$..*..*..*..*", deep)


@pytest.mark.parametrize(
    "text", ["$" + "[" * 9_000, "$" + ".a" * 4_999, "$[?(" + "(" * 9_000, "$.." * 3_000, "$" + "[0]" * 3000]
)
def test_huge_paths(text: str) -> None:
    try:
        parse_path(text).find({}, Surroundings())
    except InvalidPath as refused:
        message = str(refused)
    else:
        message = ""
    assert len(message) < 500
