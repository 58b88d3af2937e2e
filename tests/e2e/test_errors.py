"""Failures as an operator understands them, and messages that were no payload."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Project, payload, task_state, until

TASKS = """
import pathlib, time

def read(payload):
    number = payload["features"][0]["id"].rpartition("-")[2]
    print(f"reading scene {number}")
    if payload["features"][0]["id"].startswith("bad"):
        raise OSError(f"no space for /data/{number}/B04.tif after {number} MB")
    return payload

def write(payload):
    if payload["features"][0]["id"].startswith("odd"):
        raise KeyError("B0" + payload["features"][0]["id"][-1])
    return payload

def wait(payload):
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return payload
"""


@pytest.fixture
def failing(project: Project) -> Project:
    project.write("tasks/steps.py", TASKS)
    tables = "".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in ("read", "write", "wait"))
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}')
    states = {"read": task_state("read", Next="write"), "write": task_state("write")}
    project.workflow("cog", {"StartAt": "read", "States": states})
    project.workflow("wait", {"StartAt": "wait", "States": {"wait": task_state("wait")}})
    return project


def lines(project: Project, *words: str) -> list[Any]:
    return project.lines("manage", "local", *words)


def test_failures_are_grouped_and_chosen_by_fingerprint(failing: Project) -> None:
    names = [*(f"bad-{n}" for n in range(5)), *(f"odd-{n}" for n in range(3)), "good-1"]
    failing.submit(*(payload("cog", name) for name in names))
    failing.drain()
    space, key = lines(failing, "errors")
    assert (space["count"], space["workflow"], space["step"]) == (5, "cog", "read")
    assert space["message"] == "OSError: no space for <path> after <n> MB"
    assert (key["count"], key["step"], key["message"]) == (3, "write", "KeyError: '<id>'")
    sample = space["sample"]
    assert sample["payload_id"].startswith("test/workflow-cog/bad-")
    assert sample["last_error"].startswith("OSError: no space for /data/")
    assert any("reading scene" in line for line in sample["log"])
    chosen = lines(failing, "query", "--fingerprint", key["fingerprint"])
    assert {one["itemids"] for one in chosen} == {"odd-0", "odd-1", "odd-2"}
    assert {one["error_fingerprint"] for one in chosen} == {key["fingerprint"]}
    assert len(lines(failing, "get-payloads", "--fingerprint", key["fingerprint"])) == 3
    assert [one["count"] for one in lines(failing, "errors", "--error-text", "/data/3/")] == [1]
    assert lines(failing, "errors", "--workflow", "wait") == []


def test_mended_failures_leave_their_group(failing: Project) -> None:
    failing.submit(payload("cog", "odd-1"), payload("cog", "odd-2"))
    failing.drain()
    (group,) = lines(failing, "errors")
    failing.write("tasks/steps.py", TASKS.replace('startswith("odd")', 'startswith("never")'))
    again = failing.ok("manage", "local", "get-payloads", "--fingerprint", group["fingerprint"], "--rerun")
    failing.ok("manage", "local", "process", stdin=again)
    failing.drain()
    assert lines(failing, "errors") == []


def test_running_executions_are_aborted_by_query(failing: Project) -> None:
    failing.submit(payload("wait", "a"), payload("wait", "b"))
    failing.start("up")
    until(lambda: list(failing.states().values()) == ["PROCESSING"] * 2)
    stopped = lines(failing, "abort", "--workflow", "wait")
    assert {one["state"] for one in stopped} == {"ABORTED"}
    assert set(failing.states().values()) == {"ABORTED"}
    assert lines(failing, "abort", "--workflow", "wait") == []
    for words in ([], ["test/workflow-wait/a", "--workflow", "wait"]):
        assert failing.cirrus("manage", "local", "abort", *words).returncode == 2


def test_messages_in_quarantine(failing: Project) -> None:
    missing = payload("later", "a")
    done = failing.cirrus("manage", "local", "process", stdin=b"{oops\n" + json.dumps(missing).encode() + b"\n")
    assert done.returncode == 1
    found = {one["reason"]: one["name"] for one in lines(failing, "quarantine", "list")}
    assert len(found) == 2
    (later,) = (name for reason, name in found.items() if "there is no workflow 'later'" in reason)
    (broken,) = (name for name in found.values() if name != later)
    shown = failing.cirrus("manage", "local", "quarantine", "show", broken)
    assert shown.stdout == b"{oops\n"
    failing.workflow("later", {"StartAt": "a", "States": {"a": {"Type": "Succeed"}}})
    assert lines(failing, "quarantine", "requeue", later) == [{"name": later, "result": "queued"}]
    failing.drain()
    assert failing.states() == {"test/workflow-later/a": "COMPLETED"}
    assert failing.cirrus("manage", "local", "quarantine", "drop", broken).returncode == 130
    assert lines(failing, "quarantine", "drop", "--all", "--yes") == [{"name": broken, "result": "dropped"}]
    assert lines(failing, "quarantine", "list") == []
    assert failing.cirrus("manage", "local", "quarantine", "show", broken).returncode == 3


def test_records_are_forgotten_after_asking(failing: Project) -> None:
    failing.submit(payload("cog", "good-1"), payload("cog", "bad-1"), payload("cog", "bad-2"))
    failing.drain()
    known = "test/workflow-cog/good-1"
    assert failing.cirrus("manage", "local", "forget", known).returncode == 130
    assert len(failing.states()) == 3
    agreed = failing.cirrus("manage", "local", "forget", known, stdin=b"y\n")
    assert json.loads(agreed.stdout) == {"payload_id": known, "result": "forgotten"}
    assert b"Forget 1 record of local for good?" in agreed.stderr
    assert len(lines(failing, "forget", "--state", "FAILED", "--yes")) == 2
    assert failing.states() == {}
    again = failing.cirrus("manage", "local", "forget", known, "--yes")
    assert (again.returncode, json.loads(again.stdout)["result"]) == (1, "unknown")
    for words in ([], [known, "--state", "FAILED"]):
        assert failing.cirrus("manage", "local", "forget", "--yes", *words).returncode == 2


def test_lines_of_logs_are_found(failing: Project) -> None:
    failing.submit(payload("cog", "good-7"))
    failing.drain()
    words = ("manage", "local", "get-logs", "--payload-id", "test/workflow-cog/good-7")
    assert b"reading scene 7" in failing.ok(*words, "--grep", "scene [0-9]")
    none = failing.cirrus(*words, "--grep", "no such line")
    assert none.stdout == b""
    assert b"no attempt has printed a line with 'no such line'; these have: read" in none.stderr
    assert failing.cirrus(*words, "--grep", "(").returncode == 2
