"""`cirrus manage NAME ...` against a deployment on AWS: the same commands, the same answers."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.engine import StepFunctions
from cirrus.adapters.aws.logs import CloudWatchLogs
from cirrus.core.execution_id import next_execution_id
from cirrus.core.instant import iso
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.flow.abort import abort
from cirrus.ports.engine import Described
from cirrus.scaffold import create
from tests.aws.scene import ROLE, Scene, end_event, make_scene

P = "scenes/workflow-w/a"


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Iterator[Scene]:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    scene = make_scene(Clients())
    point(scene, "prod")
    yield scene
    with suppress(ClientError):  # others deploy a `prod` of their own
        scene.clients("ssm").delete_parameter(Name="/cirrus/deployments/prod")


def point(scene: Scene, name: str) -> None:
    """Put the deployment's pointer and variables into the parameter store, as existing deployments have them."""
    from dataclasses import asdict

    from cirrus.variables import TABLE

    prefix = f"/{scene.where.variables.prefix}cirrus/"
    ssm = scene.clients("ssm")
    pointer = json.dumps({"type": "parameter_store", "value": prefix})
    ssm.put_parameter(Name=f"/cirrus/deployments/{name}", Value=pointer, Type="String", Overwrite=True)
    values = asdict(scene.where.variables)
    for one in TABLE:
        if values[one.field]:
            ssm.put_parameter(Name=prefix + one.name, Value=str(values[one.field]), Type="SecureString", Overwrite=True)


@pytest.fixture
def cirrus(scene: Scene, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    project = tmp_path / "project"
    create(project, "project")
    with (project / "cirrus.toml").open("a") as file:
        file.write('\n[deployments.prod]\nhome = "aws"\nregion = "eu-central-1"\n')

    def run(*words: str, given: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "cirrus.entry.cli.main", "-p", str(project), "manage", "prod", *words],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def finish(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    arn = scene.where.arns.execution("w", next_execution_id(P, ()))
    scene.wait(arn)
    text = json.dumps(scene.payload(id=P))
    update_state.handle(scene.where, end_event(scene, arn, input=text, output=text), "o")


def test_records_payloads_and_executions(scene: Scene, cirrus: Callable[..., Any]) -> None:
    finish(scene)
    assert json.loads(cirrus("get-state", P).stdout)["state"] == "COMPLETED"
    assert [json.loads(line)["payload_id"] for line in cirrus("query", "--state", "COMPLETED").stdout.splitlines()] == [
        P
    ]
    assert json.loads(cirrus("get-payload", P).stdout)["id"] == P
    assert json.loads(cirrus("get-output-payload", P).stdout)["id"] == P
    told = json.loads(cirrus("get-execution", "--payload-id", P).stdout)
    assert told["status"] == "SUCCEEDED"
    assert json.loads(cirrus("get-execution", "--arn", told["executionArn"]).stdout) == told
    assert json.loads(cirrus("get-execution-input", "--payload-id", P).stdout)["id"] == P
    assert json.loads(cirrus("get-execution-output", "--payload-id", P).stdout)["id"] == P
    events = json.loads(cirrus("get-execution-events", "--payload-id", P).stdout)["events"]
    assert events[0]["type"] == "ExecutionStarted"
    assert json.loads(cirrus("get-workflow-definition", "w").stdout)["StartAt"] == "Done"
    assert json.loads(cirrus("summary").stdout)["workflows"] == {"scenes_w": {"COMPLETED": 1}}
    assert json.loads(cirrus("show").stdout)["deployment"]["home"] == "aws"
    cirrus("get-logs", "--payload-id", P)


def test_payloads_are_queued_and_checked(scene: Scene, cirrus: Callable[..., Any]) -> None:
    text = json.dumps(scene.payload())
    assert json.loads(cirrus("process", given=text).stdout)["result"] == "queued"
    (taken,) = scene.where.queue().take(10, owner="o", now=0, until=30_000_000)
    assert json.loads(taken.body)["id"] == P
    rejected = cirrus("process", given=json.dumps(scene.payload(workflow="none")), code=1)
    assert "there is no workflow 'none'" in rejected.stdout


def test_declared_parameters_are_checked(scene: Scene, cirrus: Callable[..., Any], tmp_path: Path) -> None:
    code = "class Cut:\n    Parameters = {'required': ['size']}\n    def __call__(self, p): return p\n"
    (tmp_path / "project/tasks/cut.py").write_text(code)
    with (tmp_path / "project/cirrus.toml").open("a") as file:
        file.write('\n[tasks.cut]\nhandler = "tasks.cut:Cut"\n')
    function = f"arn:aws:lambda:eu-central-1:000000000000:function:{scene.where.variables.prefix}cut"
    scene.machine("cut", {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": function, "End": True}}})
    rejected = cirrus("process", given=json.dumps(scene.payload(workflow="cut")), code=1)
    assert 'tasks.cut: \\"size\\" is a required property' in rejected.stdout
    good = scene.payload(workflow=[{"workflow": "cut", "tasks": {"cut": {"size": 3}}}])
    assert json.loads(cirrus("process", given=json.dumps(good)).stdout)["result"] == "queued"


def test_abort_stops_the_execution(scene: Scene, cirrus: Callable[..., Any]) -> None:
    scene.machine("slow", {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    known = "scenes/workflow-slow/a"
    process.handle(scene.where, scene.sqs_event(scene.payload(workflow="slow")), "o")
    assert json.loads(cirrus("abort", known).stdout)["state"] == "ABORTED"
    arn = scene.where.arns.execution("slow", next_execution_id(known, ()))
    assert scene.clients("stepfunctions").describe_execution(executionArn=arn)["status"] == "ABORTED"
    sweep.handle(scene.where, 60, "s")
    assert "ABORTED" in scene.event_types()
    assert "only a running execution" in cirrus("abort", known, code=1).stderr


def test_abort_whose_end_is_heard_of_first(scene: Scene) -> None:
    """EventBridge may be faster than the command that stops the execution."""
    scene.machine("slow", {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}})
    known = "scenes/workflow-slow/a"
    process.handle(scene.where, scene.sqs_event(scene.payload(workflow="slow")), "o")
    home = scene.where.home(checked=True)
    arn = scene.where.arns.execution("slow", next_execution_id(known, ()))

    class Heard(StepFunctions):
        def stop(self, arn: str, error: str, cause: str) -> None:
            super().stop(arn, error, cause)
            told = {"input": json.dumps(scene.payload(id=known)), "error": error, "cause": cause}
            update_state.handle(scene.where, end_event(scene, arn, "ABORTED", **told), "o")

    engine = Heard(scene.clients, scene.where.arns, home.payloads, scene.root)
    assert abort(replace(home, engine=engine), known).state == "ABORTED"
    assert scene.clients("stepfunctions").describe_execution(executionArn=arn)["status"] == "ABORTED"
    assert "WRITE_REFUSED" not in scene.event_types()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("events",), "subscribe a queue"),
        (("check",), "restore-table-to-point-in-time"),
        (("backup", "copy.db"), "create-backup"),
        (("rerun", "--from-failed-step", "--set", "a.b=1"), "no parameter can be set"),
    ],
)
def test_what_aws_has_not_says_what_it_has(
    scene: Scene, cirrus: Callable[..., Any], words: tuple[str, ...], told: str
) -> None:
    fail(scene)
    assert told in cirrus(*words, code=2).stderr
    assert "no payload" in cirrus("get-state", "scenes/workflow-w/none", code=3).stderr


def test_events_that_are_kept_are_shown(scene: Scene, cirrus: Callable[..., Any]) -> None:
    keeping = scene.with_variables(keep_events="on")
    point(keeping, "prod")
    fail(keeping)
    shown = [json.loads(line) for line in cirrus("events", "--payload-id", P).stdout.splitlines()]
    assert [one["event_type"] for one in shown] == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "FAILED"]
    (rest,) = cirrus("events", "--payload-id", P, "--after", shown[1]["number"]).stdout.splitlines()
    assert json.loads(rest) == shown[2]
    assert cirrus("events", "--payload-id", "scenes/workflow-w/other").stdout == ""
    assert [one["event_type"] for one in json.loads(cirrus("explain", P, "--json").stdout)["events"]][-1] == "FAILED"


def test_deliveries_that_wait_are_shown(scene: Scene, cirrus: Callable[..., Any]) -> None:
    scene.where.home(checked=True).outbox.put("events", "event", P, b"{}")
    (one,) = map(json.loads, cirrus("deliveries", "list").stdout.splitlines())
    assert (one["target"], one["payload_id"], one["state"], int(one["id"]) > 2**64) == ("events", P, "waiting", True)


def fail(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    arn = scene.where.arns.execution("w", next_execution_id(P, ()))
    told = {"input": json.dumps(scene.payload(id=P)), "error": "Oops", "cause": "it broke"}
    update_state.handle(scene.where, end_event(scene, arn, "FAILED", **told), "o")


def test_rerun_is_a_campaign_that_the_sweep_feeds(scene: Scene, cirrus: Callable[..., Any]) -> None:
    fail(scene)
    planned = json.loads(cirrus("rerun", "--dry-run").stdout)
    assert (planned["total"], planned["sample"]) == (1, [P])
    begun = cirrus("rerun", "--name", "again", "--set", "cut.size=3")
    assert "the sweep does the work" in begun.stderr
    assert [json.loads(line)["state"] for line in cirrus("campaign", "list").stdout.splitlines()] == ["RUNNING"]
    assert json.loads(cirrus("campaign", "pause", "again").stdout)["state"] == "PAUSED"
    assert sweep.handle(scene.where, 60, "s")["fed"] == 0
    cirrus("campaign", "resume", "again")
    assert sweep.handle(scene.where, 60, "s")["fed"] == 1
    (taken,) = scene.where.queue().take(10, owner="o", now=0, until=30_000_000)
    assert json.loads(taken.body)["process"][0]["tasks"] == {"cut": {"size": 3}}
    assert taken.after == next_execution_id(P, ())
    assert json.loads(cirrus("campaign", "show", "again").stdout)["counts"] == {"running": 1}


def test_paused_and_resumed(scene: Scene, cirrus: Callable[..., Any]) -> None:
    cirrus("pause", "--workflow", "w", "--reason", "lunch")
    knows = replace(scene.where, clients=Clients())
    assert process.handle(knows, scene.sqs_event(scene.payload()), "o")["started"] == 0
    summary = json.loads(cirrus("summary").stdout)
    assert (summary["queued"], summary["paused"][0]["reason"]) == (1, "lunch")
    assert "is paused" in cirrus("explain", P).stdout
    cirrus("resume", "--workflow", "w")
    assert sweep.handle(scene.where, 60, "s")["resumed"] == 1


def test_explained_with_its_steps(scene: Scene, cirrus: Callable[..., Any]) -> None:
    fail(scene)
    assert "its last error is Oops: it broke" in cirrus("explain", P).stdout
    assert json.loads(cirrus("timeline", P, "--json").stdout)["executions"][0]["steps"][0]["name"] == "Done"
    (group,) = [json.loads(line) for line in cirrus("errors").stdout.splitlines()]
    assert (group["count"], group["message"]) == (1, "Oops: it broke")


FUNCTION = """
def handler(event, context):
    print("called with", sorted(event))
    if "bad" in event:
        raise ValueError("bad input")
    return {"given": event}
"""


def test_functions_are_listed_and_called(scene: Scene, cirrus: Callable[..., Any]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mine.py", FUNCTION)
    name = f"{scene.where.variables.prefix}echo"
    scene.clients("lambda").create_function(
        FunctionName=name, Runtime="python3.11", Handler="mine.handler", Role=ROLE, Code={"ZipFile": packed.getvalue()}
    )
    (listed,) = [json.loads(line) for line in cirrus("list-lambdas").stdout.splitlines()]
    assert (listed["name"], listed["function"], listed["handler"]) == ("echo", name, "mine.handler")
    for called in ("echo", name):
        assert json.loads(cirrus("invoke-lambda", called, given='{"a": 1}').stdout) == {"given": {"a": 1}}
    assert "bad input" in cirrus("invoke-lambda", "echo", given='{"bad": 1}', code=10).stderr
    assert "there are: echo" in cirrus("invoke-lambda", "none", given="{}", code=3).stderr


def test_programs_and_templates_get_the_variables(scene: Scene, cirrus: Callable[..., Any]) -> None:
    bucket = scene.where.variables.payload_bucket
    assert cirrus("call", "sh", "-c", "echo $CIRRUS_PAYLOAD_BUCKET").stdout == f"{bucket}\n"
    filled = cirrus("template-payload", given='{"id": "${CIRRUS_PAYLOAD_BUCKET}"}').stdout
    assert json.loads(filled) == {"id": bucket}


def test_what_a_function_printed(scene: Scene, cirrus: Callable[..., Any]) -> None:
    """CloudWatch's lines and Step Functions' history as AWS has them; the stand-in's own history names no function."""
    name = f"{scene.where.variables.prefix}cut"
    group, logs = f"/aws/lambda/{name}", scene.clients("logs")
    logs.create_log_group(logGroupName=group)
    failed = ("r2", P, ["first try\n", "it broke\n"], 100)
    invocations = [("r1", f"{P}2", ["of another\n"], 0), failed, ("r3", P, [], 900)]
    for n, stream in enumerate(("one", "two")):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        lines = [
            (AT + at + k, text)
            for request, known, printed, at in invocations[n::2]
            for k, text in enumerate(logged(request, known, printed))
        ]
        events = [{"timestamp": at, "message": text} for at, text in lines]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
    found = CloudWatchLogs(scene.clients, History(name)).logs("arn:aws:states:r:1:execution:cirrus-w:e")
    assert [(one.state, one.task, one.attempt, one.error) for one in found] == [
        ("Cut", name, 1, "Oops"),
        ("Cut", name, 2, None),
    ]
    assert [one.text.decode() for one in found] == [f"cirrus-task {P}\nfirst try\nit broke\n", f"cirrus-task {P}\n"]


def logged(request: str, payload_id: str, printed: list[str]) -> list[str]:
    begin, end = f"START RequestId: {request} Version: 1\n", f"END RequestId: {request}\n"
    return [begin, f"cirrus-task {payload_id}\n", *printed, end]


AT = 1_800_000_000_000


class History:
    """An engine that tells of one execution: a function that was called twice with the URL of a payload."""

    def __init__(self, function: str) -> None:
        self._function = function

    def describe(self, arn: str) -> Any:
        return Described("e", "w", P, "SUCCEEDED", AT * 1000)

    def history(self, arn: str) -> list[Any]:
        given = json.dumps({"FunctionName": self._function, "Payload": {"url": "s3://b/oversized/1.json"}})
        failed = {"error": "Oops", "cause": "it broke"}
        answer = {"output": json.dumps({"Payload": {}, "SdkResponseMetadata": {"RequestId": "r3"}})}
        told = [
            ("TaskStateEntered", {"stateEnteredEventDetails": {"name": "Cut"}}, 0),
            ("TaskScheduled", {"taskScheduledEventDetails": {"parameters": given}}, 90),
            ("TaskFailed", {"taskFailedEventDetails": failed}, 200),
            ("TaskScheduled", {"taskScheduledEventDetails": {"parameters": given}}, 800),
            ("TaskSucceeded", {"taskSucceededEventDetails": answer}, 1000),
        ]
        return [
            {"id": n, "previousEventId": n - 1, "type": kind, "timestamp": iso((AT + at) * 1000), **details}
            for n, (kind, details, at) in enumerate(told, 1)
        ]


def test_doctor_looks_a_deployment_over(scene: Scene, cirrus: Callable[..., Any], tmp_path: Path) -> None:
    with (tmp_path / "project/cirrus.toml").open("a") as file:
        file.write('\n[tasks.cut]\nhandler = "tasks.cut:cut"\nrate = "3/s"\n')
    process.handle(scene.where, scene.sqs_event("{no json"), "o")
    told = [json.loads(line) for line in doctor(tmp_path / "project")]
    found = {(one["check"], one["status"]): one["found"] for one in told}
    assert ("aws", "problem") not in found
    assert "tasks.cut.rate: is not kept on AWS" in found["guarantees", "warning"]
    assert "no valid JSON" in found["quarantine", "warning"] or "JSON" in found["quarantine", "warning"]
    scene.clients("ssm").delete_parameter(Name=f"/{scene.where.variables.prefix}cirrus/CIRRUS_OUTBOX_TABLE")
    told = [json.loads(line) for line in doctor(tmp_path / "project")]
    assert any("can be lost" in one["found"] for one in told if one["check"] == "guarantees")


def test_doctor_says_whether_the_index_is_used(
    scene: Scene, cirrus: Callable[..., Any], tmp_path: Path, dynamodb_url: str
) -> None:
    def told() -> dict[str, str]:
        lines = [json.loads(line) for line in doctor(tmp_path / "project")]
        return {one["status"]: one["found"] for one in lines if one["check"] == "index"}

    assert told() == {}
    made = make_scene(scene.clients, attention=True).with_variables(attention_index="on")
    point(made.with_variables(attention_index=None), "prod")
    assert "nothing fills it" in told()["warning"]
    with (tmp_path / "project/cirrus.toml").open("a") as file:
        file.write("attention_index = true\n")
    assert "not so where it is deployed" in told()["warning"]
    point(made, "prod")
    assert "may lack older records" in told()["warning"]
    cirrus("migrate", "--apply")
    assert list(told()) == ["ok"]
    fail(made)
    assert [one["payload_id"] for one in map(json.loads, cirrus("query", "--state", "FAILED").stdout.splitlines())] == [
        P
    ]
    point(scene.with_variables(attention_index="on"), "prod")
    assert "no index" in told()["problem"]


def doctor(project: Path) -> list[str]:
    words = ["-p", str(project), "doctor", "--deployment", "prod", "--json"]
    command = [sys.executable, "-m", "cirrus.entry.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False).stdout.splitlines()


def test_missing_pointer_says_so(scene: Scene, cirrus: Callable[..., Any]) -> None:
    scene.clients("ssm").delete_parameter(Name="/cirrus/deployments/prod")
    assert "there is no parameter /cirrus/deployments/prod" in cirrus("summary", code=3).stderr


def test_run_workflow_waits_for_the_functions(scene: Scene, cirrus: Callable[..., Any]) -> None:
    finish(scene)
    done = cirrus("run-workflow", given=json.dumps(scene.payload()))
    assert "nothing is queued" in done.stderr
    assert json.loads(done.stdout)["id"] == P
