from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from stactask.exceptions import InvalidInput

from cirrus.errors import NotFound, StoreError, UploadError
from cirrus.tasks import kit
from cirrus.tasks.errors import ItemError
from cirrus.tasks.publish import Publish

pytest.importorskip("jsonschema_rs")

REAL_ITEMS = Path(__file__).parents[3] / "shared/data/items/real_items.json"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRRUS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("CIRRUS_CATALOG", raising=False)
    return tmp_path / "data"


def item(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": ["https://z.example/v1/schema.json", "https://a.example/v1/schema.json"],
        "id": name,
        "collection": "c",
        "geometry": None,
        "properties": {"datetime": "2020-05-08T00:00:00Z", "proj:epsg": 32621},
        "links": [],
        "assets": {},
        **fields,
    }


def payload(*items: dict[str, Any], **process: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(items), "process": [{"workflow": "w", **process}]}


def rels(published: dict[str, Any]) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in published["links"]}


def test_the_item_stands_at_its_place_and_says_so(data: Path) -> None:
    source = item(links=[{"rel": "license", "href": "https://x.example"}])
    before = deepcopy(source)
    options = {"path_template": "${collection}/${year}/${month}/${id}"}
    (published,) = Publish.handler(payload(source, upload_options=options))["features"]
    place = data / "c/2020/5/a/a.json"
    assert json.loads(place.read_text()) == published
    assert rels(published) == {
        "self": str(place),
        "canonical": str(place),
        "license": "https://x.example",
        "collection": str(data / "c/collection.json"),
    }
    properties = published["properties"]
    assert properties["created"] == properties["updated"]
    del properties["created"], properties["updated"]
    assert {**published, "links": before["links"]} == before
    assert [entry.name for entry in place.parent.iterdir()] == ["a.json"]


def test_a_republication_keeps_created_and_sets_updated() -> None:
    (first,) = Publish.handler(payload(item()))["features"]
    (second,) = Publish.handler(payload(item(properties={"datetime": "2020-05-08T00:00:00Z", "created": "x"})))[
        "features"
    ]
    assert second["properties"]["created"] == first["properties"]["created"]
    assert second["properties"]["updated"] > first["properties"]["updated"]


def test_an_input_s_own_created_is_not_that_of_its_publication() -> None:
    source = item()
    source["properties"]["created"] = "2001-01-01T00:00:00Z"
    (published,) = Publish.handler(payload(source))["features"]
    assert published["properties"]["created"] == published["properties"]["updated"] != "2001-01-01T00:00:00Z"


def test_one_time_for_all_items_of_an_attempt() -> None:
    published = Publish.handler(payload(*(item(f"i{n}") for n in range(50))))["features"]
    assert len({one["properties"]["updated"] for one in published}) == 1
    assert [one["id"] for one in published] == [f"i{n}" for n in range(50)]


def test_a_foreign_file_is_not_overwritten(data: Path) -> None:
    place = data / "c/a/a.json"
    place.parent.mkdir(parents=True)
    place.write_text("[1]")
    with pytest.raises(UploadError, match="no STAC Item"):
        Publish.handler(payload(item()))
    assert place.read_text() == "[1]"


def test_derived_from_leads_to_where_the_item_came_from() -> None:
    source = item(links=[{"rel": "self", "href": "https://api.example/a"}])
    (published,) = Publish.handler(payload(source))["features"]
    assert rels(published)["derived_from"] == "https://api.example/a"
    (again,) = Publish.handler(payload(published))["features"]
    assert [link for link in again["links"] if link["rel"] == "derived_from"] == [
        {"rel": "derived_from", "href": "https://api.example/a", "type": "application/geo+json"}
    ]
    (without,) = Publish.handler(payload(item("b", links=source["links"]), tasks={"publish": {"derived_from": False}}))[
        "features"
    ]
    assert "derived_from" not in rels(without)


def test_collections_are_assigned_before_the_item_is_written(data: Path) -> None:
    matchers = [
        {"type": "jsonpath", "pattern": "$[?(@.collection == 'c')]", "collection_name": "d"},
        {"type": "catch_all", "collection_name": "e"},
    ]
    source = item(links=[{"rel": "collection", "href": "https://api.example/collections/c"}])
    (published,) = Publish.handler(payload(source, collection_matchers=matchers))["features"]
    assert published["collection"] == "d"
    assert rels(published)["collection"] == str(data / "d/collection.json")
    assert json.loads((data / "d/a/a.json").read_text()) == published


def test_a_collection_link_that_fits_is_kept_and_a_catalog_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    href = "https://api.example/collections/c"
    (kept,) = Publish.handler(payload(item(links=[{"rel": "collection", "href": href}])))["features"]
    assert rels(kept)["collection"] == href
    monkeypatch.setenv("CIRRUS_CATALOG", "https://catalog.example/")
    (made,) = Publish.handler(payload(item("b")))["features"]
    assert rels(made)["collection"] == "https://catalog.example/c/collection.json"
    source = item("n")
    del source["collection"]
    (none,) = Publish.handler(payload(source, tasks={"publish": {"path_template": "x"}}))["features"]
    assert "collection" not in rels(none)


def test_options_of_a_collection_replace_the_global_ones(data: Path) -> None:
    own = {"c": {"upload_options": {"path_template": "own/${id}"}}, "d": {"upload_options": {"headers": {}}}}
    Publish.handler(
        payload(
            item(),
            item(collection="d"),
            item("z", collection="e"),
            upload_options={"path_template": "all"},
            collection_options=own,
        )
    )
    files = sorted(str(path.relative_to(data)) for path in data.rglob("*.json"))
    assert files == ["all/z.json", "d/a/a.json", "own/a/a.json"]


def test_its_own_template_wins(data: Path) -> None:
    Publish.handler(
        payload(item(), upload_options={"path_template": "x"}, tasks={"publish": {"path_template": "mine/"}})
    )
    assert (data / "mine/a.json").exists()


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"path_template": 1}, "path_template"),
        ({"path_template": "${id"}, "path_template"),
        ({"validate": "no"}, "validate"),
        ({"derived_from": 0}, "derived_from"),
        ({"path_tmplate": "x"}, "path_tmplate"),
    ],
)
def test_bad_parameters_are_invalid_input(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        Publish.handler(payload(item(), tasks={"publish": parameters}))


def test_options_of_the_workflow_are_for_any_task() -> None:
    Publish.handler(payload(item(), workflow_options={"somebody_elses": 1, "validate": True}))


def test_nothing_is_written_unless_all_can_be(data: Path) -> None:
    with pytest.raises(ItemError, match=r"Item 'b': .*assets"):
        Publish.handler(payload(item(), item("b", assets=[])))
    with pytest.raises(ItemError, match="twice"):
        Publish.handler(payload(item(), item()))
    with pytest.raises(ItemError, match="place of Item 'a'"):
        Publish.handler(payload(item(), item(collection="d"), upload_options={"path_template": "x"}))
    with pytest.raises(UploadError, match=r"'\.\.'"):
        Publish.handler(payload(item(), item("../../b")))
    with pytest.raises(UploadError, match="no value"):
        Publish.handler(payload(item(), item("b"), upload_options={"path_template": "${grid:code}/${id}"}))
    assert not data.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "id: must be"),
        ({"id": ""}, "id: must be"),
        ({"collection": ["c"]}, "collection: must be"),
        ({"properties": {"datetime": "2020-05-08T00:00:00Z", "a": [{"b": float("nan")}]}}, r"properties\.a\.0\.b: NaN"),
    ],
)
def test_what_no_item_may_be(data: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ItemError, match=said):
        Publish.handler(payload(item(), item("b", **change) if "id" not in change else item(change["id"])))
    assert not data.exists()


def test_validation_can_be_switched_off(data: Path) -> None:
    Publish.handler(payload(item(stac_version="0.9.0"), tasks={"publish": {"validate": False}}))
    assert (data / "c/a/a.json").exists()


def test_without_uploads_nothing_is_written(data: Path) -> None:
    (published,) = Publish.handler(payload(item()), upload=False)["features"]
    assert rels(published)["self"] == str(data / "c/a/a.json")
    assert not data.exists()


class Bucket:
    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.types: dict[str, str | None] = {}
        self.broken = False

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        self.held[url] = data
        self.types[url] = content_type

    def get(self, url: str) -> bytes:
        if self.broken:
            raise StoreError("timed out")
        if url not in self.held:
            raise NotFound("object", url)
        return self.held[url]

    def exists(self, url: str) -> bool:
        return url in self.held


def test_the_worker_s_store_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRRUS_DATA", "gs://bucket/root/")
    bucket = Bucket()
    with kit.provided(bucket):
        Publish.handler(payload(item()))
        Publish.handler(payload(item("b"), upload_options={"path_template": "s3://other/${id}"}))
        assert list(bucket.held) == ["gs://bucket/root/c/a/a.json", "s3://other/b/b.json"]
        assert set(bucket.types.values()) == {"application/geo+json"}
        bucket.broken = True
        with pytest.raises(StoreError):
            Publish.handler(payload(item()))


def test_real_items_are_published_as_they_are(data: Path) -> None:
    if not REAL_ITEMS.exists():
        pytest.skip(f"real Items are not there: {REAL_ITEMS}")
    found = {}
    for one in json.loads(REAL_ITEMS.read_text())["features"]:
        one.setdefault("collection", "none")
        found[one["collection"], one["id"]] = one
    sources = list(found.values())
    before = deepcopy(sources)
    published = Publish.handler(payload(*sources))["features"]
    for old, new in zip(before, published, strict=True):
        times = ("created", "updated")
        kept = {key: value for key, value in new["properties"].items() if key not in times}
        assert kept == {key: value for key, value in old["properties"].items() if key not in times}
        assert {**new, "links": 0, "properties": 0} == {**old, "links": 0, "properties": 0}
        links = [link for link in old.get("links", []) if link["rel"] not in ("self", "canonical", "collection")]
        assert [link for link in new["links"] if link in links] == links
    assert len(list(data.rglob("*.json"))) == len(sources)


def test_thousands_of_items_in_one_payload(data: Path) -> None:
    Publish.handler(payload(*(item(f"i{n}") for n in range(2000)), upload_options={"path_template": "x"}))
    assert sum(1 for _ in (data / "x").iterdir()) == 2000


# ---------------------------------------------------------------- what an execution was given


def sources_of(*given: tuple[str, str | None]) -> str:
    return json.dumps(given)


@pytest.mark.parametrize(
    ("given", "links"),
    [
        ([("a", "s3://in/a.json")], ["s3://in/a.json"]),
        ([("a", "s3://in/a.json"), ("b", "s3://in/b.json")], ["s3://in/a.json"]),
        ([("x", "s3://in/x.json")], ["s3://in/x.json"]),
        ([("x", "s3://in/x.json"), ("y", "s3://in/y.json"), ("z", None)], ["s3://in/x.json", "s3://in/y.json"]),
        ([(f"x{n}", f"s3://in/{n}.json") for n in range(101)], []),
        ([("a", None)], []),
        ([], []),
    ],
)
def test_items_link_to_what_the_execution_was_given(given: list[Any], links: list[str]) -> None:
    with kit.sourced(sources_of(*given)):
        (published,) = Publish.handler(payload(item("a")))["features"]
    assert [link["href"] for link in published["links"] if link["rel"] == "derived_from"] == links


def test_links_that_a_task_has_made_are_enough_where_several_items_were_given() -> None:
    own = [{"rel": "derived_from", "href": "s3://in/x.json"}]
    with kit.sourced(sources_of(("x", "s3://in/x.json"), ("y", "s3://in/y.json"))):
        (published,) = Publish.handler(payload(item("a", links=own)))["features"]
    assert [link["href"] for link in published["links"] if link["rel"] == "derived_from"] == ["s3://in/x.json"]


def test_no_item_is_derived_from_itself_nor_links_twice(data: Path) -> None:
    place = str(data / "c/a/a.json")
    came_from = [{"rel": "self", "href": "s3://in/a.json"}]
    with kit.sourced(sources_of(("a", "s3://in/a.json"), ("a", place))):
        (published,) = Publish.handler(payload(item("a", links=came_from)))["features"]
    assert [link["href"] for link in published["links"] if link["rel"] == "derived_from"] == ["s3://in/a.json"]


def test_inputs_that_no_link_leads_to_stand_in_the_lineage(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKFLOW", "PAYLOAD_ID", "EXECUTION_ID"):
        monkeypatch.setenv(f"CIRRUS_{name}", name.lower())
    with kit.sourced(sources_of(*((f"x{n}", None if n else "s3://in/x.json") for n in range(8)))):
        (published,) = Publish.handler(payload(item("a")))["features"]
    begins = "Cirrus workflow workflow, payload payload_id, execution execution_id"
    assert published["properties"]["processing:lineage"] == f"{begins}, from x1, x2, x3, x4, x5 and 2 more"
    with kit.sourced(sources_of(("a", "s3://in/a.json"))):
        (published,) = Publish.handler(payload(item("a")))["features"]
    assert published["properties"]["processing:lineage"] == begins
