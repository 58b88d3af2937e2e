"""Collections are assigned as stactask assigns them; a legacy pattern may also be a regular expression."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stactask.utils import find_collection

from cirrus.core.collection import as_jsonpath, assigned, upload_options, with_jsonpaths
from cirrus.core.placement import placement
from cirrus.entry.stac_task import adapt
from cirrus.errors import InvalidPayload

ITEM = {
    "id": "S2A_T10SDG_1",
    "collection": "raw",
    "properties": {"eo:cloud_cover": 12, "datetime": "2024-01-02T00:00Z"},
}


def matcher(pattern: str, name: str) -> dict[str, Any]:
    return {"type": "jsonpath", "pattern": pattern, "collection_name": name}


REST = {"type": "catch_all", "collection_name": "rest"}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({}, "raw"),
        ({"collection_matchers": [matcher("$[?(@.id =~ 'S2.*')]", "s2"), REST]}, "s2"),
        ({"collection_matchers": [matcher("$[?(@.id =~ 'LC.*')]", "landsat"), REST]}, "rest"),
        ({"collection_matchers": [matcher("$[?(@.id =~ 'LC.*')]", "landsat")]}, "raw"),
        ({"collection_matchers": [matcher("$[?(@.properties.'eo:cloud_cover' < 20)]", "clear"), REST]}, "clear"),
        ({"upload_options": {"collections": {"l8": "^LC08", "s2": "T10S"}}}, "s2"),
        ({"upload_options": {"collections": {"s2": "$[?(@.collection == 'raw')]"}}}, "s2"),
    ],
)
def test_the_first_that_matches_wins(definition: dict[str, Any], expected: str) -> None:
    assert assigned(definition, ITEM) == expected


PATHS = ["$[?(@.id =~ 'a')]", "$[?(@.n > 1)]", "$", "$[*]", "$[0].id", "$[?(@.tags[*] == 'x')]", "$..tags[*]"]
items = st.fixed_dictionaries(
    {"id": st.text("abc", min_size=1, max_size=3)},
    optional={"collection": st.just("given"), "n": st.integers(0, 3), "tags": st.lists(st.sampled_from("xy"))},
)


@given(st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from("pqr")), max_size=3), items)
def test_as_stactask_does(rules: list[tuple[str, str]], item: dict[str, Any]) -> None:
    matchers = [matcher(path, name) for path, name in rules]
    expected = find_collection(matchers, item) or item.get("collection")
    assert assigned({"collection_matchers": matchers}, item) == expected
    legacy = {name: path for path, name in rules}
    expected = find_collection(legacy, item) or item.get("collection")
    assert assigned({"upload_options": {"collections": legacy}}, item) == expected


def test_an_unmodified_task_is_given_paths_for_regular_expressions() -> None:
    definition = {"workflow": "w", "upload_options": {"collections": {"s2": r"^S2A_T\d+"}}}
    process, adapted = adapt({"features": [], "process": [definition]}, None, "task")
    assert process == [definition]
    rules = adapted["process"][0]["upload_options"]["collections"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert find_collection(rules, ITEM) == "s2"


def test_paths_are_left_as_they_are() -> None:
    definition = {"upload_options": {"collections": {"s2": "$[?(@.id =~ 'x')]"}}}
    assert with_jsonpaths(definition) is definition


def test_a_pattern_that_can_be_no_path_is_refused() -> None:
    with pytest.raises(InvalidPayload, match="both kinds of quotes"):
        as_jsonpath("a'b\"c")


def test_options_of_a_collection_replace_the_global_ones_whole() -> None:
    definition = {
        "upload_options": {"path_template": "a", "s3_urls": True},
        "collection_options": {"s2": {"upload_options": {"path_template": "b"}}},
    }
    assert upload_options(definition, "s2") == {"path_template": "b"}
    assert upload_options(definition, "l8") == {"path_template": "a", "s3_urls": True}
    assert upload_options({}, None) == {}


def test_where_an_item_would_go() -> None:
    definition = {
        "collection_matchers": [REST],
        "collection_options": {"rest": {"upload_options": {"path_template": "s3://b/${collection}/${year}/${id}/"}}},
    }
    assets = {"red": {"href": "https://host/in/B04.jp2?sig=1"}, "none": {}}
    found = placement(definition, {**ITEM, "assets": assets})
    assert found.collection == "rest"
    assert found.folder == "s3://b/rest/2024/S2A_T10SDG_1"
    assert found.item == "s3://b/rest/2024/S2A_T10SDG_1/S2A_T10SDG_1.json"
    assert found.assets == {"red": "s3://b/rest/2024/S2A_T10SDG_1/B04.jp2"}


def test_what_keeps_an_item_from_a_place_is_told() -> None:
    found = placement({"upload_options": {"path_template": "${mgrs:utm_zone}"}}, ITEM)
    assert "has no value for ${mgrs:utm_zone}" in (found.problem or "")
    assert found.item == ""
