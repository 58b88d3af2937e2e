"""Reruns as an operator makes them: looked at first, in one command, with canaries, from the step that failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Project, payload, task_state

TASKS = """
def read(payload):
    with open("journal.txt", "a") as journal:
        journal.write(payload["features"][0]["id"] + "\\n")
    return payload

def write(payload, **_):
    if payload["process"][0].get("tasks", {}).get("write", {}).get("size", 1) < 5:
        raise ValueError("too small")
    return payload

write.Parameters = {"properties": {"size": {"type": "integer"}}}
"""


@pytest.fixture
def failed(project: Project) -> Project:
    project.write("tasks/steps.py", TASKS)
    tables = "".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in ("read", "write"))
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}')
    states = {"read": task_state("read", Next="write"), "write": task_state("write")}
    project.workflow("cog", {"StartAt": "read", "States": states})
    project.submit(*(payload("cog", f"s{n}", tasks={"write": {"size": 1}}) for n in range(6)))
    project.drain()
    assert set(project.states().values()) == {"FAILED"}
    return project


def told(project: Project, *words: str) -> Any:
    return project.json("manage", "local", *words)


def test_rerun_in_one_command(failed: Project) -> None:
    look = told(failed, "rerun", "--dry-run", "--set", "write.size=7")
    assert (look["total"], look["counts"]) == (6, {"FAILED": 6})
    assert look["changes"] == [{"task": "write", "name": "size", "old": 1, "new": 7}]
    assert set(failed.states().values()) == {"FAILED"}
    begun = told(failed, "rerun", "--collections-workflow", "test_cog", "--set", "write.size=7", "--name", "mend")
    assert (begun["campaign"], begun["state"], begun["total"]) == ("mend", "RUNNING", 6)
    assert "--collections-workflow test_cog" in begun["selection"]
    failed.drain()
    found = told(failed, "campaign", "show", "mend")
    assert (found["state"], found["counts"], found["failing"]) == ("DONE", {"COMPLETED": 6}, [])
    assert set(failed.states().values()) == {"COMPLETED"}


def test_a_parameter_that_cannot_be_is_refused_before_anything_begins(failed: Project) -> None:
    for words in (["--dry-run"], ["--name", "wrong"]):
        refused = failed.cirrus("manage", "local", "rerun", "--set", "write.size=large", *words)
        assert (refused.returncode, refused.stdout) == (1, b"")
        assert b'process[0].tasks.write.size: "large" is not of type "integer"' in refused.stderr
    assert failed.lines("manage", "local", "campaign", "list") == []


def test_canaries_that_fail_stop_it_and_the_report_says_what_fails(failed: Project) -> None:
    control = failed.start("up")
    done = failed.cirrus("manage", "local", "rerun", "--canary", "2", "--wait", "--raw")
    assert done.returncode == 10
    report = json.loads(done.stdout)
    assert (report["state"], report["counts"]) == ("STOPPED", {"FAILED": 2, "waiting": 4})
    (group,) = report["failing"]
    assert (group["count"], group["step"], group["message"]) == (2, "write", "ValueError: too small")
    assert [one["fingerprint"] for one in failed.lines("manage", "local", "errors")] == [group["fingerprint"]]
    (listed,) = failed.lines("manage", "local", "campaign", "list")
    assert (listed["campaign"], listed["state"], listed["total"]) == (report["campaign"], "STOPPED", 6)
    assert told(failed, "campaign", "cancel", report["campaign"])["state"] == "CANCELLED"
    again = failed.cirrus("manage", "local", "campaign", "pause", report["campaign"])
    assert again.returncode == 1
    assert b"is CANCELLED: it cannot pause" in again.stderr
    control.terminate()


def test_from_the_step_that_failed(failed: Project) -> None:
    (failed.folder / "journal.txt").unlink()
    failed.write("tasks/steps.py", TASKS.replace("< 5", "< 0"))
    failed.ok("manage", "local", "rerun", "--from-failed-step")
    failed.drain()
    assert set(failed.states().values()) == {"COMPLETED"}
    assert not (failed.folder / "journal.txt").exists()
    log = failed.ok("manage", "local", "get-logs", "--payload-id", "test/workflow-cog/s1", "--task", "read")
    assert b"not run again" in log


def test_words_that_make_no_sense(failed: Project) -> None:
    for words in (["--set", "size=7"], ["--set", "write.size"], ["--canary", "0"], ["--rate", "0"]):
        assert failed.cirrus("manage", "local", "rerun", *words).returncode == 2
    missing = failed.cirrus("manage", "local", "campaign", "show", "nothing")
    assert missing.returncode == 3
    assert b"no campaign 'nothing': there are: none" in missing.stderr


def test_nothing_to_rerun_begins_no_campaign(failed: Project) -> None:
    none = failed.cirrus("manage", "local", "rerun", "--workflow", "other")
    assert (none.returncode, none.stdout) == (0, b"")
    assert b"no record matches: nothing is rerun" in none.stderr
    assert failed.lines("manage", "local", "campaign", "list") == []
