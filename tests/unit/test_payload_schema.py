"""The JSON Schema of a payload says what the validator says."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus.core.definition import FIELDS, UPLOAD_FIELDS
from cirrus.core.payload import accept, reference
from cirrus.core.payload_schema import payload_schema
from cirrus.errors import InvalidPayload

SCHEMA = jsonschema_rs.validator_for(payload_schema())
MORE_THAN_A_SHAPE = re.compile(
    r"is no regular expression|does not parse as JSONPath|cannot be applied|cannot be searched for|its workflow is|"
    r"'/workflow-' twice|as a path component|an empty path component|holds a control character"
)
"""What the validator refuses, in its words, and no schema can: expressions, and ids as a whole."""

FULL: dict[str, Any] = {
    "type": "FeatureCollection",
    "id": "c/workflow-w/a/b",
    "features": [
        {"id": "a", "collection": "c", "geometry": None, "bbox": [1, 2], "properties": {}, "assets": {}, "links": []},
        {"id": "b", "extra": 1},
    ],
    "process": [
        {
            "workflow": "w",
            "description": "d",
            "collections": "c",
            "replace": True,
            "continue_from": "x",
            "tasks": {"t": {"a": 1}},
            "workflow_options": {"b": 2},
            "upload_options": {
                "path_template": "${collection}/${id}",
                "public_assets": "ALL",
                "headers": {},
                "s3_urls": True,
            },
            "collection_matchers": [
                {"type": "jsonpath", "pattern": "$[?(@.id =~ 'a.*')]", "collection_name": "x"},
                {"type": "catch_all", "collection_name": "y"},
            ],
            "collection_options": {"x": {"upload_options": {"path_template": "p", "public_assets": ["q"]}}},
        },
        [{"workflow": "v", "chain_filter": "@.id == 'a'"}, {"workflow": "u"}],
        {"workflow": "z", "upload_options": {"collections": {"k": "a.*"}}},
    ],
}
NULLED = [None, "", "w", "_", 0, 1.5, True, [], {}, [[]], [{}], {"a": None}, "a/../b", "..", " ", "ALL", ["ALL"]]
NAMES = st.sampled_from(
    [*(one.name for one in (*FIELDS, *UPLOAD_FIELDS)), "id", "url", "type", "features", "process", "links", "other"]
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(place for key, part in parts for place in places(part, (*here, key)))]


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """The full document after some changes at any place: another value, a part taken out, a part added."""
    document = copy.deepcopy(FULL)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(places(document)))
        value = draw(st.sampled_from(NULLED) | st.text(max_size=4) | st.sampled_from([FULL["process"], FULL["id"]]))
        if not place:
            document = draw(st.sampled_from([document, document, value]))
            if not isinstance(document, dict):
                return document
            continue
        *above, last = place
        parent: Any = document
        for key in above:
            parent = parent[key]
        how = draw(st.sampled_from(["set", "set", "remove", "add"]))
        if how == "set":
            parent[last] = copy.deepcopy(value)
        elif how == "remove":
            del parent[last]
        elif isinstance(parent, dict):
            parent[draw(NAMES)] = copy.deepcopy(value)
        else:
            parent.append(copy.deepcopy(value))
    return document


def refused(document: Any) -> list[str]:
    """What is wrong with a document in the validator's words; one that only points elsewhere is no payload yet."""
    if reference(document) is not None:
        return []
    try:
        accept(document)
    except InvalidPayload as error:
        return list(error.problems)
    return []


@given(documents())
@settings(max_examples=1500, deadline=None)
def test_schema_and_validator_agree(document: Any) -> None:
    problems = refused(document)
    shape = [problem for problem in problems if not MORE_THAN_A_SHAPE.search(problem)]
    if not problems:
        assert SCHEMA.is_valid(document), [str(error) for error in SCHEMA.iter_errors(document)]
    elif shape:
        assert not SCHEMA.is_valid(document), shape


@pytest.mark.parametrize(
    "given_id",
    [
        "a/workflow-w/b",
        "a/b/workflow-w/c/d",
        "no",
        "a/workflow-w/",
        "a/workflow-w/../b",
        "/workflow-w/b",
        "a//workflow-w/b",
        "a/workflow-w/b\n",
        "a/workflow-w/x/workflow-w/y",
        "a/workflow-w_/b",
        "../workflow-w/b",
        "a/workflow-w/b..",
    ],
)
def test_ids_are_refused_alike(given_id: str) -> None:
    document = {**FULL, "id": given_id}
    assert SCHEMA.is_valid(document) == (not refused(document))


def test_every_field_has_its_shape_and_meaning() -> None:
    parts = payload_schema()["$defs"]
    for name, fields in (("process_definition", FIELDS), ("upload_options", UPLOAD_FIELDS)):
        told = parts[name]["properties"]
        assert {key: one["description"] for key, one in told.items()} == {one.name: one.meaning for one in fields}


def test_the_schema_is_one() -> None:
    assert json.loads(json.dumps(payload_schema())) == payload_schema()
    jsonschema_rs.meta.validate(payload_schema())
