"""How long work may lie where a control process was killed: as long as its lease, told by time stamps."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.e2e.conftest import Project, payload, task_state, until
from tests.e2e.test_faults import sound

LEASE = 2.0
SLACK = 4.0  # for a busy machine; the default lease is far beyond it
TASKS = """
import json, os, time

def hang(payload):
    file = os.open("runs.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, json.dumps({"at": time.time(), "payload": payload["id"]}).encode() + b"\\n")
    os.close(file)
    while not os.path.exists("go"):
        time.sleep(0.01)
    return payload
"""
PAYLOADS = [payload("hang", name) for name in "abc"]


def make(project: Project) -> None:
    project.write("tasks/steps.py", TASKS)
    tasks = '[tasks.hang]\nhandler = "tasks.steps:hang"\n'
    local = f'[deployments.local]\nlease = "{LEASE}s"\ncatalog = false\n'
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tasks}{local}')
    project.workflow("hang", {"StartAt": "a", "States": {"a": task_state("hang")}})


def runs(folder: Path) -> list[float]:
    """When the task was begun, each time."""
    file = folder / "runs.ndjson"
    return [json.loads(line)["at"] for line in file.read_text().splitlines()] if file.exists() else []


def test_another_process_takes_over_within_the_lease(project: Project) -> None:
    make(project)
    killed = project.start("up", "--workers", "3")
    project.submit(*PAYLOADS)
    until(lambda: len(runs(project.folder)) == 3)
    project.start("up", "--workers", "3")
    until(lambda: len(owners(project)) == 2)
    killed.kill()
    at = time.time()
    until(lambda: len(runs(project.folder)) == 6)
    again = runs(project.folder)[3:]
    assert all(0 < one - at <= LEASE + SLACK for one in again), [one - at for one in again]
    assert set(project.states().values()) == {"PROCESSING"}
    finish(project)


def test_the_next_process_takes_over_at_once_if_the_lease_has_ended(project: Project) -> None:
    make(project)
    killed = project.start("up", "--workers", "3")
    project.submit(*PAYLOADS)
    until(lambda: len(runs(project.folder)) == 3)
    killed.kill()
    until(lambda: abandoned(project) == 3, LEASE + SLACK)
    at = time.time()
    project.start("up", "--workers", "3")
    until(lambda: len(runs(project.folder)) == 6)
    assert all(one - at <= SLACK for one in runs(project.folder)[3:])
    finish(project)


def test_claim_of_a_process_that_was_killed_is_worked_by_its_successor_alone(project: Project) -> None:
    make(project)
    first = project.start("up", "--workers", "3")
    project.submit(*PAYLOADS)
    until(lambda: len(runs(project.folder)) == 3)
    others = [project.start("up", "--workers", "3") for _ in range(2)]
    until(lambda: len(owners(project)) == 3)
    first.kill()
    until(lambda: len(runs(project.folder)) == 6)
    others[0].kill()
    others[1].kill()
    at = time.time()
    project.start("up", "--workers", "3")
    until(lambda: len(runs(project.folder)) == 9)
    assert all(one - at <= LEASE + SLACK for one in runs(project.folder)[6:])
    finish(project)


def owners(project: Project) -> list[str]:
    """The control processes that have a lease."""
    from tests.e2e.test_faults import database

    return [str(row[0]) for row in database(project, "SELECT name FROM owners")]


def abandoned(project: Project) -> int:
    """How many executions nobody has worked on for longer than the lease, as the records' owners tell."""
    from tests.e2e.test_faults import database

    sql = (
        "SELECT count(*) FROM executions e LEFT JOIN owners o ON o.name = e.owner WHERE e.stopped IS NULL"
        f" AND coalesce(o.until, 0) < {time.monotonic() * 1e6}"
    )
    return int(str(database(project, sql)[0][0]))


def finish(project: Project) -> None:
    project.write("go", "")
    until(lambda: set(project.states().values()) == {"COMPLETED"})
    kinds = [one["event_type"] for one in project.lines("manage", "local", "events")]
    assert kinds.count("SUCCEEDED") == len(PAYLOADS)
    assert "FAILED" not in kinds
    sound(project)
