from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.payload import accept, read_payload, reference
from cirrus.errors import InvalidPayload
from cirrus.testing.builders import document

GOOD = document("a", "b")
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def problems(**changes: Any) -> str:
    """What is wrong with a good document after changes; a change of `_` to a field removes it."""
    with pytest.raises(InvalidPayload) as refused:
        accept({name: value for name, value in {**GOOD, **changes}.items() if value != "_"})
    return str(refused.value)


def of_process(**changes: Any) -> str:
    return problems(process=[{"workflow": "w", **changes}])


def test_payload_gets_its_id() -> None:
    payload = accept(GOOD)
    assert str(payload.id) == "scenes/workflow-w/a/b"
    assert json.loads(payload.text) == {**GOOD, "id": "scenes/workflow-w/a/b"}
    assert (payload.workflow, payload.replace, payload.warnings) == ("w", False, ())


def test_payload_keeps_what_it_says() -> None:
    full = {
        **GOOD,
        "id": "other/workflow-w/name",
        "extra": {"kept": [1, 2.5, None]},
        "process": [
            {
                "workflow": "w",
                "description": "why",
                "collections": "c",
                "replace": True,
                "tasks": {"t": {"a": 1}},
                "workflow_options": {"b": 2},
                "upload_options": {
                    "path_template": "${collection}/${id}",
                    "collections": {"c": ".*"},
                    "public_assets": "ALL",
                    "headers": {"x": "y"},
                    "s3_urls": True,
                },
                "collection_options": {"c": {"upload_options": {"path_template": "x"}}},
                "more": "ignored",
            },
            [{"workflow": "b"}, {"workflow": "c", "chain_filter": "@.id =~ 'x.*'"}],
            {"workflow": "d"},
        ],
    }
    payload = accept(full)
    assert json.loads(payload.text) == full
    assert payload.replace
    assert read_payload(payload.text) == payload


def test_bare_process_is_read_as_a_list_and_warned_about() -> None:
    payload = accept(document("a", process={"workflow": "w"}))
    assert payload.document["process"] == [{"workflow": "w"}]
    assert "process" in payload.warnings[0]


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "text", [], [GOOD]])
def test_only_an_object_is_a_payload(value: Any) -> None:
    with pytest.raises(InvalidPayload, match="a payload is a JSON object, not"):
        accept(value)


@pytest.mark.parametrize(
    ("changes", "named", "expected"),
    [
        ({"type": "Feature"}, "type", "'FeatureCollection' is expected"),
        ({"type": None}, "type", "'FeatureCollection' is expected"),
        ({"type": 3}, "type", "'FeatureCollection' is expected"),
        ({"id": 3}, "id", "a string is expected, not a number"),
        ({"id": True}, "id", "a string is expected, not a boolean"),
        ({"id": ["a"]}, "id", "a string is expected, not an array"),
        ({"id": ""}, "id ''", "does not match"),
        ({"id": "scenes/workflow-other/a"}, "id", "its workflow is 'other', but process[0].workflow is 'w'"),
        ({"id": "scenes/w/a"}, "id", "does not match <collections>/workflow-<workflow>/<itemids>"),
        ({"id": "/workflow-w/a"}, "id", "does not match"),
        ({"id": "a/workflow-w/"}, "id", "does not match"),
        ({"id": "a/workflow-w"}, "id", "does not match"),
        ({"id": "a/workflow-w/x/workflow-w/y"}, "id", "'/workflow-' twice"),
        ({"id": "../workflow-w/x"}, "id", "'..' as a path component"),
        ({"id": "a/workflow-w/../../x"}, "id", "'..' as a path component"),
        ({"id": "a/workflow-w/./x"}, "id", "'.' as a path component"),
        ({"id": "/etc/workflow-w/x"}, "id", "empty path component"),
        ({"id": "a/workflow-w/x//y"}, "id", "empty path component"),
        ({"id": "a/workflow-w/x\n"}, "id", "control character"),
        ({"id": "a/workflow-w/\x00"}, "id", "control character"),
        ({"features": "_", "id": "_"}, "id", "neither an id nor features"),
        ({"features": []}, "id", "neither an id nor features"),
        ({"features": None}, "features", "an array of Items is expected, not null"),
        ({"features": {}}, "features", "an array of Items is expected, not an object"),
        ({"features": "a"}, "features", "an array of Items is expected, not a string"),
        ({"features": ["a"]}, "features[0]", "an Item (an object) is expected, not a string"),
        ({"features": [{"id": "a"}, None]}, "features[1]", "an Item (an object) is expected, not null"),
        ({"features": [{}]}, "features[0].id", "a string that is not empty is expected"),
        ({"features": [{"id": None}]}, "features[0].id", "not null"),
        ({"features": [{"id": 7}]}, "features[0].id", "not a number"),
        ({"features": [{"id": ""}]}, "features[0].id", "a string that is not empty is expected"),
        ({"features": [{"id": "a\tb"}]}, "features[0].id", "control character"),
        ({"features": [{"id": "a", "collection": 5}]}, "features[0].collection", "a string is expected, not a number"),
        (
            {"features": [{"id": "a", "properties": []}]},
            "features[0].properties",
            "an object is expected, not an array",
        ),
        ({"features": [{"id": "a", "geometry": "x"}]}, "features[0].geometry", "an object is expected, not a string"),
        ({"features": [{"id": "a", "assets": [1]}]}, "features[0].assets", "an object is expected, not an array"),
        ({"features": [{"id": "a", "links": {}}]}, "features[0].links", "an array is expected, not an object"),
        ({"features": [{"id": "a", "bbox": True}]}, "features[0].bbox", "an array is expected, not a boolean"),
        ({"features": [{"id": ".."}]}, "id", "'..' as a path component"),
        ({"features": [{"id": "/abs"}]}, "id", "empty path component"),
        ({"features": [{"id": "workflow-w"}]}, "id", "'/workflow-' twice"),
        ({"process": "_"}, "process", "is missing"),
        ({"process": None}, "process", "an array of process definitions is expected, not null"),
        ({"process": "w"}, "process", "an array of process definitions is expected, not a string"),
        ({"process": 1}, "process", "not a number"),
        ({"process": []}, "process", "at least one process definition"),
        ({"process": ["w"]}, "process[0]", "a process definition (an object) is expected"),
        ({"process": [None]}, "process[0]", "a process definition (an object) is expected"),
        ({"process": [[{"workflow": "w"}]]}, "process[0]", "a process definition (an object) is expected"),
        ({"process": {}}, "process[0].workflow", "is missing"),
        ({"process": [{"workflow": "w"}, {}]}, "process[1].workflow", "is missing"),
        ({"process": [{"workflow": "w"}, "x"]}, "process[1]", "a process definition (an object) is expected"),
        ({"process": [{"workflow": "w"}, []]}, "process[1]", "a branch holds at least one"),
        ({"process": [{"workflow": "w"}, ["x"]]}, "process[1][0]", "a process definition (an object) is expected"),
        ({"process": [{"workflow": "w"}, [[{"workflow": "x"}]]]}, "process[1][0]", "nested deeper than one level"),
        ({"process": [{"workflow": "w"}, [{"workflow": "x_y"}]]}, "process[1][0].workflow", "'_' is not allowed"),
        (
            {"process": [{"workflow": "w"}, {"workflow": "x", "chain_filter": "@.id =="}]},
            "process[1].chain_filter",
            "does not parse",
        ),
        ({"url": 5}, "url", "stands alone"),
        ({"url": "file:///x"}, "url", "stands alone"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], named: str, expected: str) -> None:
    found = problems(**changes)
    assert found.startswith(named)
    assert expected in found


@pytest.mark.parametrize(
    ("field", "value", "named", "expected"),
    [
        ("workflow", None, "workflow", "is missing"),
        ("workflow", 5, "workflow", "letters, digits and '-'"),
        ("workflow", "", "workflow", "letters, digits and '-'"),
        ("workflow", "a/b", "workflow", "letters, digits and '-'"),
        ("workflow", "ü", "workflow", "letters, digits and '-'"),
        ("workflow", "w\n", "workflow", "letters, digits and '-'"),
        ("workflow", "my_flow", "workflow", "'_' is not allowed"),
        ("description", 5, "description", "a string"),
        ("collections", 5, "collections", "a string"),
        ("collections", "", "collections", "not empty"),
        ("replace", "yes", "replace", "true or false"),
        ("replace", 1, "replace", "true or false"),
        ("tasks", [], "tasks", "an object"),
        ("tasks", {"t": 5}, "tasks.t", "an object"),
        ("workflow_options", "x", "workflow_options", "an object"),
        ("upload_options", [], "upload_options", "an object"),
        ("upload_options", {"path_template": 5}, "upload_options.path_template", "a template"),
        ("upload_options", {"path_template": ""}, "upload_options.path_template", "a template"),
        ("upload_options", {"path_template": "../${id}"}, "upload_options.path_template", "'..' is not allowed"),
        ("upload_options", {"collections": []}, "upload_options.collections", "an object"),
        ("upload_options", {"collections": {"c": "("}}, "upload_options.collections.c", "no regular expression"),
        ("upload_options", {"collections": {"c": 5}}, "upload_options.collections.c", "a regular expression"),
        ("upload_options", {"public_assets": 5}, "upload_options.public_assets", "a list of asset names"),
        ("upload_options", {"public_assets": [5]}, "upload_options.public_assets", "a list of asset names"),
        ("upload_options", {"headers": []}, "upload_options.headers", "an object"),
        ("upload_options", {"s3_urls": "no"}, "upload_options.s3_urls", "true or false"),
        ("collection_options", [], "collection_options", "an object"),
        ("collection_options", {"c": 5}, "collection_options.c", "an object"),
        (
            "collection_options",
            {"c": {"upload_options": {"path_template": 1}}},
            "collection_options.c.upload_options.path_template",
            "a template",
        ),
        ("collection_matchers", {}, "collection_matchers", "an array"),
        ("collection_matchers", ["x"], "collection_matchers[0]", "an object"),
        (
            "collection_matchers",
            [{"type": "regex", "collection_name": "c"}],
            "collection_matchers[0].type",
            "'jsonpath' or 'catch_all'",
        ),
        ("collection_matchers", [{"type": "catch_all"}], "collection_matchers[0].collection_name", "the name"),
        (
            "collection_matchers",
            [{"type": "jsonpath", "collection_name": "c"}],
            "collection_matchers[0].pattern",
            "a JSONPath expression",
        ),
        (
            "collection_matchers",
            [{"type": "jsonpath", "collection_name": "c", "pattern": "$["}],
            "collection_matchers[0].pattern",
            "does not parse",
        ),
        ("chain_filter", 5, "chain_filter", "a JSONPath expression"),
        ("chain_filter", " ", "chain_filter", "a JSONPath expression"),
        ("chain_filter", "@.x ==", "chain_filter", "does not parse"),
    ],
)
def test_what_is_wrong_with_a_definition_is_named(field: str, value: Any, named: str, expected: str) -> None:
    found = of_process(**{field: value})
    assert found.startswith(f"process[0].{named}: ")
    assert expected in found
    assert "\n" not in found


def test_matchers_and_legacy_collections_exclude_each_other() -> None:
    found = of_process(
        collection_matchers=[{"type": "catch_all", "collection_name": "c"}],
        upload_options={"path_template": "x", "collections": {"c": ".*"}},
    )
    assert found == "process[0].collection_matchers: cannot be combined with upload_options.collections"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    found = problems(type="x", features=[{"id": 1}], process=[{"workflow": "w", "replace": 1}])
    assert [part.partition(":")[0] for part in found.split("; ")] == ["type", "features[0].id", "process[0].replace"]


def test_messages_stay_short() -> None:
    long = "x" * 1_000_000
    assert len(problems(features=[{}] * 5000)) < 3000
    assert "… and 4980 more" in problems(features=[{}] * 5000)
    for wrong in ({"type": long}, {"id": long}, {"features": [{"id": f"{long}\n"}]}, {"url": long}):
        assert len(problems(**wrong)) < 3000
    for wrong in (
        {"workflow": long + "_"},
        {"description": [long]},
        {"replace": long},
        {"chain_filter": f"@.x == '{long[:20_000]}"},
        {"upload_options": {"path_template": f"../{long}", "collections": {"c": f"({long}"}}},
    ):
        assert len(of_process(**wrong)) < 3000


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ({"url": "s3://b/k"}, "s3://b/k"),
        ({"url": "s3://b/k", "id": "x"}, None),
        ({"url": 5}, None),
        ({}, None),
        ([], None),
        ("url", None),
        (None, None),
    ],
)
def test_reference(value: Any, url: str | None) -> None:
    assert reference(value) == url


def test_payload_without_items_needs_an_id() -> None:
    assert str(accept(document(id="c/workflow-w/x")).id) == "c/workflow-w/x"
    bare = {"id": "c/workflow-w/x", "process": [{"workflow": "w"}]}
    assert str(accept(bare).id) == "c/workflow-w/x"


def test_items_may_be_partial() -> None:
    payload = accept({"features": [{"id": "b"}, {"id": "a", "collection": None}], "process": [{"workflow": "w"}]})
    assert str(payload.id) == "none/workflow-w/a/b"


def accepted_or_refused(text: bytes) -> str:
    """Read a payload: why it was refused, or "" if it reads again as itself."""
    try:
        payload = read_payload(text)
    except InvalidPayload as error:
        return str(error)
    assert read_payload(payload.text) == payload
    return ""


@pytest.mark.parametrize(
    ("depth", "why"), [(190, ""), (300, "deeper"), (1000, "deeper"), (5000, "depth"), (10**5, "depth")]
)
def test_deep_documents_are_read_or_refused(depth: int, why: str) -> None:
    text = json.dumps(document("a")).replace('"links": []', f'"links": {"[" * depth}{"]" * depth}').encode()
    refused = accepted_or_refused(text)
    assert why in refused
    assert bool(why) == bool(refused)


@given(JSON)
def test_any_json_is_a_payload_or_refused(value: Any) -> None:
    with pytest.raises(InvalidPayload):
        accept(value)


@given(st.sampled_from(["type", "id", "features", "process"]), JSON)
def test_any_field_is_good_or_refused(name: str, value: Any) -> None:
    accepted_or_refused(json.dumps({**GOOD, name: value}).encode())


@given(st.sampled_from(["tasks", "upload_options", "collection_matchers", "collection_options", "chain_filter"]), JSON)
def test_any_definition_is_good_or_refused(name: str, value: Any) -> None:
    text = json.dumps(document("a", process=[{"workflow": "w", name: value}])).encode()
    refused = accepted_or_refused(text)
    assert refused == "" or refused.startswith(f"process[0].{name}")


@given(st.binary(max_size=40))
def test_any_bytes_are_refused(text: bytes) -> None:
    with pytest.raises(InvalidPayload):
        read_payload(text)


@pytest.mark.parametrize("kind", [[], {}, ["jsonpath"], None, 1])
def test_a_matcher_of_no_known_type(kind: Any) -> None:
    told = of_process(collection_matchers=[{"type": kind, "collection_name": "c"}])
    assert "process[0].collection_matchers[0].type: 'jsonpath' or 'catch_all' is expected" in told
