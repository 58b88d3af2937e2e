"""`cirrus doctor`: says that all is well, or what is wrong and what to do."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.conftest import Project, payload, task_state

TOML = '[project]\nname = "test"\n[tasks.same]\nhandler = "tasks.same:same"\n'


def examined(project: Project) -> tuple[int, dict[str, list[Any]]]:
    done = project.cirrus("doctor", "--json")
    found: dict[str, list[Any]] = {}
    for line in done.stdout.splitlines():
        one = json.loads(line)
        found.setdefault(one["check"], []).append(one)
    return done.returncode, found


def sound(project: Project) -> None:
    project.write("cirrus.toml", TOML)
    project.write("tasks/same.py", "def same(payload):\n    return payload\n")
    project.workflow("w", {"StartAt": "same", "States": {"same": task_state("same")}})


def test_nothing_is_wrong(project: Project) -> None:
    sound(project)
    given = payload("w", "a")
    given["features"][0]["properties"] = {"datetime": "2024-05-01T00:00:00Z"}
    project.submit(given)
    project.drain()
    code, found = examined(project)
    assert code == 0, found
    statuses = {(name, one["status"]) for name, many in found.items() for one in many if name not in ("gdal", "disk")}
    assert {status for _, status in statuses} == {"ok"}
    assert {"versions", "python", "dependencies", "tasks", "workflows", "clock", "database", "stores"} <= found.keys()
    assert "nothing is wrong in it" in found["database"][0]["found"]
    assert not list(project.folder.glob("**/.cirrus-*"))


def test_what_is_wrong_is_told_with_what_to_do(project: Project) -> None:
    sound(project)
    more = '[tasks.lost]\nhandler = "tasks.lost:lost"\n'
    more += '[tasks.program]\ncommand = ["no-such-program", "{input}", "{output}"]\n'
    project.write("cirrus.toml", TOML + more + '[deployments.local]\ndata = "/proc/nowhere"\n')
    project.workflow("broken", {"StartAt": "nothing", "States": {"same": task_state("same")}})
    project.write("tasks/same.py", "import no_such_module\n")
    code, found = examined(project)
    assert code == 1
    told = {one["found"].partition(":")[0]: one["found"] for one in found["tasks"]}
    assert "no_such_module" in told["same"]
    assert "lost" in told["lost"]
    assert "there is no program 'no-such-program'" in told["program"]
    (workflow,) = found["workflows"]
    assert workflow["found"].startswith("broken: ")
    assert workflow["advice"] == "cirrus workflow validate"
    assert [one["status"] for one in found["stores"]] == ["problem", "ok"]


def test_a_damaged_database(project: Project) -> None:
    sound(project)
    project.submit(payload("w", "a"))
    project.drain()
    file = project.folder / ".cirrus/local/cirrus.db"
    with file.open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 8192)
    code, found = examined(project)
    assert code == 1
    assert any(one["status"] == "problem" for one in found["database"])


def test_without_a_project_one_thing_is_said_once(project: Project) -> None:
    (project.folder / "cirrus.toml").unlink()
    done = project.cirrus("doctor")
    assert done.returncode == 1
    assert done.stdout.count(b"no cirrus.toml here") == 1
    assert b"1 problem" in done.stderr


def test_deliveries_that_were_given_up(project: Project) -> None:
    sound(project)
    project.submit(payload("w", "a"))  # its Item has no properties: no catalog can hold it
    project.drain()
    code, found = examined(project)
    assert code == 1
    (parked,) = found["deliveries"]
    assert parked["found"].startswith("catalog: 1 given up: output Item 'a' is no STAC Item")
    assert parked["advice"] == "cirrus manage local deliveries list --state parked"
