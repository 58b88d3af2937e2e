"""What tasks are given: a store, a root, parameters that are checked."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore
from stactask.exceptions import InvalidInput

from cirrus.errors import NotFound, StoreError, UploadError
from cirrus.ports.objects import Objects
from cirrus.tasks import kit, parameters
from cirrus.tasks.store import OpenObjects, PlainUploads, local_path


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    held = MemoryStore()
    monkeypatch.setattr("obstore.store.from_url", lambda url: held)
    return held


@pytest.mark.parametrize("url", ["{folder}/a b/ü.json", "file://{folder}/a%20b/%C3%BC.json"])
def test_files(tmp_path: Path, url: str) -> None:
    store: Objects = OpenObjects()
    url = url.format(folder=tmp_path)
    assert not store.exists(url)
    with pytest.raises(NotFound):
        store.get(url)
    store.put(url, b"one", "application/json")
    store.put(url, b"two")
    assert store.get(url) == b"two"
    assert store.exists(url)
    path = tmp_path / "a b/ü.json"
    assert [entry.name for entry in path.parent.iterdir()] == ["ü.json"]
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_what_cannot_be_read_is_not_taken_for_missing(tmp_path: Path) -> None:
    store = OpenObjects()
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write"):
        store.put(str(tmp_path / "file/below"), b"")
    with pytest.raises(StoreError, match="cannot read"):
        store.get(str(tmp_path))
    with pytest.raises(UploadError):
        store.get("file:///a/%2e%2e/b")


def test_other_stores(bucket: MemoryStore) -> None:
    store = OpenObjects()
    with pytest.raises(NotFound):
        store.get("s3://bucket/a/b.json")
    assert not store.exists("s3://bucket/a/b.json")
    store.put("s3://bucket/a/b.json", b"x", "application/json")
    assert store.get("s3://bucket/a/b.json") == b"x"
    assert store.exists("s3://bucket/a/b.json")
    assert bytes(obstore.get(bucket, "a/b.json").bytes()) == b"x"
    with pytest.raises(StoreError, match="names no object"):
        store.put("s3://bucket/", b"")


def test_a_store_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str) -> Any:
        raise ValueError("no credentials")

    monkeypatch.setattr("obstore.store.from_url", broken)
    for work in (lambda: OpenObjects().get("s3://b/c"), lambda: OpenObjects().exists("s3://b/c")):
        with pytest.raises(StoreError, match="s3://b/c: no credentials"):
            work()


def test_places_are_below_the_data_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRRUS_DATA", str(tmp_path))
    assert kit.locate("a/b") == f"{tmp_path}/a/b"
    assert kit.locate("gs://x/b") == "gs://x/b"
    monkeypatch.setenv("CIRRUS_DATA", "s3://bucket/prefix/")
    assert kit.locate("a/b") == "s3://bucket/prefix/a/b"
    for place in ("/etc/x", "../x", "s3://bucket/../x"):
        with pytest.raises(UploadError):
            kit.locate(place)
    monkeypatch.delenv("CIRRUS_DATA")
    monkeypatch.chdir(tmp_path)
    assert kit.locate("a/b") == f"{tmp_path}/a/b"


def test_a_store_is_provided() -> None:
    given = OpenObjects()
    with kit.provided(given):
        assert kit.objects() is given
    assert kit.objects() is not given


def test_uploads_without_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: MemoryStore) -> None:
    monkeypatch.setenv("CIRRUS_DATA", str(tmp_path / "data"))
    (tmp_path / "x").write_bytes(b"held")
    place = PlainUploads().upload(str(tmp_path / "x"), "a/x", public=True, extra={}, http_url=True)
    assert place == str(tmp_path / "data/a/x")
    assert Path(place).read_bytes() == b"held"
    assert PlainUploads().upload(str(tmp_path / "x"), "s3://bucket/x") == "s3://bucket/x"
    assert bytes(obstore.get(bucket, "x").bytes()) == b"held"
    with pytest.raises(FileNotFoundError):
        PlainUploads().upload(str(tmp_path / "none"), "a/y")
    assert [entry.name for entry in (tmp_path / "data/a").iterdir()] == ["x"]


def test_local_paths() -> None:
    assert local_path("/a b/c") == Path("/a b/c")
    assert local_path("FILE:///a%20b/c") == Path("/a b/c")
    assert local_path("s3://a/b") is None


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (parameters.flag, 1, "true or false"),
        (parameters.text, "", "a string"),
        (parameters.texts, "", "a list of strings"),
        (parameters.texts, ["a", ""], "a list of strings"),
    ],
)
def test_parameters_say_what_was_expected(check: Any, value: object, expected: str) -> None:
    with pytest.raises(InvalidInput, match=f"parameter 'p' must be {expected}, not "):
        check("p", value)


def test_numbers_and_choices() -> None:
    assert parameters.integer("p", 3, 1, 3) == 3
    assert parameters.choice("p", "DeFlate", ("DEFLATE", "LZW")) == "DEFLATE"
    for value in (0, 4, 2.0, True, "2", None):
        with pytest.raises(InvalidInput, match="from 1 to 3"):
            parameters.integer("p", value, 1, 3)
    with pytest.raises(InvalidInput, match="one of a, b"):
        parameters.choice("p", 1, ("b", "a"))
