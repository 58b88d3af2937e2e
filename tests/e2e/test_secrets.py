"""Credentials of buckets: tasks get those that they may use, and nothing keeps them but the place where they belong."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import urllib.parse
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from cirrus.client import Client
from tests.e2e.conftest import Project, payload, task_state, until
from tests.e2e.seaweed import PRODUCTS, SCENES, Keys, seaweed

pytestmark = pytest.mark.xdist_group("seaweed")
TASKS = Path(__file__).with_name("bucket_tasks.py")
LEAKY = ("print-all", "raise-all", "return-all", "import-all")
WORKFLOWS = ("only-scenes", "only-products", "both", "neither", "fetch", "program", *LEAKY)
ENV = {"PRODUCTS_ACCESS_KEY_ID": PRODUCTS.access, "PRODUCTS_SECRET_ACCESS_KEY": PRODUCTS.secret}
AMBIENT = {
    "AWS_ACCESS_KEY_ID": "AKIAAMBIENTCANARY001",
    "AWS_SECRET_ACCESS_KEY": "ambient/SECRET+canary/0003",
    "EARTHDATA_PASSWORD": "earthdata-canary-0004",
}
CANARIES = (SCENES.secret, PRODUCTS.secret, AMBIENT["AWS_SECRET_ACCESS_KEY"], AMBIENT["EARTHDATA_PASSWORD"])
CONFIG = """
[project]
name = "test"

[deployments.local]
events_file = "events.ndjson"
items_file = "items.ndjson"

[buckets.scenes]
endpoint = "{endpoint}"
region = "us-east-1"
secret = "file:secrets/scenes.json"

[buckets.products]
endpoint = "{endpoint}"
region = "us-east-1"
secret = "env:PRODUCTS"

[tasks.only-scenes]
handler = "bucket_tasks:probe"
buckets = ["scenes"]

[tasks.only-products]
handler = "bucket_tasks:probe"
buckets = ["products"]

[tasks.both]
handler = "bucket_tasks:probe"
buckets = ["scenes", "products"]

[tasks.neither]
handler = "bucket_tasks:probe"

[tasks.fetch]
handler = "bucket_tasks:Fetch"
buckets = ["products", "scenes"]

[tasks.program]
command = ["sh", "-c", "env >&2; cat {{input}} >{{output}}; exit 3"]
buckets = ["scenes"]
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as url:
        yield url


@pytest.fixture
def granted(project: Project, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two buckets: the secret of one is in a file, that of the other in the environment."""
    for name, value in {**ENV, **AMBIENT}.items():
        monkeypatch.setenv(name, value)
    handlers = {name: f"bucket_tasks:{name.replace('-', '_')}" for name in LEAKY} | {"import-all": "leaky_import:run"}
    leaky = [f'[tasks.{name}]\nhandler = "{where}"\nbuckets = ["scenes"]' for name, where in handlers.items()]
    project.write("cirrus.toml", CONFIG.format(endpoint=endpoint) + "\n".join(leaky))
    project.folder.joinpath("bucket_tasks.py").write_text(TASKS.read_text())
    project.write("leaky_import.py", "import os\nprint(os.environ)\nraise RuntimeError(dict(os.environ))\n")
    (project.folder / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(project.folder / "tmp"))
    for name in WORKFLOWS:
        project.workflow(name, {"StartAt": "a", "States": {"a": task_state(name)}})
    assert project.cirrus("secrets", "set", "scenes", stdin=json.dumps(SCENES.document()).encode()).returncode == 0
    return project


def found(project: Project, name: str) -> dict[str, str]:
    project.submit(payload(name, "one"))
    project.drain()
    output = project.json("manage", "local", "get-output-payload", f"test/workflow-{name}/one")
    return output["found"]


def test_a_task_opens_its_bucket_by_every_client_and_no_other(granted: Project) -> None:
    for mine, other in (("scenes", "products"), ("products", "scenes")):
        ways = found(granted, f"only-{mine}")
        assert {name: what for name, what in ways.items() if name.startswith(mine) and what != "ok"} == {}
        assert [name for name, what in ways.items() if name.startswith(other) and what == "ok"] == []


def test_a_task_with_two_buckets_opens_both_by_name_or_path(granted: Project) -> None:
    ways = found(granted, "both")
    assert {name: what for name, what in ways.items() if " by_bare" not in name and what != "ok"} == {}


def test_a_task_without_buckets_opens_none(granted: Project) -> None:
    assert "ok" not in found(granted, "neither").values()


def test_an_unmodified_task_downloads_and_uploads_with_the_access_of_each_bucket(granted: Project) -> None:
    one = payload("fetch", "one", upload_options={"path_template": "s3://products/${id}", "s3_urls": True})
    item = one["features"][0]
    item |= {"stac_version": "1.0.0", "geometry": None, "links": [], "properties": {"datetime": "2020-01-01T00:00:00Z"}}
    item["assets"] = {"data": {"href": "s3://scenes/ready"}}
    granted.submit(one)
    granted.drain()
    output = granted.json("manage", "local", "get-output-payload", "test/workflow-fetch/one")
    assert output["features"][0]["assets"]["data"]["href"] == "s3://products/one/ready"
    assert granted.json("secrets", "check", "products", "--key", "one/ready")["read"] == "ok: read one/ready, 3 bytes"


def test_the_data_store_and_the_catalog_may_be_declared_buckets(granted: Project) -> None:
    config = granted.folder / "cirrus.toml"
    config.write_text(
        config.read_text()
        + '\n[deployments.remote]\ndata = "s3://products/data"\ncatalog = "s3://scenes/catalog"\n'
        + '[tasks.cog]\nhandler = "cirrus.tasks.copy_assets:CopyAssets"\nparams = "copy-assets"\nbuckets = ["scenes"]\n'
    )
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "scenes", "Key": "ready"},
        "ResultSelector": {"text.$": "$.Body"},
        "ResultPath": "$.read",
        "Next": "publish",
    }
    states = {"cog": task_state("cog", Next="read"), "read": read, "publish": task_state("publish")}
    granted.workflow("whole", {"StartAt": "cog", "States": states})
    one = payload("whole", "one", upload_options={"path_template": "${id}", "s3_urls": True})
    one["features"][0] |= {
        "stac_version": "1.0.0",
        "geometry": None,
        "links": [],
        "properties": {"datetime": "2020-01-01T00:00:00Z"},
        "assets": {"data": {"href": "s3://scenes/ready"}},
    }
    granted.ok("manage", "remote", "process", stdin=json.dumps(one).encode())
    granted.ok("up", "remote", "--until-idle")
    state = granted.json("manage", "remote", "get-state", "test/workflow-whole/one")
    assert state["state"] == "COMPLETED", state
    output = granted.json("manage", "remote", "get-output-payload", "test/workflow-whole/one")
    assert output["read"] == {"text": "yes"}
    assert output["features"][0]["assets"]["data"]["href"] == "s3://products/data/one/ready"
    for bucket, key in (("products", "data/one/ready"), ("scenes", "catalog/catalog.json")):
        assert granted.json("secrets", "check", bucket, "--key", key)["read"].startswith(f"ok: read {key}")


def test_a_rotated_secret_counts_from_the_next_attempt(granted: Project) -> None:
    stale = SCENES.document() | {"aws_secret_access_key": "stale-SECRET-canary/0005"}
    granted.ok("secrets", "set", "scenes", stdin=json.dumps(stale).encode())
    control = granted.start("up")
    try:
        one = "test/workflow-only-scenes/one"
        granted.submit(payload("only-scenes", "one"))
        until(lambda: granted.states() == {one: "COMPLETED"})
        refused = granted.json("manage", "local", "get-output-payload", one)["found"]
        assert "ok" not in {what for name, what in refused.items() if name.startswith("scenes")}
        granted.ok("secrets", "set", "scenes", stdin=json.dumps(SCENES.document()).encode())
        granted.submit(payload("only-scenes", "one", replace=True))
        until(lambda: len(granted.json("manage", "local", "get-state", one)["executions"]) == 2)
        until(lambda: granted.states() == {one: "COMPLETED"})
        ways = granted.json("manage", "local", "get-output-payload", one)["found"]
        assert {name: what for name, what in ways.items() if name.startswith("scenes") and what != "ok"} == {}
    finally:
        control.terminate()
        said = b"".join(control.communicate(timeout=60))
    assert b"canary" not in said


def test_no_secret_stands_anywhere(granted: Project) -> None:
    granted.submit(*(payload(name, "one") for name in (*LEAKY, "program", "neither")))
    said = granted.cirrus("up", "--until-idle")
    assert said.returncode == 0, said.stderr
    told = [said.stdout, said.stderr, *(granted.cirrus("manage", "local", *words).stdout for words in asked())]
    listed = granted.cirrus("secrets", "list")
    told += [listed.stdout, listed.stderr]
    states = granted.states()
    assert states["test/workflow-print-all/one"] == "COMPLETED"
    assert b"printed" in b"".join(told)
    assert {states[f"test/workflow-{name}/one"] for name in (*LEAKY[1:], "program")} == {"FAILED"}
    assert sorted((granted.folder / "tmp").iterdir()) == []
    text = b"\n".join([*told, *everything(granted.folder)])
    assert b"EARTHDATA_PASSWORD" in text  # the environment was printed
    assert b"output.features[0].properties.note" in text
    assert [form for canary in CANARIES for form in forms(canary) if form in text] == []


def asked() -> Iterator[tuple[str, ...]]:
    """Whatever an operator may ask of a deployment."""
    for name in (*LEAKY, "program", "neither"):
        one = f"test/workflow-{name}/one"
        yield from ((word, one) for word in ("get-state", "get-payload", "get-output-payload", "timeline", "explain"))
        yield from ((command, "--payload-id", one) for command in ("get-execution", "get-execution-events", "get-logs"))
    yield from (("show",), ("query",), ("events",), ("get-payloads",), ("export", "exported"), ("backup", "copy.db"))
    yield from (("stats",), ("summary",), ("items", "list"))


def everything(folder: Path) -> Iterator[bytes]:
    """Every file below a folder but the one secret, and every value in databases, unpacked where it is packed."""
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "secrets"):
        yield file.read_bytes()
        if file.read_bytes()[:15] == b"SQLite format 3":
            yield from rows(file)


def rows(file: Path) -> Iterator[bytes]:
    with sqlite3.connect(file) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in database.execute(f'SELECT * FROM "{name}"'):
                yield from (unpacked(value) for value in row if isinstance(value, (str, bytes)))


def unpacked(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    for window in (15, 31, -15):
        try:
            return zlib.decompress(data, window)
        except zlib.error:
            continue
    return data


def forms(canary: str) -> set[bytes]:
    quoted = urllib.parse.quote(canary, safe="")
    based = {base64.b64encode(b"\0" * n + canary.encode())[4:-4] for n in range(3)}
    halves = {canary[:10].encode(), canary[-10:].encode()}
    return {canary.encode(), quoted.encode(), json.dumps(canary).encode(), *based, *halves}


@pytest.mark.parametrize("keys", [SCENES, PRODUCTS], ids=lambda keys: keys.bucket)
def test_check_really_reads_and_writes(granted: Project, keys: Keys) -> None:
    done = granted.json("secrets", "check", keys.bucket, "--write")
    assert done["read"].startswith("ok")
    assert done["write"] == "ok: wrote, read and removed an object"
    client = Client(project=granted.folder)
    assert {one.bucket.name: one.status for one in client.buckets()}[keys.bucket] == "found"
    assert client.check_bucket(keys.bucket, write=True) == {name: done[name] for name in ("read", "write")}


def test_check_tells_what_the_store_refused(granted: Project) -> None:
    wrong = {**SCENES.document(), "aws_secret_access_key": "wrong-secret-0005"}
    granted.cirrus("secrets", "set", "scenes", stdin=json.dumps(wrong).encode())
    done = granted.cirrus("secrets", "check", "scenes")
    assert done.returncode == 4
    assert b"cannot list s3://scenes" in done.stderr
    assert b"wrong-secret-0005" not in done.stderr


def test_a_secret_that_is_not_there_stops_the_control_process_and_is_named(granted: Project) -> None:
    shutil.rmtree(granted.folder / "secrets")
    done = granted.cirrus("up", "--until-idle")
    assert done.returncode == 2
    assert b"buckets.scenes: no secret 'file:" in done.stderr
    assert b"cirrus secrets set" in done.stderr
    assert granted.cirrus("manage", "local", "query").returncode == 0
