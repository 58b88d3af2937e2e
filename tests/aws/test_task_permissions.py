"""Tasks ask S3 for nothing that their roles in the template do not allow: a proxy before the store tells what they ask.

Tasks reach stores by another library than Cirrus's own, so hooks of the SDK would not see their calls.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.deploying.deploy import Deployer
from cirrus.entry.lambdas import pre_batch
from cirrus.settings import load_project
from tests.aws.scene import BUCKET, Scene, make_scene
from tests.aws.standins import CREDENTIALS
from tests.deploying.projects import everything

TASKS = """
from cirrus.tasks import kit

def work(payload):
    store = kit.objects()
    for item in payload["features"]:
        place = kit.locate(f"out/{item['id']}.json")
        if not store.exists(place):
            store.put(place, b"{}")
        store.get(place)
    return {**payload, "more": "x" * 300_000}
"""
PROJECT = '[project]\nname = "p"\n[tasks.work]\nhandler = "mine:work"\n'
RUN = """
import json, sys
from cirrus.entry.lambdas import task
print(json.dumps(task.lambda_handler(json.load(sys.stdin), None)))
"""
KINDS = {"PUT": "s3:PutObject", "GET": "s3:GetObject", "HEAD": "s3:GetObject", "DELETE": "s3:DeleteObject"}


class Proxy:
    """Passes requests on to a store as they are, and remembers what they ask for: the IAM action, bucket and key."""

    def __init__(self, url: str) -> None:
        self.asked: set[tuple[str, str]] = set()
        target, remember = urlsplit(url).netloc, self._remember

        class Handler(BaseHTTPRequestHandler):
            def _pass(self) -> None:
                remember(self.command, self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                store = http.client.HTTPConnection(target, timeout=30)
                store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    store.putheader(name, value)
                store.endheaders(body)
                answer = store.getresponse()
                data = answer.read()
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", length or "0")
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data)
                store.close()

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _remember(self, method: str, path: str) -> None:
        parts = urlsplit(path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        action = KINDS.get(method, f"s3:{method}")
        if method == "GET" and (not key or "list-type" in parse_qs(parts.query)):
            action = "s3:ListBucket"
        self.asked.add((action, f"{bucket}/{key}"))


@pytest.fixture
def proxy(seaweed_url: str) -> Iterator[Proxy]:
    found = Proxy(seaweed_url)
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "cirrus.toml").write_text(PROJECT)
    (tmp_path / "mine.py").write_text(TASKS)
    return tmp_path


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found = load_project(everything(tmp_path_factory.mktemp("whole") / "project"))
    told: dict[str, Any] = json.loads(Deployer(found, found.deployments["prod"], lambda _: None).template)["Resources"]
    return told


def allowed(resources: dict[str, Any], role: str) -> set[tuple[str, str]]:
    """The actions of a role on S3, each with the part of the deployment that it is about."""
    found: set[tuple[str, str]] = set()
    for policy in resources[role]["Properties"]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            told = json.dumps(one["Resource"])
            parts = {part for part in ("DataBucket", "PayloadBucket") if part in told}
            found |= {(action, part) for action in one["Action"] for part in parts}
    return found


def parts(scene: Scene, asked: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """What was asked for, by the part of the deployment; a key that belongs to none is told as it is."""
    places = {f"{BUCKET}/{scene.root}/": "PayloadBucket", f"{BUCKET}/data-{scene.root}/": "DataBucket"}
    return {
        (action, next((part for place, part in places.items() if path.startswith(place)), path))
        for action, path in asked
    }


def environment(scene: Scene, proxy: Proxy, project: Path) -> dict[str, str]:
    return {
        **CREDENTIALS,
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "AWS_ALLOW_HTTP": "true",
        "CIRRUS_PROJECT": str(project),
        "CIRRUS_TASK": "work",
        "CIRRUS_DATA": f"s3://{BUCKET}/data-{scene.root}",
        "CIRRUS_PAYLOAD_BUCKET": BUCKET,
        "CIRRUS_PAYLOAD_ROOT_PREFIX": scene.root,
    }


@pytest.mark.parametrize(("role", "as_job"), [("TaskToStacFunctionRole", False), ("TaskHeavyJobRole", True)])
def test_what_a_task_asks_for_is_allowed(
    scene: Scene, proxy: Proxy, project: Path, resources: dict[str, Any], role: str, as_job: bool
) -> None:
    words, given = ["-c", RUN], json.dumps(scene.payload(more="x" * 300_000))
    if as_job:
        told = pre_batch.handle(scene.where, json.loads(given) | {"id": "scenes/workflow-w/a"})
        words = ["-m", "cirrus.entry.lambdas.task", "work", told["url"], told["url_out"]]
    else:
        url = scene.where.payloads().put(f"{scene.root}/tmp/oversized/1.json", given.encode())
        given = json.dumps({"url": url})
    done = subprocess.run(
        [sys.executable, *words],
        input=given,
        env=environment(scene, proxy, project),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked = parts(scene, proxy.asked)
    assert {("s3:PutObject", "DataBucket"), ("s3:GetObject", "DataBucket"), ("s3:PutObject", "PayloadBucket")} <= asked
    assert asked - allowed(resources, role) == set()
