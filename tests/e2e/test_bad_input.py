"""Whatever a task or a payload does, it costs itself: a clear error in the right place, and the rest goes on."""

from __future__ import annotations

import json
import subprocess

from tests.e2e.conftest import CIRRUS, Project, payload, task_state

TASKS = """
import os, subprocess, time
from stactask.exceptions import InvalidInput

def ok(payload):
    return payload

def nothing(payload):
    return None

def loud(payload):
    for _ in range(50_000):
        print("x" * 99)
    print("the end")
    return payload

def hang(payload):
    subprocess.Popen(["sleep", "300"])
    time.sleep(300)

def killed(payload):
    os.kill(os.getpid(), 9)

def invalid(payload):
    raise InvalidInput("no cloud mask")

def failed(payload):
    raise KeyError("red")
"""
NAMES = ("ok", "nothing", "loud", "hang", "killed", "invalid", "failed")


def _prepare(project: Project) -> None:
    project.write("tasks/bad.py", TASKS)
    tables = [
        f'[tasks.{name}]\nhandler = "tasks.bad:{name}"\n' + ('timeout = "500ms"\n' if name == "hang" else "")
        for name in NAMES
    ]
    tables.append('[tasks.missing]\nhandler = "tasks.nowhere:Task"\n')
    project.write("cirrus.toml", '[project]\nname = "test"\n' + "\n".join(tables))
    for name in (*NAMES, "missing"):
        project.workflow(f"w-{name}", {"StartAt": "a", "States": {"a": task_state(name)}})


def test_every_way_to_fail(project: Project) -> None:
    _prepare(project)
    project.submit(*(payload(f"w-{name}", "item") for name in (*NAMES, "missing")))
    project.drain()
    found = {one["payload_id"].split("/")[1]: one for one in project.lines("manage", "local", "query")}
    assert {name: one["state"] for name, one in found.items()} == {
        "workflow-w-ok": "COMPLETED",
        "workflow-w-loud": "COMPLETED",
        "workflow-w-nothing": "FAILED",
        "workflow-w-hang": "FAILED",
        "workflow-w-killed": "FAILED",
        "workflow-w-failed": "FAILED",
        "workflow-w-missing": "FAILED",
        "workflow-w-invalid": "INVALID",
    }
    errors = {name: one.get("last_error", "") for name, one in found.items()}
    assert errors["workflow-w-invalid"] == "InvalidInput: no cloud mask"
    assert errors["workflow-w-failed"] == "KeyError: 'red'"
    assert errors["workflow-w-hang"].startswith("TimedOutError: ")
    assert "SIGKILL" in errors["workflow-w-killed"]
    assert "tasks.nowhere" in errors["workflow-w-missing"]
    assert errors["workflow-w-nothing"].startswith("InvalidOutput: ")
    log = project.ok("manage", "local", "get-logs", "--payload-id", "test/workflow-w-loud/item")
    assert log.rstrip().endswith(b"the end")
    assert len(log) < 1_200_000


def test_rejected_payloads_are_kept_with_their_reason(project: Project) -> None:
    _prepare(project)
    good, unknown = payload("w-ok", "good"), payload("nowhere", "item")
    escaping = payload("w-ok", "..")
    lines = [
        b'{"broken',
        json.dumps(good).encode(),
        json.dumps(unknown).encode(),
        json.dumps(escaping).encode(),
        b"[3]",
    ]
    done = project.cirrus("manage", "local", "process", stdin=b"\n".join(lines))
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["result"] for one in told] == ["rejected", "queued", "rejected", "rejected", "rejected"]
    assert "line 1 column" in told[0]["reason"]
    assert "there is no workflow 'nowhere'" in told[2]["reason"]
    assert "'..'" in told[3]["reason"]
    assert all(one["kept"] for one in told if one["result"] == "rejected")
    project.drain()
    assert project.states() == {"test/workflow-w-ok/good": "COMPLETED"}


def test_large_payloads_simply_work(project: Project) -> None:
    _prepare(project)
    many = payload("w-ok", *(f"item-{n:04d}" for n in range(5000)))
    large = payload("w-ok", "large")
    large["features"][0]["properties"] = {"text": "é" * 10_000_000}
    project.submit(many, large)
    project.drain()
    states = project.states()
    assert set(states.values()) == {"COMPLETED"}
    assert len(states) == 2
    found = json.loads(project.ok("manage", "local", "get-output-payload", "test/workflow-w-ok/large", "--raw"))
    assert found["features"] == large["features"]
    long = max(states, key=len).encode()
    assert json.loads(project.ok("manage", "local", "get-state", "-", stdin=long))["state"] == "COMPLETED"
    words = ("manage", "local", "get-execution", "--payload-id", "-")
    assert json.loads(project.ok(*words, stdin=long + b"\n"))["payload_id"] == long.decode()
    assert project.cirrus(*words).returncode == 2


def test_closed_stdin_is_an_empty_one(project: Project) -> None:
    _prepare(project)
    words = [*CIRRUS, "manage", "local", "process"]
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *words], cwd=project.folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"cirrus: stdin is empty")


def test_a_project_file_that_is_wrong_names_each_key(project: Project) -> None:
    project.write(
        "cirrus.toml", '[tasks.a]\nhandler = 3\ntimeout = "soon"\n\n[deployments.x]\nhome = "moon"\nrot = "."\n'
    )
    done = project.cirrus("manage", "local", "summary")
    assert done.returncode == 2
    told = done.stderr.decode()
    for part in ("tasks.a.handler", "tasks.a.timeout", "'15m'", "deployments.x.home", "did you mean root?"):
        assert part in told
    assert "Traceback" not in told


def test_a_definition_that_does_not_parse_is_told_when_the_payload_is_queued(project: Project) -> None:
    project.workflow("broken", {"StartAt": "a", "States": {"a": {"Type": "Pass", "Next": "nowhere"}}})
    done = project.cirrus("manage", "local", "process", stdin=json.dumps(payload("broken", "item")).encode())
    assert done.returncode == 1
    assert "nowhere" in json.loads(done.stdout)["reason"]


def test_what_is_not_there_is_said_and_is_no_success(project: Project) -> None:
    for words in (
        ("manage", "nowhere", "summary"),
        ("manage", "local", "get-payload", "a/workflow-b/c"),
        ("manage", "local", "get-state", "a/workflow-b/c"),
        ("manage", "local", "get-execution", "--arn", "arn:none"),
        ("manage", "local", "get-workflow-definition", "none"),
    ):
        done = project.cirrus(*words)
        assert done.returncode == 3, words
        assert done.stdout == b""
        assert b"Traceback" not in done.stderr
