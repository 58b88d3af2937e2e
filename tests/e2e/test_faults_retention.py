"""Retention beside the work: what is past its time goes, what runs stays, and nothing comes back under an old id."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from tests.e2e.conftest import Project, payload, until
from tests.e2e.test_faults import database, journal, make, sound

KEPT = {"histories": "1s", "logs": "1s", "records": "1s", "events": "1s", "deliveries": "1s", "tmp": "1s"}
TABLES = ("records", "executions", "journal", "logs", "events", "outbox", "names", "messages", "bodies")


def keeping(project: Project, **retention: str) -> Project:
    """The project with these ages."""
    make(project)
    lines = "".join(f"{name} = {age if age.startswith('{') else json.dumps(age)}\n" for name, age in retention.items())
    file = project.folder / "cirrus.toml"
    file.write_text(f"{file.read_text()}[deployments.local.retention]\n{lines}")
    return project


def counts(project: Project) -> dict[str, int]:
    with closing(sqlite3.connect(project.folder / ".cirrus/local/cirrus.db", timeout=30)) as connection:
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in TABLES}


def test_what_is_past_its_time_goes_while_work_goes_on(project: Project) -> None:
    keeping(project, **KEPT)
    project.submit(payload("steps", "long"), *(payload("item", f"n{n}") for n in range(40)))
    first, second = (project.start("up") for _ in range(2))
    until(lambda: len(journal(project)) >= 20)
    first.kill()
    until(lambda: project.states() == {"test/workflow-steps/long": "PROCESSING"})
    left = until(lambda: (found := counts(project)) and found["events"] == found["outbox"] == 0 and found)
    assert (left["records"], left["executions"], left["journal"]) == (1, 1, 2)
    until(lambda: counts(project)["bodies"] <= 3)  # input, definition, and what the first step answered
    day = project.folder / "catalog/test/2024/05/01"
    assert all((day / f"n{n}.json").exists() for n in range(40))
    sound(project)
    project.write("go", "")
    until(lambda: not project.states())
    until(lambda: not any(counts(project).values()))
    assert journal(project)["third test/workflow-steps/long"] == 1
    assert second.poll() is None
    sound(project)


def test_payload_of_a_record_that_is_gone_runs_again_under_a_new_id(project: Project) -> None:
    keeping(project, records='{ COMPLETED = "1s" }')
    project.start("up")
    for _ in range(3):
        project.submit(payload("item", "a"))
        until(lambda: project.states() == {"test/workflow-item/a": "COMPLETED"})
        until(lambda: not project.states())
    (executions,) = database(project, "SELECT executions FROM tombstones")[0]
    ids = json.loads(str(executions))
    assert len(set(ids)) == len(ids) == 3
    assert journal(project) == Counter({"item test/workflow-item/a": 3})


def test_history_goes_before_its_record_and_is_told_of(project: Project) -> None:
    keeping(project, histories='{ COMPLETED = "1s" }', logs="1s")
    project.submit(payload("item", "a"))
    project.start("up")
    until(lambda: project.states() == {"test/workflow-item/a": "COMPLETED"})
    until(lambda: counts(project)["journal"] == 0)
    gone = project.cirrus("manage", "local", "get-execution-events", "--payload-id", "test/workflow-item/a")
    assert json.loads(gone.stdout) == {"events": []}
    assert b"retention" in gone.stderr
    assert project.json("manage", "local", "get-output-payload", "test/workflow-item/a")["features"]
    sound(project)


def test_space_of_what_is_gone_is_given_back(project: Project) -> None:
    keeping(project, records="1s", events="1s")
    ballast = [{"noise": os.urandom(50_000).hex()} for _ in range(150)]
    project.submit(*({**payload("item", f"n{n}"), **one} for n, one in enumerate(ballast)))
    file = project.folder / ".cirrus/local/cirrus.db"
    project.start("up")
    until(lambda: file.stat().st_size > 10_000_000)
    until(lambda: counts(project)["bodies"] == 0)
    until(lambda: file.stat().st_size < 6_000_000)
    sound(project)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('histories = "soon"', "retention.histories: a duration such as '30d', or a table of durations by end state"),
        ('records = { RUNNING = "1d" }', "retention.records: a duration such as '30d', or a table"),
        ('recrods = "1d"', "retention.recrods: is unknown; did you mean records?"),
    ],
)
def test_age_that_is_wrong_is_told(project: Project, line: str, problem: str) -> None:
    project.write("cirrus.toml", f"[deployments.local.retention]\n{line}\n")
    done = project.cirrus("up", "--until-idle")
    assert done.returncode == 2
    assert problem in done.stderr.decode()
