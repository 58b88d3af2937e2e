from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pystac.layout import LayoutTemplate

from cirrus.core.path_template import DEFAULT, check, is_url, resolve, substitute, variables
from cirrus.errors import UploadError

REAL_ITEMS = Path(__file__).parents[3] / "shared/data/items/real_items.json"

TEMPLATES = [
    DEFAULT,
    "${collection}/${year}/${month}/${day}/${id}",
    "s3://bucket/${collection}/${date}/${id}",
    "${id}",
    "no variables",
    "",
    "${proj:code}/${id}",
    "${eo:cloud_cover}",
    "${platform}/${constellation}",
    "${datetime}/x",
    "${created}",
    "${properties.datetime}",
    "${common_metadata.platform}",
    "${properties}",
    "${unknown}",
    "${properties.unknown}",
    "${bbox}",
    "${stac_extensions}",
    "$${id}",
    "${id}${id}",
    "{id}/x",
    "{{id}}/${id}",
    "${id!r}/x",
    "${id:}/x",
]


def item(**properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": "S2_x",
        "collection": "sentinel-2",
        "geometry": None,
        "properties": {"datetime": "2020-05-08T01:02:03Z", **properties},
        "links": [],
        "assets": {},
    }


def theirs(template: str, source: dict[str, Any]) -> str:
    return str(LayoutTemplate(template).substitute(pystac.Item.from_dict(source, migrate=False)))


def agree(template: str, source: dict[str, Any]) -> None:
    try:
        expected = theirs(template, source)
    except (pystac.TemplateError, ValueError):
        with pytest.raises(UploadError):
            substitute(template, source)
    else:
        assert substitute(template, source) == expected


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    "source",
    [
        item(),
        item(platform="landsat-8", created="2021-01-01T00:00:00Z", **{"proj:code": "EPSG:32621"}),
        item(datetime=None, start_datetime="2019-12-31T23:00:00-05:00", end_datetime="2020-01-02T00:00:00Z"),
        item(datetime="2020-01-01T00:30:00.123456+02:00"),
        {**item(), "collection": None},
        {**item(), "further": {"a": 1}},
    ],
)
def test_as_stactask(template: str, source: dict[str, Any]) -> None:
    agree(template, source)


def real_items() -> list[dict[str, Any]]:
    if not REAL_ITEMS.exists():
        pytest.skip(f"real Items are not there: {REAL_ITEMS}")
    return list(json.loads(REAL_ITEMS.read_text())["features"])


def test_as_stactask_over_real_items() -> None:
    for source in real_items():
        own = [f"x/${{{name}}}" for name in source["properties"]]
        for template in [*TEMPLATES, *own]:
            if "proj:" not in template:
                agree(template, source)


def test_as_stactask_over_real_items_as_it_migrates_them() -> None:
    for source in real_items():
        migrated = pystac.Item.from_dict(source)
        for name in migrated.properties:
            template = f"${{{name}}}/${{collection}}"
            try:
                expected = LayoutTemplate(template).substitute(migrated)
            except pystac.TemplateError:
                continue
            assert substitute(template, source) == expected, (source["id"], name)


names = st.sampled_from(["id", "collection", "year", "month", "day", "date", "a:b", "mgrs:utm_zone", "plain", "x.y"])
pieces = st.one_of(names.map("${{{}}}".format), st.text("ab/-{}$:.", max_size=4))
values = st.one_of(st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(pieces, max_size=6).map("".join),
    st.dictionaries(st.sampled_from(["a:b", "mgrs:utm_zone", "plain"]), values),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.text("abc${}", min_size=1, max_size=5),
)
def test_as_stactask_for_any_template(template: str, properties: dict[str, Any], at: str, name: str) -> None:
    agree(template, {**item(**properties, datetime=at), "id": name})


def test_methods_are_no_values() -> None:
    with pytest.raises(UploadError, match=r"\$\{clone\}"):
        substitute("${clone}", item())


@pytest.mark.parametrize(
    "place",
    [
        "../x",
        "a/../b",
        "a/..",
        "/etc/passwd",
        "~/x",
        "a\x00b",
        "a\nb",
        "\\x",
        "a\\..\\b",
        "s3://b/../c",
        "file:///a/%2e%2e/b",
    ],
)
def test_escapes_are_refused(place: str) -> None:
    with pytest.raises(UploadError):
        check(place)


@pytest.mark.parametrize("place", ["a/b", "a..b/c", "...", "s3://b/c", "file:///abs/x", "a b/ü", "%2e%2e/x", "a/./b"])
def test_what_stays_below_its_root_passes(place: str) -> None:
    check(place)


@pytest.mark.parametrize("name", ["../../x", "..", "a/../../b"])
def test_ids_do_not_escape(name: str) -> None:
    with pytest.raises(UploadError):
        resolve("${collection}/${id}/x", {**item(), "id": name})


def test_a_property_may_name_the_store_but_an_id_may_not() -> None:
    assert resolve("${store}/${id}", item(store="gs://bucket")) == "gs://bucket/S2_x"
    with pytest.raises(UploadError, match="may not name a store"):
        resolve("${id}/x", {**item(), "id": "file:///etc"})
    with pytest.raises(UploadError, match="may not name a store"):
        resolve("${collection}/${id}", {**item(), "collection": "s3:/", "id": "other-bucket"})


def test_the_error_names_template_item_and_variable() -> None:
    with pytest.raises(UploadError, match=r"x/\$\{eo:cloud_cover\}.*'S2_x'.*\$\{eo:cloud_cover\}"):
        resolve("x/${eo:cloud_cover}", item())
    with pytest.raises(UploadError, match="does not parse"):
        resolve("${id", item())
    with pytest.raises(UploadError, match="'S2_x': its datetime is no date-time"):
        resolve("${datetime}", item(datetime="yesterday"))
    with pytest.raises(UploadError, match="no value for"):
        resolve("${id}", {**item(), "id": None})
    with pytest.raises(UploadError, match="'yesterday' is no date-time"):
        resolve("${year}", item(datetime="yesterday"))


def test_variables_and_urls() -> None:
    assert variables("s3://b/${collection}/${mgrs:utm_zone}") == ["collection", "mgrs:utm_zone"]
    assert is_url("s3://b/c")
    assert not is_url("a/b")
    assert not is_url("C:/x")
