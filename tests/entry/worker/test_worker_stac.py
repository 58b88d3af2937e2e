"""Unmodified stactask tasks in real workers: parameters, uploads to any place, downloads, working directories."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Attempt, Outcome, TaskSpec
from cirrus.testing.compute import finish, gather, told

TASKS = """
import asyncio
from pathlib import Path
from pystac import Asset
from stactask import Task
from stactask.asset_io import global_s3_client
from stactask.exceptions import InvalidInput

class Upload(Task):
    name = "upload"

    def validate(self):
        return "refuse" not in self.payload

    def process(self, text="none", **options):
        for item in self.items:
            file = self._workdir / "a b.tif"
            file.write_text(text)
            item.add_asset("data", Asset(str(file), media_type="image/tiff"))
            item = self.upload_item_assets_to_s3(item, assets=["data"])
            item.properties["workdir"] = str(self._workdir)
            yield item.to_dict()

class Forgets(Upload):
    def process(self, **options):
        for item in self.items:
            file = self._workdir / "lost.tif"
            file.write_text("lost")
            item.add_asset("data", Asset(str(file)))
            yield item.to_dict()

class Download(Task):
    name = "download"

    def process(self, **options):
        items = []
        for item in self.items:
            item = self.download_item_assets(item, config=None, keep_non_downloaded=True)
            for key, asset in item.assets.items():
                item.properties[key] = Path(asset.get_absolute_href()).read_text()
            items.append(item.to_dict())
        return items

class Keeps(Task):
    name = "keeps"

    def process(self, **options):
        for item in self.items:
            down = self.download_item_assets(item)
            yield down.to_dict(transform_hrefs=False)

class Refuses(Task):
    name = "refuses"

    def process(self, **options):
        raise InvalidInput("no such band")

class Own(Task):
    name = "own"

    def __init__(self, payload):
        super().__init__(payload)

    def process(self, **options):
        global_s3_client.upload_json({"a": 1}, "notes/a.json")
        found = global_s3_client.read_json("notes/a.json"), global_s3_client.exists("notes/b.json")
        return [{"id": "x", "properties": {"found": found, "workdir": str(self._workdir)}}]

class Items(Task):
    name = "items"

    def process(self, **options):
        return list(self.items)

class Nothing(Task):
    def process(self, **options):
        return None

class Breaks(Task):
    def process(self, **options):
        return len(None)

def closes_loop(payload):
    asyncio.run(asyncio.sleep(0))
    return {}

def plain(payload):
    return payload
"""

ITEM: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.0.0",
    "id": "scene",
    "collection": "landsat",
    "geometry": None,
    "properties": {"datetime": "2020-05-08T00:00:00Z"},
    "links": [],
    "assets": {},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stac") / "project"
    (folder / "tasks").mkdir(parents=True)
    (folder / "tasks" / "stac.py").write_text(TASKS)
    return folder


@pytest.fixture(scope="module")
def pool(project: Path) -> Iterator[LocalPool]:
    names = (
        "Upload",
        "Forgets",
        "Download",
        "Keeps",
        "Refuses",
        "Own",
        "Items",
        "Nothing",
        "Breaks",
        "closes_loop",
        "plain",
    )
    tasks = {name: TaskSpec(name, f"tasks.stac:{name}") for name in names}
    tasks["renamed"] = TaskSpec("renamed", "tasks.stac:Upload", params="renamed")
    tasks["command"] = TaskSpec("command", command=("cp", "{input}", "{output}"))
    pool = LocalPool(tasks, project=project, workers=1)
    yield pool
    pool.close()


@pytest.fixture
def run(pool: LocalPool) -> Callable[..., Outcome]:
    def one(task: str, payload: dict[str, Any]) -> Outcome:
        return finish(pool, [Attempt("1", task, orjson.dumps(payload))])["1"]

    return one


def payload(template: str | None = None, item: dict[str, Any] = ITEM, **process: Any) -> dict[str, Any]:
    options = {} if template is None else {"path_template": template}
    definition = {"workflow": "w", "upload_options": options, "tasks": {"upload": {"text": "pixels"}}, **process}
    return {"type": "FeatureCollection", "id": "landsat/workflow-w/scene", "features": [item], "process": [definition]}


def href(outcome: Outcome, key: str = "data") -> str:
    assert outcome.error is None, outcome
    found: str = orjson.loads(outcome.output or b"")["features"][0]["assets"][key]["href"]
    return found


def test_upload_to_the_data_folder(run: Callable[..., Outcome], project: Path) -> None:
    outcome = run("Upload", payload("${collection}/${year}/${month}/${id}"))
    assert href(outcome) == str(project / "data/landsat/2020/5/scene/a b.tif")
    assert Path(href(outcome)).read_text() == "pixels"
    assert outcome.log == b""
    output = orjson.loads(outcome.output or b"")
    assert output["process"] == payload("${collection}/${year}/${month}/${id}")["process"]
    assert not Path(output["features"][0]["properties"]["workdir"]).exists()


def test_upload_without_template_and_by_collection(run: Callable[..., Outcome], project: Path, tmp_path: Path) -> None:
    assert href(run("Upload", payload())) == str(project / "data/landsat/scene/a b.tif")
    own = {"landsat": {"upload_options": {"path_template": f"file://{tmp_path}/out/${{id}}"}}}
    assert href(run("Upload", payload("x", collection_options=own))) == str(tmp_path / "out/scene/a b.tif")
    assert (tmp_path / "out/scene/a b.tif").read_text() == "pixels"


@pytest.mark.parametrize(
    ("template", "item"),
    [
        ("../${id}", ITEM),
        ("/tmp/${id}", ITEM),
        ("${id}", {**ITEM, "id": "../../scene"}),
        ("${id}/x", {**ITEM, "id": "/etc"}),
        ("${id}/x", {**ITEM, "id": "s3://evil"}),
        ("a/${where}", {**ITEM, "properties": {**ITEM["properties"], "where": "../../.."}}),
    ],
)
def test_upload_that_leaves_its_root(
    run: Callable[..., Outcome], project: Path, template: str, item: dict[str, Any]
) -> None:
    before = set(project.parent.rglob("*"))
    outcome = run("Upload", payload(template, item))
    assert outcome.error == "UploadError"
    assert "cannot write" in told(outcome)["errorMessage"]
    assert set(project.parent.rglob("*")) == before


class Shelf(BaseHTTPRequestHandler):
    """Takes whole objects."""

    objects: dict[str, tuple[bytes, str]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.objects[unquote(self.path)] = (body, self.headers["Content-Type"])
        self.send_response(200)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Give what was put; nothing is public."""
        known = "Authorization" in self.headers
        body, kind = self.objects.get(unquote(self.path), (b"", "")) if known else (b"AccessDenied", "text/plain")
        self.send_response(200 if body and known else 404 if known else 403)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_upload_to_s3(project: Path) -> None:
    handler = type("OwnShelf", (Shelf,), {"objects": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "hidden-hidden-hidden",
            "AWS_REGION": "us-west-2",
        }
        tasks = {name: TaskSpec(name, f"tasks.stac:{name}") for name in ("Upload", "Download")}
        pool = LocalPool(tasks, project=project, workers=1, data="s3://bucket/root", environment=environment)
        try:
            pool.submit(
                [
                    Attempt("relative", "Upload", orjson.dumps(payload("${id}"))),
                    Attempt("named", "Upload", orjson.dumps(payload("s3://other/${id}", upload_options=S3_URLS))),
                ]
            )
            outcomes = gather(pool, 2)
            hrefs = {"web": href(outcomes["relative"]), "s3": "s3://bucket/root/scene/a b.tif"}
            items = {name: {**ITEM, "assets": {"own": {"href": one}}} for name, one in hrefs.items()}
            pool.submit([Attempt(name, "Download", orjson.dumps(payload(item=item))) for name, item in items.items()])
            outcomes |= gather(pool, 2)
        finally:
            pool.close()
            server.shutdown()
            thread.join()
    assert href(outcomes["relative"]) == f"{endpoint}/bucket/root/scene/a%20b.tif"
    assert href(outcomes["named"]) == "s3://other/scene/a b.tif"
    assert handler.objects == {
        "/bucket/root/scene/a b.tif": (b"pixels", "image/tiff"),
        "/other/scene/a b.tif": (b"pixels", "image/tiff"),
    }

    # What is no public object can be read again by the address that its upload gave.
    for name in hrefs:
        assert outcomes[name].error is None, told(outcomes[name])
        assert orjson.loads(outcomes[name].output or b"")["features"][0]["properties"]["own"] == "pixels"


S3_URLS = {"path_template": "s3://other/${id}", "s3_urls": True}


def test_parameters_under_the_name_that_the_project_says(run: Callable[..., Outcome]) -> None:
    given = payload("${id}", tasks={"renamed": {"text": "mine"}, "upload": {"text": "another's"}})
    outcome = run("renamed", given)
    assert Path(href(outcome)).read_text() == "mine"
    assert orjson.loads(outcome.output or b"")["process"] == given["process"]


def test_download_of_local_files(run: Callable[..., Outcome], tmp_path: Path) -> None:
    for name in ("plain.txt", "a b.txt", "100%25.txt"):
        (tmp_path / name).write_text(name)
    assets = {
        "plain": {"href": str(tmp_path / "plain.txt")},
        "url": {"href": (tmp_path / "a b.txt").as_uri()},
        "odd": {"href": str(tmp_path / "100%25.txt")},
    }
    outcome = run("Download", payload(item={**ITEM, "assets": assets}))
    assert outcome.error is None, outcome
    found = orjson.loads(outcome.output or b"")["features"][0]["properties"]
    assert (found["plain"], found["url"], found["odd"]) == ("plain.txt", "a b.txt", "100%25.txt")


def test_item_that_was_downloaded_does_not_say_that_it_lies_there(run: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("f")
    item = {**ITEM, "assets": {"f": {"href": str(tmp_path / "f.txt")}}}
    outcome = run("Keeps", payload(item=item))
    assert outcome.error is None, outcome
    links = orjson.loads(outcome.output or b"")["features"][0]["links"]
    assert "self" not in {link["rel"] for link in links}
    assert b"Asset 'f' of Item 'scene' was not uploaded and is lost" in outcome.log


def test_download_after_another_attempt_used_up_the_event_loop(
    pool: LocalPool, run: Callable[..., Outcome], tmp_path: Path
) -> None:
    (tmp_path / "f.txt").write_text("f")
    assert run("closes_loop", {}).error is None
    outcome = run("Download", payload(item={**ITEM, "assets": {"f": {"href": str(tmp_path / "f.txt")}}}))
    assert outcome.error is None, outcome


def test_invalid_input_and_failed_validation_keep_their_names(run: Callable[..., Outcome]) -> None:
    refused = run("Refuses", payload())
    assert refused.error == "InvalidInput"
    assert told(refused)["errorMessage"] == "no such band"
    assert refused.log.count(b"Traceback") == 1
    assert run("Upload", {**payload(), "refuse": True}).error == "FailedValidation"


def test_class_with_a_constructor_of_its_own(run: Callable[..., Outcome], project: Path) -> None:
    outcome = run("Own", payload())
    assert outcome.error is None, outcome
    properties = orjson.loads(outcome.output or b"")["features"][0]["properties"]
    assert properties["found"] == [{"a": 1}, False]
    assert not Path(properties["workdir"]).exists()
    assert json.loads((project / "data/notes/a.json").read_text()) == {"a": 1}


def test_items_that_are_no_dicts(run: Callable[..., Outcome]) -> None:
    outcome = run("Items", payload())
    assert outcome.error == "InvalidOutput"
    assert "gave a pystac.item.Item (call its to_dict()) among" in told(outcome)["errorMessage"]
    assert run("Nothing", payload()).error == "InvalidOutput"
    assert run("Breaks", payload()).error == "TypeError"


def test_what_is_lost_with_the_working_directory_is_told(run: Callable[..., Outcome]) -> None:
    assert b"Asset 'data' of Item 'scene' was not uploaded and is lost" in run("Forgets", payload()).log


@pytest.mark.parametrize("task", ["plain", "command"])
def test_payload_by_url(run: Callable[..., Outcome], tmp_path: Path, task: str) -> None:
    (tmp_path / "p.json").write_text('{"n": 1}')
    outcome = run(task, {"url": (tmp_path / "p.json").as_uri()})
    assert orjson.loads(outcome.output or b"") == {"n": 1}
    missing = run(task, {"url": (tmp_path / "none.json").as_uri()})
    assert missing.error == "NotFound"
    assert "none.json" in told(missing)["errorMessage"]
