from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.publication import output_items, output_url, publication
from cirrus.testing.builders import item

NAMES = {
    *("collection", "bbox.ll_lon", "bbox.ll_lat", "bbox.ur_lon", "bbox.ur_lat", "start_datetime", "end_datetime"),
    *("datetime", "cloud_cover", "status"),
}


def attributes(**changes: Any) -> dict[str, Any]:
    return dict(publication({**item("x"), **changes}).attributes)


def test_item_with_everything() -> None:
    full = item(
        "x",
        **{
            "start_datetime": "2026-05-18T09:00:00Z",
            "end_datetime": "2026-05-18T11:00:00Z",
            "eo:cloud_cover": 12.5,
            "created": "2026-05-19T00:00:00Z",
            "updated": "2026-05-19T00:00:00Z",
        },
    )
    found = publication({**full, "bbox": [1, 2, 3, 4]})
    assert found.item == {**full, "bbox": [1, 2, 3, 4]}
    assert found.attributes == {
        "collection": "scenes",
        "bbox.ll_lon": 1,
        "bbox.ll_lat": 2,
        "bbox.ur_lon": 3,
        "bbox.ur_lat": 4,
        "start_datetime": "2026-05-18T09:00:00Z",
        "end_datetime": "2026-05-18T11:00:00Z",
        "datetime": "2026-05-18T10:00:00Z",
        "cloud_cover": 12.5,
        "status": "created",
    }
    assert found.attributes.keys() == NAMES


@pytest.mark.parametrize(
    ("bbox", "corners"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4]),
        ([1, 2, -10, 3, 4, 90], [1, 2, 3, 4]),
        ([1.5, -2.5, 3, 4], [1.5, -2.5, 3, 4]),
        (None, None),
        ([], None),
        ([1, 2, 3], None),
        ([1, 2, 3, 4, 5], None),
        ([1, 2, 3, None], None),
        (["1", "2", "3", "4"], None),
        ([True, 2, 3, 4], None),
        ("1,2,3,4", None),
        ({}, None),
    ],
)
def test_corners_of_the_bbox(bbox: Any, corners: list[float] | None) -> None:
    found = attributes(bbox=bbox)
    names = ("bbox.ll_lon", "bbox.ll_lat", "bbox.ur_lon", "bbox.ur_lat")
    assert [found[name] for name in names if name in found] == (corners or [])


@pytest.mark.parametrize(
    ("properties", "times"),
    [
        ({"datetime": "D"}, {"start_datetime": "D", "end_datetime": "D", "datetime": "D"}),
        ({"datetime": None}, {}),
        ({}, {}),
        ({"datetime": None, "start_datetime": "S", "end_datetime": "E"}, {"start_datetime": "S", "end_datetime": "E"}),
        ({"datetime": "D", "start_datetime": "S"}, {"start_datetime": "S", "end_datetime": "D", "datetime": "D"}),
        ({"datetime": "D", "end_datetime": None}, {"start_datetime": "D", "end_datetime": "D", "datetime": "D"}),
        ({"datetime": 5}, {}),
    ],
)
def test_times(properties: dict[str, Any], times: dict[str, str]) -> None:
    found = attributes(properties=properties)
    assert {name: value for name, value in found.items() if "datetime" in name} == times


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        ({"created": "A", "updated": "A"}, "created"),
        ({"created": "A", "updated": "B"}, "updated"),
        ({"created": "A"}, None),
        ({"updated": "A"}, None),
        ({"created": None, "updated": None}, None),
    ],
)
def test_status(properties: dict[str, Any], status: str | None) -> None:
    assert attributes(properties=properties).get("status") == status


@pytest.mark.parametrize(
    ("value", "kept"), [(0, True), (100, True), (1.5, True), (None, False), ("5", False), (True, False)]
)
def test_cloud_cover(value: Any, kept: bool) -> None:
    assert ("cloud_cover" in attributes(properties={"eo:cloud_cover": value})) == kept


@pytest.mark.parametrize("wrong", [{"properties": None}, {"properties": []}, {"collection": None}, {"collection": 5}])
def test_wrong_types_make_no_attributes(wrong: dict[str, Any]) -> None:
    assert attributes(**wrong).keys() <= NAMES
    assert "collection" not in attributes(collection=None)


@given(
    st.dictionaries(
        st.sampled_from(["bbox", "properties", "collection", "id"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=6)
                | st.dictionaries(
                    st.sampled_from(["datetime", "created", "updated", "eo:cloud_cover", "start_datetime"]),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=10,
        ),
    )
)
def test_any_item_makes_at_most_ten_attributes_of_text_and_numbers(found: dict[str, Any]) -> None:
    made = publication(found).attributes
    assert made.keys() <= NAMES
    for name, value in made.items():
        numeric = name.startswith("bbox") or name == "cloud_cover"
        assert isinstance(value, (int, float) if numeric else str)
        assert not isinstance(value, bool)


def test_real_items(shared: Path) -> None:
    items = json.loads((shared / "data" / "items" / "real_items.json").read_text())
    items = items["features"] if isinstance(items, dict) else items
    assert len(items) > 100
    for one in items:
        found = publication(one)
        assert found.item is one
        assert found.attributes.keys() <= NAMES
        assert ("datetime" in found.attributes) == bool(one["properties"].get("datetime"))
        assert ("bbox.ll_lon" in found.attributes) == bool(one.get("bbox"))
        if len(one.get("bbox") or []) == 6:
            assert found.attributes["bbox.ur_lon"] == one["bbox"][3]


@pytest.mark.parametrize(
    ("links", "url"),
    [
        ([{"rel": "self", "href": "s"}, {"rel": "canonical", "href": "c"}], "c"),
        ([{"rel": "self", "href": "s"}, {"rel": "root", "href": "r"}], "s"),
        ([{"rel": "canonical", "href": "c1"}, {"rel": "canonical", "href": "c2"}], "c1"),
        ([{"rel": "canonical", "href": None}, {"rel": "self", "href": "s"}], "s"),
        ([{"rel": "root", "href": "r"}], None),
        ([{"rel": "self"}], None),
        (["x", 5, None], None),
        ([], None),
        (None, None),
        ("x", None),
    ],
)
def test_output_url(links: Any, url: str | None) -> None:
    assert output_url({"links": links}) == url


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        ({"features": [{}, {}]}, 2),
        ({"features": [{}, 5, None]}, 1),
        ({"features": {}}, 0),
        ({}, 0),
        (None, 0),
        ([{}], 0),
    ],
)
def test_output_items(payload: Any, number: int) -> None:
    assert len(output_items(payload)) == number
