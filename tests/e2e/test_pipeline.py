"""The pipeline end to end with real processes: chains, batch jobs, reruns, two control processes, crashes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.conftest import CIRRUS, Project, payload, task_state, until

TASKS = """
import os, pathlib, time
from stactask.exceptions import InvalidInput

def note(payload):
    with open("journal.txt", "a") as journal:
        journal.write(f"{os.environ['CIRRUS_STATE']} {os.environ['CIRRUS_PAYLOAD_ID']}\\n")
    return payload

def split(payload):
    item = payload["features"][0]
    return {**payload, "features": [{**item, "id": f"{item['id']}-{n}", "properties": {"n": n}} for n in range(3)]}

def fussy(payload):
    if pathlib.Path("fixed").exists():
        return payload
    raise ValueError("bug in line 7")

def refuse(payload):
    raise InvalidInput("never")

def wait(payload):
    note(payload)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return payload
"""


@pytest.fixture
def busy(project: Project) -> Project:
    project.write("tasks/steps.py", TASKS)
    names = ("note", "split", "fussy", "refuse", "wait")
    tables = "\n".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in names)
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}\n[deployments.local]\nlease = "1s"\n')
    for name in names:
        project.workflow(name, {"StartAt": name, "States": {name: task_state(name)}})
    states = {
        "first": task_state("note", Next="second"),
        "second": task_state("wait", Next="third"),
        "third": task_state("note"),
    }
    project.workflow("steps", {"StartAt": "first", "States": states})
    return project


def _journal(project: Project) -> Counter[str]:
    path = project.folder / "journal.txt"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def test_a_chain_branches_filters_and_ends(busy: Project) -> None:
    start = payload("split", "scene")
    branches = [
        {"workflow": "note", "chain_filter": "@.properties.n > 0"},
        {"workflow": "note", "collections": "other"},
    ]
    start["process"] += [branches, {"workflow": "note", "collections": "last"}]
    nothing = payload("split", "none")
    nothing["process"] += [{"workflow": "note", "chain_filter": "@.id =~ 'x.*'"}]
    busy.submit(start, nothing)
    busy.drain()
    assert set(busy.states()) == {
        "test/workflow-split/scene",
        "test/workflow-note/scene-1/scene-2",
        "other/workflow-note/scene-0/scene-1/scene-2",
        "last/workflow-note/scene-1/scene-2",
        "last/workflow-note/scene-0/scene-1/scene-2",
        "test/workflow-split/none",
    }
    assert set(busy.states().values()) == {"COMPLETED"}


@pytest.mark.parametrize("xargs", [False, True])
@pytest.mark.parametrize("option", ["--collections-workflow", "--collectons-workflow"])
def test_the_rerun_pipe_of_the_guide(busy: Project, xargs: bool, option: str) -> None:
    busy.submit(payload("fussy", "a"), payload("fussy", "b"), payload("note", "c"), payload("refuse", "d"))
    busy.drain()
    assert Counter(busy.states().values()) == {"FAILED": 2, "COMPLETED": 1, "INVALID": 1}
    busy.write("fixed", "")
    name = " ".join(CIRRUS)
    through = "xargs -0 -L 1 echo |" if xargs else ""
    source = f'{name} manage local get-payloads {option} "test_fussy" --state "FAILED" --rerun'
    line = f"{source} | {through} {name} manage local process"
    done = subprocess.run(line, shell=True, cwd=busy.folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(line)["payload_id"][-1] for line in done.stdout.splitlines()) == ["a", "b"]
    busy.drain()
    found = {one["payload_id"]: one for one in busy.lines("manage", "local", "query")}
    assert Counter(one["state"] for one in found.values()) == {"COMPLETED": 3, "INVALID": 1}
    assert {known[-1]: len(one["executions"]) for known, one in found.items()} == {"a": 2, "b": 2, "c": 1, "d": 1}
    empty = subprocess.run(line, shell=True, cwd=busy.folder, capture_output=True, check=False)
    if xargs:  # it runs echo once without arguments: a lone newline
        assert empty.returncode == 0
        assert b"nothing to do" in empty.stderr


def test_an_empty_stream_is_an_error_that_names_the_plain_pipe(busy: Project) -> None:
    done = busy.cirrus("manage", "local", "process")
    assert done.returncode == 1
    assert b"get-payloads" in done.stderr


def test_batch_jobs_go_through_pre_and_post_batch(project: Project) -> None:
    project.write("tasks/steps.py", TASKS)
    project.write(
        "cirrus.toml",
        '[tasks.note]\nhandler = "tasks.steps:note"\n[tasks.refuse]\nhandler = "tasks.steps:refuse"\n',
    )
    for task in ("note", "refuse"):
        parameters = {
            "JobName": "job",
            "JobQueue": "queue",
            "JobDefinition": f"${{{task}}}",
            "Parameters": {"url.$": "$.url", "url_out.$": "$.url_out"},
        }
        job = {
            "Type": "Task",
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Parameters": parameters,
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "post"}],
            "Next": "post",
        }
        states = {
            "pre": {"Type": "Task", "Resource": "${pre-batch}", "Next": "job"},
            "job": job,
            "post": {"Type": "Task", "Resource": "${post-batch}", "End": True},
        }
        project.workflow(f"batch-{task}", {"StartAt": "pre", "States": states})
    large = payload("batch-note", "large")
    large["features"][0]["properties"] = {"text": "x" * 300_000}
    project.submit(payload("batch-note", "a"), large, payload("batch-refuse", "a"))
    project.drain()
    found = {one["payload_id"]: one for one in project.lines("manage", "local", "query")}
    assert found["test/workflow-batch-note/a"]["state"] == "COMPLETED"
    assert found["test/workflow-batch-refuse/a"]["state"] == "INVALID"
    assert found["test/workflow-batch-refuse/a"]["last_error"] == "InvalidInput: never"
    output = project.json("manage", "local", "get-output-payload", "test/workflow-batch-note/large", "-r")
    assert output["features"] == large["features"]


def test_two_control_processes_never_run_a_payload_twice(busy: Project) -> None:
    ids = [f"item-{n:03d}" for n in range(300)]
    busy.submit(*(payload("note", name) for name in ids))
    workers = [busy.start("up", "--until-idle", "--workers", "1") for _ in range(2)]
    for process in workers:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert busy.json("manage", "local", "summary")["workflows"] == {"test_note": {"COMPLETED": 300}}
    assert set(_journal(busy).values()) == {1}
    assert len(_journal(busy)) == 300


def test_a_killed_control_process_is_taken_over_and_finished_steps_are_not_run_again(busy: Project) -> None:
    busy.submit(payload("steps", "a"), payload("steps", "b"))
    first = busy.start("up")
    until(lambda: len([line for line in _journal(busy) if line.startswith("second")]) == 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert set(busy.states().values()) == {"PROCESSING"}
    busy.write("go", "")
    busy.drain()
    assert set(busy.states().values()) == {"COMPLETED"}
    journal = _journal(busy)
    for name in "ab":
        assert journal[f"first test/workflow-steps/{name}"] == 1
        assert journal[f"second test/workflow-steps/{name}"] == 2  # it was running: at least once
        assert journal[f"third test/workflow-steps/{name}"] == 1


def _drain(control: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM, and wait until the control process says that it finishes what runs."""
    control.terminate()
    assert control.stderr is not None
    while b"finishing 1 running" not in (line := control.stderr.readline()):
        assert line, "it left without a word"


def test_sigterm_finishes_what_runs_begins_no_more_and_says_what_it_left(busy: Project) -> None:
    busy.submit(payload("steps", "a"))
    first = busy.start("up")
    until(lambda: any(line.startswith("second") for line in _journal(busy)))
    _drain(first)
    busy.submit(payload("steps", "b"))
    busy.write("go", "")
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert b"done: 1 completed, 0 failed; 1 left queued, for the next" in err
    assert busy.states() == {"test/workflow-steps/a": "COMPLETED"}
    busy.drain()
    assert set(busy.states().values()) == {"COMPLETED"}
    assert set(_journal(busy).values()) == {1}


def test_up_drain_finishes_what_was_begun_and_nothing_else(busy: Project) -> None:
    busy.submit(payload("steps", "a"))
    first = busy.start("up")
    until(lambda: any(line.startswith("second") for line in _journal(busy)))
    _drain(first)
    first.terminate()
    first.wait(30)
    busy.write("go", "")
    busy.submit(payload("steps", "b"))
    drained = busy.cirrus("up", "--drain")
    assert b"done: 1 completed, 0 failed; 1 left queued" in drained.stderr
    assert busy.states() == {"test/workflow-steps/a": "COMPLETED"}


def test_paused_payloads_wait_in_every_control_process_until_resumed(busy: Project) -> None:
    busy.write("go", "")
    told = busy.cirrus("manage", "local", "pause", "--workflow", "steps", "--reason", "the archive is down")
    assert b"paused: workflow steps" in told.stderr
    busy.submit(payload("steps", "a"))
    idle = busy.cirrus("up", "--until-idle")
    assert b"1 left queued (there are pauses" in idle.stderr
    assert busy.json("manage", "local", "summary")["paused"][0]["reason"] == "the archive is down"
    control = busy.start("up")
    assert busy.cirrus("manage", "local", "resume", "--workflow", "nothing").returncode == 1
    assert busy.states() == {}
    assert busy.cirrus("manage", "local", "resume", "--all").returncode == 0
    until(lambda: busy.states() == {"test/workflow-steps/a": "COMPLETED"})
    control.terminate()
    control.wait(30)


def test_limited_task_runs_alone_over_two_control_processes(project: Project) -> None:
    alone = """
import os, time

def alone(payload):
    os.close(os.open("busy", os.O_CREAT | os.O_EXCL))
    time.sleep(0.03)
    os.remove("busy")
    return payload
"""
    project.write("tasks/alone.py", alone)
    project.write(
        "cirrus.toml", '[project]\nname = "test"\n[tasks.alone]\nhandler = "tasks.alone:alone"\nconcurrency = 1\n'
    )
    project.workflow("w", {"StartAt": "a", "States": {"a": task_state("alone", Next="b"), "b": task_state("alone")}})
    project.submit(*(payload("w", f"s{n}") for n in range(20)))
    controls = [project.start("up", "--until-idle") for _ in range(2)]
    for control in controls:
        control.communicate(timeout=60)
    assert set(project.states().values()) == {"COMPLETED"}


def test_second_sigterm_leaves_at_once_and_says_what_it_left(busy: Project) -> None:
    busy.submit(payload("steps", "a"))
    first = busy.start("up")
    until(lambda: any(line.startswith("second") for line in _journal(busy)))
    _drain(first)
    first.terminate()
    _, err = first.communicate(timeout=30)
    assert first.returncode == 0, err
    assert b"1 left running" in err
    busy.write("go", "")
    busy.drain()
    assert set(busy.states().values()) == {"COMPLETED"}


def test_abort_stops_a_running_execution(busy: Project) -> None:
    busy.submit(payload("steps", "a"))
    busy.start("up")
    known = "test/workflow-steps/a"
    until(lambda: any(line.startswith("second") for line in _journal(busy)))
    record = busy.json("manage", "local", "abort", known)
    assert record["state"] == "ABORTED"
    again = busy.cirrus("manage", "local", "abort", known)
    assert again.returncode == 1
    assert b"only a running execution" in again.stderr
    busy.write("go", "")
    busy.submit(payload("steps", "a"))
    until(lambda: busy.states()[known] == "COMPLETED")
    assert len(busy.json("manage", "local", "get-state", known)["executions"]) == 2


def test_run_workflow_prints_the_output_and_says_how_it_ended(busy: Project) -> None:
    good = busy.cirrus("manage", "local", "run-workflow", stdin=json.dumps(payload("split", "a"), indent=2).encode())
    assert good.returncode == 0
    assert [item["id"] for item in json.loads(good.stdout)["features"]] == ["a-0", "a-1", "a-2"]
    bad = busy.cirrus("manage", "local", "run-workflow", stdin=json.dumps(payload("fussy", "a")).encode())
    assert bad.returncode == 10
    assert b"ValueError: bug in line 7" in bad.stderr
    slow = busy.cirrus(
        "manage", "local", "run-workflow", "--timeout", "0.3", stdin=json.dumps(payload("wait", "a")).encode()
    )
    assert slow.returncode == 11


def test_run_workflow_takes_over_its_own_payload(busy: Project) -> None:
    text = json.dumps(payload("steps", "a"))
    busy.write("payload.json", text)
    with (busy.folder / "payload.json").open("rb") as stream:
        words = [*CIRRUS, "manage", "local", "run-workflow"]
        first = subprocess.Popen(words, cwd=busy.folder, stdin=stream, stderr=subprocess.DEVNULL)
        until(lambda: any(line.startswith("second") for line in _journal(busy)))
        first.kill()
        first.wait()
    busy.write("go", "")
    again = busy.cirrus("manage", "local", "run-workflow", "--timeout", "60", stdin=text.encode())
    assert again.returncode == 0, again.stderr
    assert busy.states() == {"test/workflow-steps/a": "COMPLETED"}
    assert len(busy.json("manage", "local", "get-state", "test/workflow-steps/a")["executions"]) == 1


def test_run_makes_a_payload_from_item_files(busy: Project, tmp_path: Path) -> None:
    item = tmp_path / "item.json"
    item.write_text(json.dumps({"type": "Feature", "id": "x", "collection": "c"}))
    out = json.loads(busy.ok("run", "split", str(item)))
    assert out["id"] == "c/workflow-split/x"
    assert busy.cirrus("run", "split", str(tmp_path / "nothing.json")).returncode == 3


def test_histories_logs_and_definitions_can_be_read(busy: Project) -> None:
    busy.submit(payload("split", "a"))
    busy.drain()
    known = "test/workflow-split/a"
    execution = busy.json("manage", "local", "get-execution", "--payload-id", known)
    assert execution["status"] == "SUCCEEDED"
    by_arn = busy.json("manage", "local", "get-execution", "--arn", execution["executionArn"])
    assert by_arn == execution
    events = busy.json("manage", "local", "get-execution-events", "--payload-id", known)["events"]
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    given = busy.json("manage", "local", "get-execution-input", "--payload-id", known, "--attempt", "1")
    assert given == busy.json("manage", "local", "get-input-payload", known)
    assert len(busy.json("manage", "local", "get-execution-output", "--payload-id", known)["features"]) == 3
    definition = busy.json("manage", "local", "get-workflow-definition", "split")
    assert definition["States"]["split"]["Parameters"]["FunctionName"].endswith(":function:split")


def test_export_writes_the_payloads_under_their_keys(busy: Project) -> None:
    busy.submit(payload("split", "a"), payload("fussy", "b"))
    busy.drain()
    told = busy.lines("manage", "local", "export", "out")
    execution = busy.json("manage", "local", "get-state", "test/workflow-split/a")["executions"][0]
    folder = busy.folder / "out" / "cirrus" / "executions" / "test" / "workflow-split" / "a" / execution
    assert json.loads((folder / "input.json").read_text())["features"][0]["id"] == "a"
    assert len(json.loads((folder / "output.json").read_text())["features"]) == 3
    assert len(told) == 3
