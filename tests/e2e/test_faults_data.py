"""Disks below outputs and the catalog that are full or read-only."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.e2e.conftest import Project, payload, task_state, until
from tests.e2e.test_faults import disk, fill, sound

__all__ = ["disk"]
TASKS = """
from cirrus.tasks import kit

def output(payload):
    for one in payload["features"]:
        href = kit.locate(f"{one['collection']}/{one['id']}.bin")
        kit.objects().put(href, b"x" * 1_000_000)
        one.update(properties={"datetime": "2024-05-01T00:00:00Z"}, links=[], assets={"data": {"href": href}})
    return payload
"""
AGAIN = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 100}]
CATALOG = "catalog/test/2024/05/01/a.json"


def make(project: Project, **local: str) -> None:
    """A task that uploads a megabyte, in a workflow that tries it once and in one that tries it again."""
    project.write("tasks/steps.py", TASKS)
    given = "".join(f"{name} = {json.dumps(value)}\n" for name, value in local.items())
    tasks = '[tasks.output]\nhandler = "tasks.steps:output"\n'
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tasks}[deployments.local]\n{given}')
    project.workflow("once", {"StartAt": "a", "States": {"a": task_state("output")}})
    project.workflow("again", {"StartAt": "a", "States": {"a": task_state("output", Retry=AGAIN)}})


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def failed(project: Project, workflow: str) -> str:
    """What an execution's history says of the step that failed."""
    events = project.json("manage", "local", "get-execution-events", "--payload-id", f"test/workflow-{workflow}/a")
    found = [one for one in events["events"] if "Failed" in one["type"]]
    return json.dumps(found)


def test_full_disk_of_the_outputs_fails_an_attempt_that_says_so(project: Project, disk: Path) -> None:
    make(project, data=str(disk / "data"))
    filler = fill(disk)
    project.submit(payload("once", "a"), payload("again", "a"))
    project.start("up")
    until(lambda: project.states().get("test/workflow-once/a") == "FAILED")
    error = project.json("manage", "local", "get-state", "test/workflow-once/a")["last_error"]
    assert "No space left" in error
    assert str(disk / "data") in error
    until(lambda: "No space left" in failed(project, "again"))
    assert project.states()["test/workflow-again/a"] == "PROCESSING"
    filler.unlink()
    until(lambda: project.states()["test/workflow-again/a"] == "COMPLETED", 30)
    assert [path.name for path in (disk / "data").rglob("*") if path.is_file()] == ["a.bin"]
    assert (disk / "data/test/a.bin").stat().st_size == 1_000_000
    sound(project)


def test_read_only_outputs_fail_an_attempt_that_says_so(project: Project, disk: Path) -> None:
    make(project, data=str(disk / "data"))
    remount(disk, "ro")
    project.submit(payload("once", "a"), payload("again", "a"))
    project.start("up")
    until(lambda: project.states().get("test/workflow-once/a") == "FAILED")
    assert "Read-only" in project.json("manage", "local", "get-state", "test/workflow-once/a")["last_error"]
    remount(disk, "rw")
    until(lambda: project.states()["test/workflow-again/a"] == "COMPLETED", 30)
    sound(project)


def test_read_only_catalog_holds_up_publishing_alone(project: Project, disk: Path) -> None:
    make(project, catalog=str(disk / "catalog"))
    remount(disk, "ro")
    project.submit(payload("once", "a"))
    project.start("up")
    until(lambda: project.states() == {"test/workflow-once/a": "COMPLETED"})
    ledger = ("manage", "local", "deliveries", "list", "--target", "catalog")
    until(lambda: any("Read-only" in one.get("error", "") for one in project.lines(*ledger)))
    assert {one["state"] for one in project.lines(*ledger)} == {"waiting"}
    remount(disk, "rw")
    until(lambda: (disk / CATALOG).exists(), 30)
    until(lambda: {one["state"] for one in project.lines(*ledger)} == {"sent"})
    sound(project)
