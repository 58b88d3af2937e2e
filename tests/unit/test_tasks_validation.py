from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cirrus import schemas
from cirrus.errors import NotFound
from cirrus.tasks.validation import Checked, check_item, validate, validate_item

pytest.importorskip("jsonschema_rs")

REAL_ITEMS = Path(__file__).parents[3] / "shared/data/items/real_items.json"

GOOD: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "a",
    "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
    "bbox": [1.0, 2.0, 1.0, 2.0],
    "properties": {"datetime": "2020-01-01T00:00:00Z"},
    "links": [],
    "assets": {"x": {"href": "/data/a folder/ü.tif"}},
}


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_valid(version: str) -> None:
    assert validate_item({**GOOD, "stac_version": version}) == []
    without = {key: value for key, value in GOOD.items() if key != "bbox"}
    assert validate_item({**without, "stac_version": version, "geometry": None}) == []


@pytest.mark.parametrize("version", schemas.VERSIONS)
@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"id": ""}, "id: "),
        ({"geometry": None}, "bbox: "),
        ({"geometry": 3}, "geometry: no GeoJSON geometry"),
        ({"bbox": [1, 2]}, "bbox: "),
        ({"collection": None}, "collection: null"),
        ({"collection": "c"}, "collection: an Item with a collection needs a link"),
        ({"properties": {}}, "properties: datetime is required"),
        ({"properties": {"datetime": None}}, "properties: datetime is required"),
        ({"properties": {"datetime": "2020-01-01 00:00:00Z"}}, "properties.datetime: "),
        ({"links": [{}]}, "links.0: "),
        ({"assets": {"x": {}}}, "assets.x: "),
    ],
)
def test_what_is_wrong_begins_with_the_field(version: str, change: dict[str, Any], begins: str) -> None:
    found = validate_item({**GOOD, "stac_version": version, **change})
    assert any(line.startswith(begins) for line in found), found
    assert all(len(line) < 300 for line in found)


def test_unknown_versions_are_not_guessed() -> None:
    assert validate_item({**GOOD, "stac_version": "0.9.0"}) == ["stac_version: '0.9.0' is none of 1.0.0, 1.1.0"]
    assert validate_item({})[0].startswith("stac_version: None")


def test_real_items_are_valid() -> None:
    if not REAL_ITEMS.exists():
        pytest.skip(f"real Items are not there: {REAL_ITEMS}")
    for item in json.loads(REAL_ITEMS.read_text())["features"]:
        assert validate_item(item) == []


@pytest.mark.parametrize("version", schemas.VERSIONS)
def test_catalogs_and_collections(version: str) -> None:
    catalog = {"type": "Catalog", "stac_version": version, "id": "a", "description": "x", "links": []}
    assert validate("catalog", catalog) == []
    extent = {"spatial": {"bbox": [[1, 2, 3, 4]]}, "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]}}
    collection = {**catalog, "type": "Collection", "license": "other", "extent": extent}
    assert validate("collection", collection) == []
    assert validate("collection", {**collection, "extent": {}})


def test_no_schema_is_fetched() -> None:
    with pytest.raises(NotFound):
        schemas.load("https://stac-extensions.github.io/eo/v0.0.1/schema.json")


EO = "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
OTHER = "https://example.com/fog/v1.0.0/schema.json"


def extended(*urls: str, **properties: Any) -> dict[str, Any]:
    return {**GOOD, "properties": {**GOOD["properties"], **properties}, "stac_extensions": list(urls)}


def test_an_extension_is_checked_where_its_schema_is_at_hand() -> None:
    assert check_item(extended(EO, **{"eo:cloud_cover": 12})) == Checked((), ())
    found = check_item(extended(EO, **{"eo:cloud_cover": 112}))
    assert found.problems == ("properties.eo:cloud_cover: 112 is greater than the maximum of 100 (eo v1.1.0)",)


def test_an_extension_whose_schema_is_not_at_hand_is_no_failure() -> None:
    assert check_item(extended(OTHER, EO)) == Checked((), (OTHER,))


def test_a_schema_of_ones_own() -> None:
    schema = {"properties": {"properties": {"properties": {"fog": {"type": "number"}}}}}
    assert check_item(extended(OTHER, fog="dense"), {OTHER: schema}).problems == (
        'properties.fog: "dense" is not of type "number" (fog v1.0.0)',
    )


def test_a_schema_that_refers_to_one_that_is_not_at_hand_is_not_checked() -> None:
    schema = {"$ref": "https://example.com/rain/v1.0.0/schema.json"}
    assert check_item(extended(OTHER), {OTHER: schema}) == Checked((), (OTHER,))


def test_the_core_is_checked_as_well() -> None:
    found = check_item({**extended(EO), "links": None})
    assert any(line.startswith("links: ") for line in found.problems)
