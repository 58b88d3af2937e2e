"""Objects by URL: files, a store with S3's interface on this machine, and web pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from cirrus.adapters.objects.own_downloads import own_place
from cirrus.adapters.objects.redact import redact
from cirrus.adapters.objects.s3_redirect import address, refuse_astray
from cirrus.adapters.objects.store import ObjectStores
from cirrus.errors import NotFound, StoreError, UploadError


class Shelf(BaseHTTPRequestHandler):
    """Just enough of S3: PUT, GET and HEAD of whole objects; /forbidden/ is forbidden."""

    objects: dict[str, tuple[bytes, dict[str, str]]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.objects[unquote(self.path)] = (body, {name.lower(): value for name, value in self.headers.items()})
        self.answer(200)

    def do_GET(self) -> None:
        path = unquote(self.path.split("?")[0])
        if path.startswith("/forbidden/"):
            self.answer(403)
        elif path.startswith("/nobucket/"):
            self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        elif path in self.objects:
            self.answer(200, self.objects[path][0])
        else:
            self.answer(404)

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Mon, 18 May 2020 00:00:00 GMT")
        self.send_header("ETag", '"1"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, tuple[bytes, dict[str, str]]]]]:
    handler = type("OwnShelf", (Shelf,), {"objects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY")
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        yield endpoint, handler.objects
        server.shutdown()
        thread.join()


def test_file_by_path_and_by_url(tmp_path: Path) -> None:
    stores = ObjectStores()
    path = tmp_path / "a b" / "ü%20#.json"
    stores.put(str(path), b"one", "application/json")
    assert path.read_bytes() == b"one"
    assert stores.get(path.as_uri()) == b"one"
    assert stores.exists(path.as_uri())
    stores.put(path.as_uri(), b"two")
    assert stores.get(str(path)) == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_relative_place_is_below_the_data_store(tmp_path: Path) -> None:
    stores = ObjectStores(str(tmp_path))
    assert stores.locate("landsat/a.tif") == f"{tmp_path}/landsat/a.tif"
    assert ObjectStores("s3://bucket/data/").locate("a.tif") == "s3://bucket/data/a.tif"
    assert stores.locate("gs://bucket/a.tif") == "gs://bucket/a.tif"
    with pytest.raises(UploadError, match="names none"):
        ObjectStores().locate("a.tif")


@pytest.mark.parametrize(
    "place", ["../a", "a/../../b", "/etc/passwd", "s3://bucket/../other/a", "s3://bucket/%2e%2e/a", "a\n", "~/a"]
)
def test_place_that_leaves_its_root_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UploadError):
        ObjectStores(str(tmp_path)).locate(place)
    assert list(tmp_path.iterdir()) == []


def test_missing_is_not_found_and_unreadable_is_not(tmp_path: Path) -> None:
    stores = ObjectStores()
    with pytest.raises(NotFound):
        stores.get(str(tmp_path / "none"))
    assert not stores.exists(str(tmp_path / "none"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        stores.get(str(tmp_path / "folder"))
    with pytest.raises(StoreError, match="cannot write"):
        stores.put(str(tmp_path / "folder"), b"")
    with pytest.raises(StoreError, match="no store is known for ftp://"):
        stores.get("ftp://host/a")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_s3(shelf: tuple[str, dict[str, tuple[bytes, dict[str, str]]]], tmp_path: Path) -> None:
    _, objects = shelf
    stores = ObjectStores("s3://bucket/data")
    stores.put("s3://bucket/a/b c#d.json", b"{}", "application/geo+json")
    body, headers = objects["/bucket/a/b c#d.json"]
    assert body == b"{}"
    assert headers["content-type"] == "application/geo+json"
    assert stores.get("s3://bucket/a/b c#d.json") == b"{}"
    assert stores.exists("s3://bucket/a/b c#d.json")
    assert not stores.exists("s3://bucket/none")
    with pytest.raises(NotFound):
        stores.get("s3://bucket/none")
    (tmp_path / "f").write_bytes(b"file")
    stores.put_file(stores.locate("f"), tmp_path / "f", {"Cache-Control": "max-age=1"})
    assert objects["/bucket/data/f"][1]["cache-control"] == "max-age=1"


def test_pieces(shelf: tuple[str, dict[str, tuple[bytes, dict[str, str]]]], tmp_path: Path) -> None:
    endpoint, objects = shelf
    stores, large = ObjectStores(), bytes(range(256)) * (9 << 12)
    stores.put(str(tmp_path / "large"), large)
    objects["/bucket/large"] = objects["/large"] = (large, {})
    for url in (str(tmp_path / "large"), (tmp_path / "large").as_uri(), "s3://bucket/large", f"{endpoint}/large"):
        pieces = list(stores.pieces(url))
        assert len(pieces) > 1, url
        assert b"".join(pieces) == large, url
    stores.put(str(tmp_path / "empty"), b"")
    assert list(stores.pieces(str(tmp_path / "empty"))) == []
    for url in (str(tmp_path / "none"), "s3://bucket/none", f"{endpoint}/none"):
        with pytest.raises(NotFound):
            next(stores.pieces(url))
    with pytest.raises(StoreError, match="bucket of s3://nobucket does not exist"):
        next(stores.pieces("s3://nobucket/a"))


def test_refused_by_the_store_is_no_not_found(shelf: tuple[str, object]) -> None:
    with pytest.raises(StoreError, match="cannot read s3://forbidden/a"):
        ObjectStores().get("s3://forbidden/a")
    with pytest.raises(StoreError):
        ObjectStores().exists("s3://forbidden/a")


def test_missing_bucket_is_no_not_found(shelf: tuple[str, object]) -> None:
    with pytest.raises(StoreError, match="bucket of s3://nobucket does not exist"):
        ObjectStores().get("s3://nobucket/a")
    with pytest.raises(StoreError, match="bucket of s3://nobucket does not exist"):
        ObjectStores().exists("s3://nobucket/a")


def test_web_page(shelf: tuple[str, dict[str, tuple[bytes, dict[str, str]]]]) -> None:
    endpoint, objects = shelf
    objects["/page.json"] = (b"{}", {})
    stores = ObjectStores()
    assert stores.get(f"{endpoint}/page.json?signature=hidden") == b"{}"
    assert stores.exists(f"{endpoint}/page.json")
    with pytest.raises(NotFound) as missing:
        stores.get(f"{endpoint}/none?signature=hidden")
    assert "hidden" not in str(missing.value)
    with pytest.raises(StoreError, match="HTTP 403") as refused:
        stores.get(f"{endpoint}/forbidden/a?signature=hidden")
    assert "hidden" not in str(refused.value)
    with pytest.raises(UploadError, match="web address cannot be written"):
        stores.put(f"{endpoint}/page.json", b"")
    with pytest.raises(StoreError, match="Connection refused"):
        stores.get("http://127.0.0.1:1/a")


def test_no_secret_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very+secret/value")
    text = redact(
        "GET https://user:pass@host/a?X-Amz-Signature=abc&X-Amz-Credential=def failed"
        " for AKIAIOSFODNN7EXAMPLE very+secret/value"
    )
    assert text == "GET https://***@host/a?*** failed for *** ***"
    assert (
        redact("abfss://container@account.dfs.core.windows.net/a") == "abfss://container@account.dfs.core.windows.net/a"
    )


@pytest.mark.parametrize(
    ("href", "place"),
    [
        ("https://b.s3.eu-central-1.amazonaws.com/root/a%20b.tif", "s3://b/root/a b.tif"),
        ("https://b.s3.eu-central-1.amazonaws.com/a.tif", "s3://b/a.tif"),
        ("s3://b/other/a b.tif", "s3://b/other/a b.tif"),
        ("https://b.s3.eu-central-1.amazonaws.com/a.tif?X-Amz-Signature=abc", None),
        ("https://public.s3.eu-central-1.amazonaws.com/a.tif", None),
        ("s3://bb/a.tif", None),
        ("/data/a.tif", None),
        ("a.tif", None),
    ],
)
def test_place_of_what_lies_in_the_data_store(monkeypatch: pytest.MonkeyPatch, href: str, place: str | None) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert own_place(href, "s3://b/root") == place
    assert own_place(href, "/data") is None
    assert own_place(href, None) is None


def test_what_lies_in_another_store_is_asked_for_by_its_url() -> None:
    assert own_place("gs://b/a.tif", "gs://b/root/") == "gs://b/a.tif"
    assert own_place("gs://c/a.tif", "gs://b/root/") is None


def test_address_of_what_was_uploaded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert address("/data/a.tif", True) == "/data/a.tif"
    assert address("file:///data/a%20b.tif", True) == "/data/a b.tif"
    assert address("gs://b/a.tif", True) == "gs://b/a.tif"
    assert address("s3://b/a.tif", False) == "s3://b/a.tif"
    assert address("s3://b/a b.tif", True) == "https://b.s3.eu-central-1.amazonaws.com/a%20b.tif"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000/")
    assert address("s3://b/a.tif", True) == "http://minio:9000/b/a.tif"


@pytest.mark.parametrize(
    ("template", "result", "fine"),
    [
        ("${collection}/${id}/f.tif", "landsat/a/f.tif", True),
        ("s3://b/${id}/f.tif", "s3://b/a/f.tif", True),
        ("${bucket}/${id}", "s3://b/a", True),
        ("/work/${id}", "/work/a", True),
        ("${id}/f.tif", "s3://evil/f.tif", False),
        ("${id}/f.tif", "/etc/f.tif", False),
        ("a/${id}/f.tif", "a/../../f.tif", False),
        ("/work/${id}", "/work/../etc", False),
        ("s3://b/${id}", "s3://b/../c", False),
    ],
)
def test_values_of_an_item_do_not_lead_astray(template: str, result: str, fine: bool) -> None:
    if fine:
        refuse_astray(template, result)
    else:
        with pytest.raises(UploadError):
            refuse_astray(template, result)
