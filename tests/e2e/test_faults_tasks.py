"""Tasks that go wrong in every way, and logs that cannot be written, as whole projects see it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import CIRRUS, Project, payload, task_state, until
from tests.e2e.test_faults import disk, fill, sound

__all__ = ["disk"]
TASKS = """
import os, pathlib, time

def once(payload):
    for one in payload["features"]:
        one.update(properties={"datetime": "2024-05-01T00:00:00Z"}, links=[], assets={})
    mark = pathlib.Path("marks") / (os.environ["CIRRUS_TASK_KIND"] + payload["id"].replace("/", "-"))
    mark.parent.mkdir(exist_ok=True)
    first = not mark.exists()
    mark.touch()
    return first

def greedy(payload):
    if once(payload):
        hold = [bytearray(50_000_000) for _ in range(40)]
    return payload

def forks(payload):
    if once(payload):
        for _ in range(3):
            if os.fork() == 0:
                while True:
                    time.sleep(3600)
        time.sleep(3600)
    return payload
"""
AGAIN = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]


def make(project: Project, **local: str) -> None:
    """Two tasks that go wrong the first time, and their workflows."""
    project.write("tasks/steps.py", TASKS)
    given = "".join(f"{name} = {json.dumps(value)}\n" for name, value in local.items())
    tables = "".join(
        f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n{limit}\nenv = {{ CIRRUS_TASK_KIND = "{name}" }}\n'
        for name, limit in (("greedy", 'memory = "200MB"'), ("forks", 'timeout = "2s"'))
    )
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}[deployments.local]\n{given}')
    for name in ("greedy", "forks"):
        project.workflow(name, {"StartAt": name, "States": {name: task_state(name, Retry=AGAIN)}})


def below(folder: Path) -> list[str]:
    """The processes that work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_memory_and_children_of_a_task_cost_its_own_attempt(project: Project) -> None:
    make(project)
    project.submit(*(payload(name, item) for name in ("greedy", "forks") for item in "ab"))
    project.drain()
    assert Counter(project.states().values()) == {"COMPLETED": 4}
    for name, error in (("greedy", "Runtime.OutOfMemory"), ("forks", "Sandbox.Timedout")):
        events = project.json("manage", "local", "get-execution-events", "--payload-id", f"test/workflow-{name}/a")
        assert error in json.dumps(events), events
    assert below(project.folder) == []
    sound(project)


def test_full_disk_of_the_file_of_events_holds_up_nothing(project: Project, disk: Path) -> None:
    make(project, events_file=str(disk / "events.ndjson"))
    filler = fill(disk)
    project.submit(payload("greedy", "a"))
    project.start("up")
    until(lambda: project.states() == {"test/workflow-greedy/a": "COMPLETED"})
    ledger = ("manage", "local", "deliveries", "list", "--target", "events_file")
    waiting = until(lambda: [one for one in project.lines(*ledger) if "error" in one])
    assert all("No space left" in one["error"] and one["state"] == "waiting" for one in waiting)
    filler.unlink()
    until(lambda: {one["state"] for one in project.lines(*ledger)} == {"sent"})
    told = [json.loads(line)["body"]["event_type"] for line in (disk / "events.ndjson").read_text().splitlines()]
    assert told == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"]
    sound(project)


def test_read_only_file_of_events_is_written_once_it_can_be(project: Project, disk: Path) -> None:
    make(project, events_file=str(disk / "events.ndjson"))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    project.submit(payload("greedy", "a"))
    project.start("up")
    until(lambda: project.states() == {"test/workflow-greedy/a": "COMPLETED"})
    ledger = ("manage", "local", "deliveries", "list", "--target", "events_file")
    until(lambda: any("Read-only" in one.get("error", "") for one in project.lines(*ledger)))
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    until(lambda: {one["state"] for one in project.lines(*ledger)} == {"sent"})
    assert len((disk / "events.ndjson").read_text().splitlines()) == 3
    sound(project)


@pytest.fixture
def cage(tmp_path: Path) -> Iterator[Path]:
    """A memory cgroup of 400 MB: who enters it and takes more meets the kernel's OOM killer."""
    name = f"cirrus-test-{os.getpid()}"
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    kind, file = (v1, "memory.limit_in_bytes") if v1.is_dir() else (v2, "memory.max")
    made = kind / name
    try:
        made.mkdir()
        (made / file).write_text(str(400_000_000))
    except OSError as error:
        with suppress(OSError):
            made.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield made
    until(lambda: not (made / "cgroup.procs").read_text())
    made.rmdir()


def test_kernel_that_kills_for_memory_costs_one_attempt(project: Project, cage: Path) -> None:
    make(project)
    project.write("cirrus.toml", (project.folder / "cirrus.toml").read_text().replace('memory = "200MB"', ""))
    project.submit(*(payload("greedy", item) for item in "ab"))
    enter = f'echo $$ > {cage}/cgroup.procs && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", enter, "sh", *CIRRUS, "up", "--until-idle", "--workers", "1"],
        cwd=project.folder,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(project.states().values()) == {"COMPLETED"}
    for item in "ab":
        events = project.json("manage", "local", "get-execution-events", "--payload-id", f"test/workflow-greedy/{item}")
        told = json.dumps(events)
        assert "Runtime.OutOfMemory" in told, told
        assert "whose OOM killer struck" in told
    assert below(project.folder) == []
    sound(project)
