from __future__ import annotations

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from cirrus.adapters.objects.payloads import ObjectPayloads
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.keys import input_key
from cirrus.errors import ConfigError, NotFound, StoreError
from cirrus.ports.payloads import Payloads
from cirrus.testing.builders import ODD_IDS
from cirrus.testing.payloads import PayloadsContract


class TestFolder(PayloadsContract):
    @pytest.fixture
    def payloads(self, tmp_path: Path) -> Payloads:
        return ObjectPayloads(str(tmp_path / "100% ü #1"), ObjectStores())


class TestFileUrl(PayloadsContract):
    @pytest.fixture
    def payloads(self, tmp_path: Path) -> Payloads:
        return ObjectPayloads(f"file://{tmp_path}/", ObjectStores())


class TestStore(PayloadsContract):
    @pytest.fixture
    def payloads(self) -> Payloads:
        stores = ObjectStores()
        stores._opened["memory://bucket"] = MemoryStore()
        return ObjectPayloads("memory://bucket/some/prefix/", stores)


def test_files_stand_below_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    payloads = ObjectPayloads(str(root), ObjectStores())
    names = (*ODD_IDS, "a/workflow-w/..", "../workflow-w/x", "c/workflow-w/con", "c/workflow-w//x", "c/workflow-w/n\n")
    for known in names:
        key = input_key("cirrus", known, "e1")
        assert payloads.get(payloads.put(key, known.encode())) == known.encode()
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert sum(path.is_file() for path in root.rglob("*")) == len(names)


def test_a_file_url_is_the_file_s_own(tmp_path: Path) -> None:
    payloads = ObjectPayloads(str(tmp_path), ObjectStores())
    url = payloads.put("cirrus/tmp/oversized/1.json", b"{}")
    assert url == f"file://{tmp_path}/cirrus/tmp/oversized/1.json"
    assert (tmp_path / "cirrus/tmp/oversized/1.json").read_bytes() == b"{}"


class Forbidden(ObjectStores):
    """A store that says no."""

    def _get(self, url: str) -> bytes:
        raise PermissionError(13, "Permission denied")


def test_what_may_not_be_read_is_no_not_found(tmp_path: Path) -> None:
    payloads = ObjectPayloads(str(tmp_path), Forbidden())
    url = payloads.put("cirrus/tmp/oversized/1.json", b"{}")
    with pytest.raises(StoreError, match="Permission denied"):
        payloads.get(url)


def test_a_folder_in_the_way_is_no_not_found(tmp_path: Path) -> None:
    payloads = ObjectPayloads(str(tmp_path), ObjectStores())
    (tmp_path / "cirrus/x.json").mkdir(parents=True)
    with pytest.raises(StoreError):
        payloads.get(payloads.url("cirrus/x.json"))
    with pytest.raises(StoreError):
        payloads.put("cirrus/x.json", b"{}")


def test_a_root_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        ObjectPayloads(str(tmp_path / "file" / "root"), ObjectStores()).put("k", b"{}")


def test_unknown_scheme_is_a_store_error_and_no_not_found() -> None:
    payloads = ObjectPayloads("gopher://host/root", ObjectStores())
    with pytest.raises(StoreError, match="gopher"):
        payloads.put("k", b"{}")
    with pytest.raises(StoreError, match="gopher"):
        payloads.get(payloads.url("k"))


def test_relative_root_is_refused() -> None:
    with pytest.raises(ConfigError, match="absolute"):
        ObjectPayloads("relative/folder", ObjectStores())


def test_missing_root_is_not_found(tmp_path: Path) -> None:
    payloads = ObjectPayloads(str(tmp_path / "none"), ObjectStores())
    with pytest.raises(NotFound):
        payloads.get(payloads.url("cirrus/x.json"))
