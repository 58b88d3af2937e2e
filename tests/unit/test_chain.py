from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.chain import Chain, chain
from cirrus.core.item_filter import check_filter, matching_items
from cirrus.core.payload import accept
from cirrus.errors import InvalidPayload
from cirrus.testing.builders import document, item

A, B, C, D = ({"workflow": name} for name in "abcd")
SCENES = [
    item("one", **{"eo:cloud_cover": 5, "platform": "sentinel-2a"}),
    item("two", **{"eo:cloud_cover": 50, "platform": "sentinel-2b"}),
    item("three", **{"eo:cloud_cover": 95, "platform": "landsat-8"}),
]


def follow(process: Any, items: list[dict[str, Any]] | None = None) -> Chain:
    output = {"type": "FeatureCollection", "id": "x", "features": SCENES if items is None else items, "extra": 1}
    return chain({**output, "process": process}, process)


@pytest.mark.parametrize(
    ("process", "following"),
    [
        ([A], []),
        ([A, B], [[B]]),
        ([A, B, C], [[B, C]]),
        ([A, [B, C]], [[B], [C]]),
        ([A, [B, C], D], [[B, D], [C, D]]),
        ([A, [B], [C, D]], [[B, [C, D]]]),
        ([A, B, [C, D], A], [[B, [C, D], A]]),
        ([], []),
        (None, []),
        (A, []),
    ],
)
def test_what_follows(process: Any, following: list[Any]) -> None:
    found = follow(process)
    assert [one["process"] for one in found.next] == following
    assert found.ended == ()
    for one in found.next:
        assert "id" not in one
        assert one["extra"] == 1
        assert one["features"] == SCENES


def test_the_example_runs_to_its_end() -> None:
    """`[A, [B, C], D]`: A, then B and C on A's output, then D after each of them."""
    ran = []
    pending: list[Any] = [document("x", process=[A, [B, C], D])]
    while pending:
        payload = accept(pending.pop(0))
        ran.append(payload.workflow)
        pending += chain(payload.document, payload.document["process"]).next
    assert ran == ["a", "b", "c", "d", "d"]


@pytest.mark.filterwarnings("ignore:The `&` operator:DeprecationWarning")
@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("@.id == 'one'", ["one"]),
        ("@.properties.'eo:cloud_cover' < 60", ["one", "two"]),
        ("@.properties.platform =~ 'sentinel-2.*'", ["one", "two"]),
        ("@.properties.platform =~ '.*8'", ["three"]),
        ("@.properties.'eo:cloud_cover' > 10 & @.properties.'eo:cloud_cover' < 90", ["two"]),
        ("@.properties.platform", ["one", "two", "three"]),
        ("@.collection == 'scenes'", ["one", "two", "three"]),
    ],
)
def test_filter(expression: str, left: list[str]) -> None:
    found = follow([A, {**B, "chain_filter": expression}])
    assert [one["id"] for one in found.next[0]["features"]] == left
    assert found.next[0]["process"] == [{**B, "chain_filter": expression}]


@pytest.mark.parametrize(
    ("process", "items", "ended"),
    [
        ([A, B], [], ["b: the output has no Items"]),
        ([A, [B, C]], [], ["b: the output has no Items", "c: the output has no Items"]),
        ([A, {**B, "chain_filter": "@.id == 'x'"}], None, ["b: chain_filter \"@.id == 'x'\" left no Items"]),
        ([A], [], []),
    ],
)
def test_branch_that_ends_says_why(process: Any, items: Any, ended: list[str]) -> None:
    assert follow(process, items) == Chain((), tuple(ended))


def test_one_branch_ends_and_the_other_goes_on() -> None:
    found = follow([A, [{**B, "chain_filter": "@.id == 'x'"}, C], D])
    assert [one["process"] for one in found.next] == [[C, D]]
    assert [reason.partition(":")[0] for reason in found.ended] == ["b"]


def test_filter_of_a_later_element_is_left_for_later() -> None:
    later = {**C, "chain_filter": "@.id == 'x'"}
    assert follow([A, B, later]).next[0]["process"] == [B, later]


@pytest.mark.parametrize("output", [None, 5, "text", [], {}, {"features": None}, {"features": "x"}])
def test_output_that_is_no_payload_has_no_items(output: Any) -> None:
    assert chain(output, [A, B]) == Chain((), ("b: the output has no Items",))


def test_filter_that_does_not_parse_ends_its_branch() -> None:
    assert "does not parse" in follow([A, {**B, "chain_filter": "@.x =="}]).ended[0]


DEFINITION = st.builds(lambda name: {"workflow": name}, st.sampled_from("abcdef"))
ELEMENT = DEFINITION | st.lists(DEFINITION, min_size=1, max_size=3)
ITEMS = st.lists(st.builds(lambda name: {"id": name}, st.text("xyz", min_size=1, max_size=3)), max_size=4)


@given(DEFINITION, st.lists(ELEMENT, max_size=3), ITEMS)
def test_nothing_is_lost(first: Any, rest: list[Any], items: list[dict[str, Any]]) -> None:
    """Every branch of the next element is queued with all Items and the whole rest, or has ended with a reason."""
    found = follow([first, *rest], items)
    branches = [] if not rest else rest[0] if isinstance(rest[0], list) else [rest[0]]
    assert len(found.next) + len(found.ended) == len(branches)
    assert [one["process"] for one in found.next] == ([[branch, *rest[1:]] for branch in branches] if items else [])
    assert all(one["features"] == items for one in found.next)


@given(st.lists(st.integers(0, 100), max_size=8), st.integers(0, 100))
def test_filter_keeps_what_matches_in_order(values: list[int], limit: int) -> None:
    items = [{"id": str(n), "properties": {"v": value}} for n, value in enumerate(values)]
    assert matching_items(items, f"@.properties.v < {limit}") == [i for i in items if i["properties"]["v"] < limit]


@given(st.text(max_size=20))
def test_any_filter_parses_or_is_refused(expression: str) -> None:
    try:
        check_filter(expression)
        matching_items(SCENES, expression)
    except InvalidPayload:
        pass
