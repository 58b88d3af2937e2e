"""What state machines call beside tasks: tokens, activities, queues, topics, objects, other state machines."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.e2e.conftest import Project, payload, task_state, until

TASKS = """
import json, os, time, pathlib

def note(payload):
    with open("journal.txt", "a") as journal:
        journal.write(os.environ["CIRRUS_STATE"] + "\\n")
    return payload

def ask(payload):
    with open("tokens.txt", "a") as tokens:
        tokens.write(payload["token"] + "\\n")
    return {}

def number(payload):
    return {"n": payload["n"] * 2}

def wait(payload):
    note(payload)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return payload
"""
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:label"


@pytest.fixture
def services(project: Project) -> Project:
    project.write("tasks/calls.py", TASKS)
    tables = "\n".join(
        f'[tasks.{name}]\nhandler = "tasks.calls:{name}"\n' for name in ("note", "ask", "number", "wait")
    )
    deployment = '[deployments.local]\nlease = "1s"\nbuckets = { archive = "./archive" }\n'
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}\n{deployment}')
    return project


def _machine(project: Project, name: str, *states: dict[str, Any]) -> None:
    chained = {f"s{n}": {**state, "Next": f"s{n + 1}"} for n, state in enumerate(states, 1)}
    last = chained[f"s{len(states)}"]
    del last["Next"]
    last["End"] = True
    project.workflow(name, {"StartAt": "s1", "States": chained})


def _task(resource: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", **more}


def _output(project: Project, workflow: str) -> Any:
    return project.json("manage", "local", "get-output-payload", f"test/workflow-{workflow}/a", "-r")


def _tokens(project: Project) -> list[str]:
    path = project.folder / "tokens.txt"
    return path.read_text().splitlines() if path.exists() else []


def _asking(project: Project) -> None:
    parameters = {"FunctionName": "${ask}", "Payload": {"token.$": "$$.Task.Token"}}
    waiting = _task("lambda:invoke.waitForTaskToken", Parameters=parameters, ResultPath="$.answer", TimeoutSeconds=60)
    _machine(project, "ask", waiting)


def test_a_task_token_is_answered(services: Project) -> None:
    _asking(services)
    services.submit(payload("ask", "a"), payload("ask", "b"))
    worker = services.start("up", "--until-idle")
    tokens = until(lambda: len(_tokens(services)) == 2 and _tokens(services))
    services.ok("manage", "local", "send-task-heartbeat", "--task-token", tokens[0])
    services.ok("manage", "local", "send-task-success", "--task-token", tokens[0], "--task-output", '{"fine": true}')
    services.ok(
        "manage", "local", "send-task-failure", "--task-token", tokens[1], "--error", "Refused", "--cause", "no"
    )
    assert worker.wait(timeout=60) == 0
    assert sorted(services.states().values()) == ["COMPLETED", "FAILED"]
    done = {one["state"]: one for one in services.lines("manage", "local", "query")}
    assert done["FAILED"]["last_error"] == "Refused: no"
    known = done["COMPLETED"]["payload_id"]
    assert services.json("manage", "local", "get-output-payload", known, "-r")["answer"] == {"fine": True}
    late = services.cirrus("manage", "local", "send-task-success", "--task-token", tokens[0], "--task-output", "1")
    assert late.returncode == 3


def test_a_waiting_token_survives_its_control_process(services: Project) -> None:
    _asking(services)
    services.submit(payload("ask", "a"))
    first = services.start("up")
    (token,) = until(lambda: _tokens(services))
    known = "test/workflow-ask/a"

    def submitted() -> bool:
        events = services.json("manage", "local", "get-execution-events", "--payload-id", known)["events"]
        return events[-1]["type"] == "TaskSubmitted"

    until(submitted)
    first.send_signal(signal.SIGKILL)
    first.wait()
    services.ok("manage", "local", "send-task-success", "--task-token", token, "--task-output", '"late"')
    services.drain()
    assert _output(services, "ask")["answer"] == "late"
    assert _tokens(services) == [token]


def test_an_activity_is_worked_on_from_outside(services: Project) -> None:
    _machine(services, "label", {"Type": "Task", "Resource": ACTIVITY, "ResultPath": "$.label"})
    services.submit(payload("label", "a"))
    worker = services.start("up", "--until-idle")
    found = until(lambda: services.json("manage", "local", "get-activity-task", ACTIVITY))
    assert found["input"]["features"][0]["id"] == "a"
    assert services.json("manage", "local", "get-activity-task", ACTIVITY) == {}
    words = ("--task-token", found["taskToken"], "--task-output", '"cloudy"')
    services.ok("manage", "local", "send-task-success", *words)
    assert worker.wait(timeout=60) == 0
    assert _output(services, "label")["label"] == "cloudy"


def test_messages_and_objects(services: Project) -> None:
    follow = payload("after", "b")
    send = _task(
        "sqs:sendMessage",
        Parameters={"QueueUrl": "https://sqs.us-east-1.amazonaws.com/1/process", "MessageBody": follow},
        ResultPath=None,
    )
    other = _task(
        "sqs:sendMessage", Parameters={"QueueUrl": "https://sqs/1/other", "MessageBody": "x"}, ResultPath=None
    )
    tell = _task(
        "sns:publish", Parameters={"TopicArn": "arn:aws:sns:us-east-1:1:news", "Message.$": "$.id"}, ResultPath=None
    )
    put = _task(
        "aws-sdk:s3:putObject",
        Parameters={
            "Bucket": "archive",
            "Key.$": "States.Format('in/{}.json', $.features[0].id)",
            "Body.$": "$.features",
        },
        ResultPath=None,
    )
    get = _task("aws-sdk:s3:getObject", Parameters={"Bucket": "archive", "Key": "in/a.json"}, ResultPath="$.read")
    _machine(services, "calls", send, other, tell, put, get)
    _machine(services, "after", {"Type": "Pass"})
    services.submit(payload("calls", "a"))
    services.drain()
    found = services.lines("manage", "local", "query")
    assert {one["payload_id"]: one["state"] for one in found} == {
        "test/workflow-calls/a": "COMPLETED",
        "test/workflow-after/b": "COMPLETED",
    }, found
    assert json.loads(_output(services, "calls")["read"]["Body"])[0]["id"] == "a"
    assert (services.folder / "archive" / "in" / "a.json").exists()
    folder = services.folder / ".cirrus" / "local" / "messages"
    assert json.loads((folder / "other.ndjson").read_text())["body"] == "x"
    assert json.loads((folder / "news.ndjson").read_text())["body"] == "test/workflow-calls/a"


def test_state_machines_start_others(services: Project) -> None:
    doubled = {"Type": "Task", "Resource": "${number}"}
    _machine(services, "child", doubled)
    _machine(services, "bad", {"Type": "Fail", "Error": "Bad", "Cause": "never"})
    services.workflow("bad", {"StartAt": "f", "States": {"f": {"Type": "Fail", "Error": "Bad", "Cause": "never"}}})

    def start(pattern: str, workflow: str, where: str) -> dict[str, Any]:
        arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{workflow}"
        return _task(
            f"states:startExecution{pattern}", Parameters={"StateMachineArn": arn, "Input": {"n": 21}}, ResultPath=where
        )

    failing = start(".sync", "bad", "$.c")
    states: dict[str, Any] = {
        "s1": {**start(".sync:2", "child", "$.a"), "Next": "s2"},
        "s2": {**start(".sync", "child", "$.b"), "Next": "s3"},
        "s3": {**start("", "child", "$.plain"), "Next": "s4"},
        "s4": {
            **failing,
            "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "end"}],
            "End": True,
        },
        "end": {"Type": "Pass", "End": True},
    }
    services.workflow("parent", {"StartAt": "s1", "States": states})
    services.submit(payload("parent", "a"))
    services.drain()
    output = _output(services, "parent")
    assert output["a"]["Output"] == {"n": 42}
    assert json.loads(output["b"]["Output"]) == {"n": 42}
    assert output["a"]["Status"] == "SUCCEEDED"
    assert output["plain"]["ExecutionArn"].split(":")[-2] == "child"
    assert json.loads(output["error"]["Cause"])["Error"] == "Bad"


def test_a_nested_execution_is_taken_over(services: Project) -> None:
    services.workflow(
        "child", {"StartAt": "one", "States": {"one": task_state("note", Next="two"), "two": task_state("wait")}}
    )
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:child"
    _machine(
        services,
        "parent",
        _task(
            "states:startExecution.sync:2", Parameters={"StateMachineArn": arn, "Input.$": "$"}, OutputPath="$.Output"
        ),
    )
    services.submit(payload("parent", "a"))
    first = services.start("up")
    journal = services.folder / "journal.txt"
    until(lambda: journal.exists() and journal.read_text().split() == ["one", "two"])
    first.send_signal(signal.SIGKILL)
    first.wait()
    services.write("go", "")
    services.drain()
    assert services.states() == {"test/workflow-parent/a": "COMPLETED"}
    assert journal.read_text().split() == ["one", "two", "two"]
    assert _output(services, "parent")["features"][0]["id"] == "a"


def test_a_distributed_map_reads_items_and_writes_results(services: Project) -> None:
    services.write("archive/in/items.jsonl", "\n".join(json.dumps({"n": n}) for n in range(50)))
    mapped = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket": "archive", "Key": "in/items.jsonl"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "double",
            "States": {"double": {"Type": "Task", "Resource": "${number}", "End": True}},
        },
        "ResultWriter": {
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket": "archive", "Prefix": "out"},
        },
        "ResultPath": "$.written",
    }
    listed = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "archive", "Prefix": "out"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "same",
            "States": {"same": {"Type": "Pass", "End": True}},
        },
        "ResultPath": "$.listed",
    }
    _machine(services, "map", mapped, listed)
    services.submit(payload("map", "a"))
    services.drain()
    assert services.states() == {"test/workflow-map/a": "COMPLETED"}, services.lines("manage", "local", "query")
    output = _output(services, "map")
    written = services.folder / "archive" / output["written"]["ResultWriterDetails"]["Key"]
    manifest = json.loads(written.read_text())
    (done,) = manifest["ResultFiles"]["SUCCEEDED"]
    results = json.loads((services.folder / "archive" / done["Key"]).read_text())
    assert sorted(json.loads(one["Output"])["n"] for one in results) == [2 * n for n in range(50)]
    assert {one["Key"] for one in output["listed"]} == {done["Key"], output["written"]["ResultWriterDetails"]["Key"]}
