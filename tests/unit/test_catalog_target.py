from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.local.catalog import CatalogTarget
from cirrus.adapters.memory.objects import MemoryObjects
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.jsontext import encode
from cirrus.errors import StoreError
from cirrus.ports.outbox import Delivery
from cirrus.testing.builders import item

ODD = (
    "catalog",
    "collection",
    "Catalog",
    "a b",
    "50%_off",
    "a#b?c",
    "東京",
    "a:b",
    "con",
    "x" * 300,
    " " * 200,
    "..",
    "a/b",
    "catalog.json",
)


def delivery(number: int, *items: dict[str, Any]) -> Delivery:
    return Delivery(number, "catalog", "items", f"scenes/workflow-w/{number}", encode({"features": items}), 0)


class Recording(ObjectStores):
    def __init__(self) -> None:
        super().__init__()
        self.puts: list[str] = []

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        super().put(url, data, content_type)
        self.puts.append(url)


@pytest.fixture
def objects() -> Recording:
    return Recording()


@pytest.fixture
def target(tmp_path: Path, objects: Recording) -> CatalogTarget:
    return CatalogTarget(str(tmp_path), objects, "my project")


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def links(file: Path, rel: str) -> list[str]:
    return [link["href"] for link in json.loads(file.read_text())["links"] if link["rel"] == rel]


def dated(name: str, day: str, **more: Any) -> dict[str, Any]:
    return item(name, datetime=f"{day}T10:00:00Z", **more)


def test_tree(tmp_path: Path, target: CatalogTarget) -> None:
    assert target.send([delivery(1, dated("a", "2026-05-18"), dated("b", "2026-06-01"))]) == {}
    assert tree(tmp_path) == [
        "catalog.json",
        "scenes/2026/05/18/a.json",
        "scenes/2026/05/18/catalog.json",
        "scenes/2026/05/catalog.json",
        "scenes/2026/06/01/b.json",
        "scenes/2026/06/01/catalog.json",
        "scenes/2026/06/catalog.json",
        "scenes/2026/catalog.json",
        "scenes/collection.json",
    ]
    assert links(tmp_path / "catalog.json", "child") == ["./scenes/collection.json"]
    assert links(tmp_path / "scenes/2026/catalog.json", "child") == ["./05/catalog.json", "./06/catalog.json"]
    assert json.loads((tmp_path / "catalog.json").read_text())["id"] == "my project"


def test_only_new_parents_are_written(target: CatalogTarget, objects: Recording) -> None:
    def names(*items: dict[str, Any]) -> list[str]:
        objects.puts.clear()
        assert target.send([delivery(1, *items)]) == {}
        return [
            Path(url).name if "/2026/" in url or "/2027/" in url else url.rsplit("/", 2)[-1] for url in objects.puts
        ]

    assert len(names(dated("a", "2026-05-18"))) == 6
    assert names(dated("b", "2026-05-18")) == ["b.json", "catalog.json"]
    assert len(names(dated("c", "2026-05-19"))) == 3
    assert len(names(dated("d", "2026-06-19"))) == 4
    assert len(names(dated("e", "2027-06-19"))) == 5


def test_items_of_a_day_are_linked_with_one_write(target: CatalogTarget, objects: Recording) -> None:
    deliveries = [delivery(n, dated(f"i{n}", "2026-05-18")) for n in range(50)]
    assert target.send(deliveries) == {}
    assert len(objects.puts) == 50 + 5


def test_two_deliveries_of_one_day(tmp_path: Path, target: CatalogTarget) -> None:
    target.send([delivery(1, dated("a", "2026-05-18")), delivery(2, dated("b", "2026-05-18"))])
    target.send([delivery(3, dated("c", "2026-05-18"))])
    assert links(tmp_path / "scenes/2026/05/18/catalog.json", "item") == ["./a.json", "./b.json", "./c.json"]


def test_republishing_replaces_and_links_once(tmp_path: Path, target: CatalogTarget) -> None:
    for value in (1, 2, 2):
        assert target.send([delivery(1, dated("a", "2026-05-18", value=value))]) == {}
    assert json.loads((tmp_path / "scenes/2026/05/18/a.json").read_text())["properties"]["value"] == 2
    assert links(tmp_path / "scenes/2026/05/18/catalog.json", "item") == ["./a.json"]
    assert links(tmp_path / "catalog.json", "child") == ["./scenes/collection.json"]


def test_later_delivery_of_an_item_wins(tmp_path: Path, target: CatalogTarget) -> None:
    target.send([delivery(n, dated("a", "2026-05-18", value=n)) for n in (1, 2)])
    assert json.loads((tmp_path / "scenes/2026/05/18/a.json").read_text())["properties"]["value"] == 2


@pytest.mark.parametrize(
    ("properties", "folders"),
    [
        ({"datetime": None, "start_datetime": "2026-01-02T00:00:00Z"}, "2026/01/02"),
        ({"datetime": None}, "undated"),
        ({"datetime": "soon"}, "undated"),
        ({"datetime": 5}, "undated"),
    ],
)
def test_item_without_a_datetime(
    tmp_path: Path, target: CatalogTarget, properties: dict[str, Any], folders: str
) -> None:
    assert target.send([delivery(1, {**item("a"), "properties": properties})]) == {}
    assert (tmp_path / "scenes" / folders / "a.json").is_file()


def test_item_without_a_collection(tmp_path: Path, target: CatalogTarget) -> None:
    assert target.send([delivery(1, item("a", collection=None))]) == {}
    assert (tmp_path / "no-collection/2026/05/18/a.json").is_file()
    assert links(tmp_path / "no-collection/2026/05/18/a.json", "collection") == []


def test_items_stay_as_they_are_but_for_their_links(tmp_path: Path, target: CatalogTarget) -> None:
    given = {
        **item("a"),
        "assets": {"rel": {"href": "./b.tif"}, "abs": {"href": "s3://b/c.tif"}},
        "links": [
            {"rel": "self", "href": "s3://out/scenes/a.json"},
            {"rel": "derived_from", "href": "s3://in/a.json"},
            {"rel": "parent", "href": "elsewhere"},
        ],
    }
    target.send([delivery(1, given)])
    found = json.loads((tmp_path / "scenes/2026/05/18/a.json").read_text())
    assert {**found, "links": 0, "assets": 0} == {**given, "links": 0, "assets": 0}
    assert {name: asset["href"] for name, asset in found["assets"].items()} == {
        "rel": "s3://out/scenes/b.tif",
        "abs": "s3://b/c.tif",
    }
    assert [(link["rel"], link["href"]) for link in found["links"]] == [
        ("root", "../../../../catalog.json"),
        ("parent", "./catalog.json"),
        ("collection", "../../../collection.json"),
        ("canonical", "s3://out/scenes/a.json"),
        ("derived_from", "s3://in/a.json"),
    ]


@pytest.mark.parametrize(
    "wrong", [{"id": 5}, {"id": ""}, {"properties": None}, {"assets": []}, {"links": {}}, {"properties": "x"}], ids=str
)
def test_output_that_is_no_item_is_parked_and_the_rest_is_published(
    tmp_path: Path, target: CatalogTarget, wrong: dict[str, Any]
) -> None:
    failures = target.send([delivery(1, {**item("bad"), **wrong}, item("good")), delivery(2, item("other"))])
    assert failures.keys() == {1}
    assert failures[1].final
    assert links(tmp_path / "scenes/2026/05/18/catalog.json", "item") == ["./good.json", "./other.json"]


def test_store_that_fails_puts_off_only_what_it_failed(target: CatalogTarget, objects: Recording) -> None:
    class Partly(MemoryObjects):
        def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
            if "/05/" in url:
                raise StoreError("cannot write")
            super().put(url, data, content_type)

    failures = CatalogTarget("/root", Partly(), "t").send(
        [delivery(1, dated("a", "2026-05-18")), delivery(2, dated("b", "2026-06-18"))]
    )
    assert failures.keys() == {1}
    assert not failures[1].final


@pytest.mark.filterwarnings("ignore")
def test_pystac_reads_it(tmp_path: Path, target: CatalogTarget) -> None:
    import pystac

    names = [f"i{n}" for n in range(4)]
    items = [dated(name, f"2026-0{n + 1}-18") for n, name in enumerate(names)]
    more = [item("bare", collection=None), {**item("c", collection="a b/50%")}]
    assert target.send([delivery(1, *items, *more)]) == {}
    catalog = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    assert sorted(one.id for one in catalog.get_items(recursive=True)) == ["bare", "c", *names]
    assert {one.id for one in catalog.get_children()} == {"scenes", "no-collection", "a b/50%"}
    for one in catalog.get_items(recursive=True):
        root = one.get_root()
        assert root is not None
        assert root.id == "my project"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ODD)
def test_odd_ids(tmp_path: Path, target: CatalogTarget, name: str) -> None:
    import pystac

    root = tmp_path / "catalog"
    target = CatalogTarget(str(root), ObjectStores(), "t")
    assert target.send([delivery(1, item(name, collection=name), item("plain", collection=name))]) == {}
    assert target.send([delivery(2, item("later", collection=name))]) == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog"]
    catalog = pystac.Catalog.from_file(str(root / "catalog.json"))
    assert sorted(one.id for one in catalog.get_items(recursive=True)) == sorted([name, "plain", "later"])
    assert [one.id for one in catalog.get_children()] == [name]
    for file in tree(root):
        assert re.fullmatch(r"[A-Za-z0-9/~!$&'()+,;=@._-]+", file), "a file's name is the same in a URL"
