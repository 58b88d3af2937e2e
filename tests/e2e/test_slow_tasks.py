"""Tasks that take their time: limits count work, not the wait for a worker, and what is urgent goes first."""

from __future__ import annotations

import json
from collections import Counter

from tests.e2e.conftest import Project, payload, task_state, until

TASKS = """
import time


def nap(payload):
    time.sleep(60 if payload["features"][0]["id"] == "endless" else 0.3)
    return payload
"""


def test_who_waits_for_a_worker_does_not_time_out(project: Project) -> None:
    project.write("tasks/steps.py", TASKS)
    project.write("cirrus.toml", '[project]\nname = "test"\n[tasks.nap]\nhandler = "tasks.steps:nap"\n')
    project.workflow("w", {"StartAt": "nap", "States": {"nap": task_state("nap", TimeoutSeconds=2)}})
    project.submit(*(payload("w", item) for item in ("endless", *"abcdefghijkl")))
    project.cirrus("up", "--workers", "1", "--until-idle")
    states = project.states()
    failed = [known for known, state in states.items() if state != "COMPLETED"]
    assert failed == ["test/workflow-w/endless"]
    assert len(states) == 13
    told = project.json("manage", "local", "get-state", "test/workflow-w/endless")
    assert told["last_error"].startswith("TimedOutError: ")


def test_higher_priority_does_not_wait_for_all_that_came_before(project: Project) -> None:
    project.write("tasks/steps.py", TASKS)
    project.write("cirrus.toml", '[project]\nname = "test"\n[tasks.nap]\nhandler = "tasks.steps:nap"\n')
    project.workflow("w", {"StartAt": "nap", "States": {"nap": task_state("nap")}})
    project.submit(*(payload("w", f"{n:02}") for n in range(30)))
    control = project.start("up", "--workers", "1", "--until-idle")
    until(lambda: "COMPLETED" in project.states().values())
    urgent = json.dumps(payload("w", "urgent")).encode()
    project.ok("manage", "local", "process", "--priority", "high", stdin=urgent)
    until(lambda: project.states().get("test/workflow-w/urgent") == "COMPLETED")
    counts = Counter(project.states().values())
    assert counts["COMPLETED"] < 25
    assert counts["PROCESSING"] <= 6
    assert control.wait(60) == 0
