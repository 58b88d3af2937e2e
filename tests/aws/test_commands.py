"""`cirrus manage NAME ...` against a deployment on AWS: the same commands, the same answers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.scaffold import create
from tests.aws.scene import Scene, end_event, make_scene

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
            ssm.put_parameter(Name=prefix + one.name, Value=str(values[one.field]), Type="SecureString")


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


def test_what_aws_has_not_says_so(cirrus: Callable[..., Any]) -> None:
    assert "topic" in cirrus("events", code=2).stderr
    assert "services of AWS" in cirrus("check", code=2).stderr
    assert "no payload" in cirrus("get-state", "scenes/workflow-w/none", code=3).stderr


def test_missing_pointer_says_so(scene: Scene, cirrus: Callable[..., Any]) -> None:
    scene.clients("ssm").delete_parameter(Name="/cirrus/deployments/prod")
    assert "there is no parameter /cirrus/deployments/prod" in cirrus("summary", code=3).stderr


def test_run_workflow_waits_for_the_functions(scene: Scene, cirrus: Callable[..., Any]) -> None:
    finish(scene)
    done = cirrus("run-workflow", given=json.dumps(scene.payload()))
    assert "nothing is queued" in done.stderr
    assert json.loads(done.stdout)["id"] == P
