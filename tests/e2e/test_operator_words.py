"""What the command line says where there is nothing to show, and what a shell can complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, payload, task_state


@pytest.fixture
def ready(project: Project) -> Project:
    """A project with a task that prints and one that does not."""
    project.write("tasks/two.py", "def loud(payload):\n    print('a word')\n    return payload\n")
    project.write("tasks/quiet.py", "def quiet(payload):\n    return payload\n")
    project.write(
        "cirrus.toml",
        '[tasks.loud]\nhandler = "tasks.two:loud"\n[tasks.quiet]\nhandler = "tasks.quiet:quiet"\n'
        '[deployments.prod]\nhome = "local"\n',
    )
    project.workflow("both", {"StartAt": "a", "States": {"a": task_state("loud", Next="b"), "b": task_state("quiet")}})
    return project


def test_logs_of_a_task_that_printed_nothing(ready: Project) -> None:
    ready.submit(payload("both", "item"))
    ready.drain()
    words = ("manage", "local", "get-logs", "--payload-id", "test/workflow-both/item")
    assert b"a word" in ready.ok(*words)
    for task in ("nope", "quiet"):
        done = ready.cirrus(*words, "--task", task)
        assert (done.returncode, done.stdout) == (0, b"")
        assert done.stderr.decode() == f"no attempt of '{task}' has printed anything; these have: loud\n"


def test_a_query_without_a_match_says_so_and_keeps_stdout_empty(ready: Project) -> None:
    done = ready.cirrus("manage", "local", "get-payloads", "--state", "FAILED", "--rerun")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"no record matches\n")


@pytest.mark.parametrize("command", ["validate", "get-id"])
def test_an_empty_stdin_is_no_success(project: Project, command: str) -> None:
    done = project.cirrus("payload", command)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b"cirrus: stdin holds no payload\n")


def test_run_names_the_file_of_a_wrong_item(ready: Project) -> None:
    ready.write("good.json", json.dumps({"id": "a"}))
    ready.write("bad.json", json.dumps({"type": "FeatureCollection", "features": [{"id": "b"}, {"id": 5}]}))
    done = ready.cirrus("run", "both", "good.json", "bad.json")
    assert done.returncode == 1
    assert b"bad.json: features[1].id: a string that is not empty is expected, not a number" in done.stderr
    done = ready.cirrus("run", "both", "good.json", "gone.json")
    assert done.returncode == 3
    assert b"gone.json" in done.stderr


def test_run_gives_an_item_the_place_that_its_relative_hrefs_lead_from(ready: Project) -> None:
    links = [{"rel": "self", "href": "./a.json"}, {"rel": "license", "href": "l"}]
    file = ready.write("items/a.json", json.dumps({"id": "a", "links": links, "assets": {"x": {"href": "./x.tif"}}}))
    own = ready.write("items/b.json", json.dumps({"id": "b", "links": [{"rel": "self", "href": "s3://x/b.json"}]}))
    ready.ok("run", "both", str(file), str(own))
    given = ready.json("manage", "local", "get-payload", "none/workflow-both/a/b")["features"]
    assert given[0]["links"] == [links[1], {"rel": "self", "href": str(file), "type": "application/geo+json"}]
    assert given[1]["links"] == [{"rel": "self", "href": "s3://x/b.json"}]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("cirrus manage ", ["local", "prod"]),
        ("cirrus up pr", ["prod"]),
        ("cirrus run ", ["both"]),
        ("cirrus manage local get-workflow-definition b", ["both"]),
        ("cirrus manage local get-logs --task lo", ["loud"]),
        ("cirrus manage local get-w", ["get-workflow-definition"]),
    ],
)
def test_shell_completes(ready: Project, words: str, found: list[str]) -> None:
    assert complete(ready, words) == found


def test_shell_completes_nothing_outside_of_a_project(project: Project) -> None:
    Path(project.folder / "cirrus.toml").unlink()
    assert complete(project, "cirrus manage ") == []


def complete(project: Project, words: str) -> list[str]:
    env = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1), "_CIRRUS_COMPLETE": "bash_complete"}
    done = project.cirrus(env=env)
    assert b"Traceback" not in done.stderr
    return [line.partition(",")[2] for line in done.stdout.decode().split()]
