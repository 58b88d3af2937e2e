"""The static catalog when its writer sleeps: what it wakes up with must not undo what was published meanwhile."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.local.catalog import CatalogTarget
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.jsontext import encode
from cirrus.ports.outbox import Delivery


def delivery(number: int, item: str, version: int, day: str = "2024-05-01") -> Delivery:
    properties = {"datetime": f"{day}T00:00:00Z", "version": version}
    feature = {"type": "Feature", "id": item, "collection": "c", "properties": properties, "links": [], "assets": {}}
    return Delivery(number, "catalog", "items", item, encode({"features": [feature]}), 0)


class Sleepy(ObjectStores):
    """Sleeps before it writes an object whose name ends so, until it is woken."""

    def __init__(self, ends: str) -> None:
        super().__init__()
        self.ends = ends
        self.asleep = threading.Event()
        self.awake = threading.Event()

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        if url.endswith(self.ends) and not self.awake.is_set():
            self.asleep.set()
            assert self.awake.wait(20)
        super().put(url, data, content_type)


def links(folder: Path) -> list[str]:
    document = json.loads((folder / "catalog.json").read_text())
    return sorted(link["title"] for link in document["links"] if link["rel"] == "item")


def test_sleep_in_the_middle_of_a_day_loses_no_link(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    stores = Sleepy("05/01/catalog.json")
    first = CatalogTarget(str(root), stores, "t")
    second = CatalogTarget(str(root), ObjectStores(), "t")
    results: list[Any] = []
    one = threading.Thread(target=lambda: results.append(first.send([delivery(1, "a", 1)])))
    one.start()
    assert stores.asleep.wait(10)
    two = threading.Thread(target=lambda: results.append(second.send([delivery(2, "b", 1)])))
    two.start()
    time.sleep(0.3)
    stores.awake.set()
    one.join()
    two.join()
    assert results == [{}, {}]
    assert links(root / "c/2024/05/01") == ["a", "b"]


def test_old_version_does_not_follow_a_new_one(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    stores = Sleepy("05/01/z.json")
    first = CatalogTarget(str(root), stores, "t", patience=0.2)
    old = [delivery(1, "z", 1), delivery(2, "a", 1, "2024-05-02")]
    results: list[Any] = []
    one = threading.Thread(target=lambda: results.append(first.send(old)))
    one.start()
    assert stores.asleep.wait(10)
    time.sleep(0.3)
    stores.awake.set()
    one.join()
    (left,) = results
    assert [(number, failed.tried) for number, failed in left.items()] == [(2, False)]
    assert not (root / "c/2024/05/02").exists()


def test_a_writer_that_never_wakes_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cirrus.adapters.local.single_writer._WAIT", 0.2)
    root = tmp_path / "catalog"
    stores = Sleepy("05/01/catalog.json")
    one = threading.Thread(target=CatalogTarget(str(root), stores, "t").send, args=([delivery(1, "a", 1)],))
    one.start()
    assert stores.asleep.wait(10)
    failed = CatalogTarget(str(root), ObjectStores(), "t").send([delivery(2, "b", 1)])
    assert "in the middle of a change" in failed[2].error
    stores.awake.set()
    one.join()


def test_temporary_file_of_a_killed_writer_goes_when_the_delivery_comes_again(tmp_path: Path) -> None:
    day = tmp_path / "catalog/c/2024/05/01"
    day.mkdir(parents=True)
    left = day / f".{'0a' * 16}.part"
    left.write_bytes(b"{")
    kept = day / ".mine.part"
    kept.touch()
    assert CatalogTarget(str(tmp_path / "catalog"), ObjectStores(), "t").send([delivery(1, "a", 1)]) == {}
    assert not left.exists()
    assert kept.exists()
