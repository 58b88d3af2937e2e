"""Tasks as functions and as Batch jobs, with what stands before and behind a job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.entry.lambdas import post_batch, pre_batch, task
from tests.aws.scene import Scene, make_scene

TASKS = """
def double(payload):
    return {**payload, "features": payload["features"] * 2}

def big(payload):
    return {**payload, "more": "x" * 300_000}

class InvalidInput(Exception):
    pass

def refuse(payload):
    raise InvalidInput("this scene can never work")
"""
PROJECT = """
[project]
name = "p"
[tasks.double]
handler = "mine:double"
[tasks.big]
handler = "mine:big"
[tasks.refuse]
handler = "mine:refuse"
[tasks.copy]
command = ["cp", "{input}", "{output}"]
"""


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients())


@pytest.fixture
def project(tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "cirrus.toml").write_text(PROJECT)
    (tmp_path / "mine.py").write_text(TASKS)
    monkeypatch.setenv("CIRRUS_PROJECT", str(tmp_path))
    monkeypatch.setenv("CIRRUS_PAYLOAD_BUCKET", scene.where.variables.payload_bucket)
    monkeypatch.setenv("CIRRUS_PAYLOAD_ROOT_PREFIX", scene.root)
    path = list(sys.path)
    task._host.cache_clear()
    yield tmp_path
    task._host.cache_clear()
    sys.path[:] = path
    sys.modules.pop("mine", None)


def call(monkeypatch: pytest.MonkeyPatch, name: str, payload: Any) -> Any:
    monkeypatch.setenv("CIRRUS_TASK", name)
    return task.lambda_handler(payload, None)


def test_function_runs_a_task_unchanged(scene: Scene, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(call(monkeypatch, "double", scene.payload())["features"]) == 2
    assert call(monkeypatch, "copy", scene.payload()) == scene.payload()


def test_payloads_of_any_size(scene: Scene, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = call(monkeypatch, "big", scene.payload())
    assert answer.keys() == {"url"}
    again = call(monkeypatch, "double", answer)
    text = scene.where.payloads().get(again["url"])
    assert len(json.loads(text)["features"]) == 2


def test_failure_has_the_task_s_own_name(scene: Scene, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exception, match="never work") as caught:
        call(monkeypatch, "refuse", scene.payload())
    assert type(caught.value).__name__ == "InvalidInput"
    with pytest.raises(Exception, match="no task") as caught:
        call(monkeypatch, "absent", scene.payload())
    assert type(caught.value).__name__ == "Runtime.HandlerNotFound"


def job(scene: Scene, project: Path, name: str) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """What Step Functions does around a Batch job: before it, the job itself."""
    given = pre_batch.handle(scene.where, scene.payload(id="scenes/workflow-w/a"))
    done = subprocess.run(
        [sys.executable, "-m", "cirrus.entry.lambdas.task", name, given["url"], given["url_out"]],
        env=dict(os.environ),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return given, done


def test_batch_job_from_payload_to_payload(scene: Scene, project: Path) -> None:
    given, done = job(scene, project, "double")
    assert done.returncode == 0, done.stderr
    assert f"/{scene.root}/tmp/batch/scenes/workflow-w/a/" in given["url"]
    result = post_batch.handle(scene.where, {"JobName": "j", "Parameters": given, "Status": "SUCCEEDED"})
    assert len(result["features"]) == 2


def test_failed_batch_job_tells_its_own_error(scene: Scene, project: Path) -> None:
    given, done = job(scene, project, "refuse")
    assert done.returncode == 1
    assert "InvalidInput: this scene can never work" in done.stdout
    detail = {"Parameters": given, "Status": "FAILED", "StatusReason": "Essential container in task exited"}
    with pytest.raises(Exception, match="never work") as caught:
        post_batch.handle(scene.where, {"error": {"Error": "States.TaskFailed", "Cause": json.dumps(detail)}})
    assert type(caught.value).__name__ == "InvalidInput"


def test_job_that_never_ran_tells_the_reason_of_batch(scene: Scene) -> None:
    detail = {"Parameters": {}, "StatusReason": "Host EC2 terminated"}
    with pytest.raises(Exception, match="Host EC2 terminated"):
        post_batch.handle(scene.where, {"error": {"Error": "States.TaskFailed", "Cause": json.dumps(detail)}})


def test_pre_batch_of_nonsense_is_invalid_input(scene: Scene) -> None:
    with pytest.raises(Exception, match="payload") as caught:
        pre_batch.handle(scene.where, {"no": "payload"})
    assert type(caught.value).__name__ == "InvalidInput"
