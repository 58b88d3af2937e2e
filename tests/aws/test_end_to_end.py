"""A payload's whole way on ministack: SQS → process → state machine → EventBridge → update-state → SNS."""

from __future__ import annotations

import io
import json
import os
import sysconfig
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cirrus
from cirrus.adapters.aws.clients import Clients
from cirrus.variables import TABLE
from tests.aws.scene import ROLE, Scene, make_scene
from tests.aws.standins import ACCOUNT, CREDENTIALS, REGION

TASKS = """
class InvalidInput(Exception):
    pass

def copy(payload):
    if any(item["id"] == "bad" for item in payload["features"]):
        raise InvalidInput("bad can never work")
    return payload
"""
# ministack lends each function credentials of its role, which SeaweedFS does not know.
HANDLER = """
import os, sys
sys.path[:0] = {paths!r}
os.environ.update({credentials!r})
os.environ.pop("AWS_SESSION_TOKEN", None)
from cirrus.entry.lambdas.{module} import lambda_handler
"""


class Deployment:
    """A deployment made by calls: functions from a zip, triggers, a rule."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.prefix = scene.where.variables.prefix

    def function(self, module: str, name: str, **files: str) -> str:
        paths = [str(Path(cirrus.__file__).parents[1]), sysconfig.get_paths()["purelib"]]
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("handler.py", HANDLER.format(paths=paths, module=module, credentials=CREDENTIALS))
            for file, text in files.items():
                archive.writestr(file.replace("__", "."), text)
        values = self.scene.where.variables
        own = {one.name: str(getattr(values, one.field)) for one in TABLE if getattr(values, one.field)}
        endpoints = {key: value for key, value in os.environ.items() if key.startswith("AWS_ENDPOINT_URL")}
        environment = (
            own | endpoints | CREDENTIALS | {"CIRRUS_TASK": name.rpartition("-")[2], "CIRRUS_LOG_LEVEL": "INFO"}
        )
        answer = self.scene.clients("lambda").create_function(
            FunctionName=f"{self.prefix}{name}",
            Runtime="python3.11",
            Handler="handler.lambda_handler",
            Role=ROLE,
            Code={"ZipFile": packed.getvalue()},
            Timeout=60,
            Environment={"Variables": environment},
        )
        return str(answer["FunctionArn"])

    def trigger(self, function: str, queue_url: str) -> None:
        sqs = self.scene.clients("sqs")
        arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.scene.clients("lambda").create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
        )

    def rule(self) -> str:
        """Ends of executions go to a queue; gives its URL."""
        url = self.scene.clients("sqs").create_queue(QueueName=f"{self.prefix}ends")["QueueUrl"]
        events = self.scene.clients("events")
        statuses = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
        pattern = {
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"status": statuses},
        }
        events.put_rule(Name=f"{self.prefix}ends", EventPattern=json.dumps(pattern), State="ENABLED")
        target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.prefix}ends"
        events.put_targets(Rule=f"{self.prefix}ends", Targets=[{"Id": "1", "Arn": target}])
        return str(url)


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    scene = make_scene(Clients())
    deployment = Deployment(scene)
    project = '[project]\nname = "p"\n[tasks.copy]\nhandler = "mine:copy"\n'
    copy = deployment.function("task", "copy", cirrus__toml=project, mine__py=TASKS)
    task = {"Type": "Task", "Resource": copy, "End": True}
    scene.machine("work", {"StartAt": "Copy", "States": {"Copy": task}})
    scene.machine("next", {"StartAt": "Copy", "States": {"Copy": task}})
    deployment.trigger(deployment.function("process", "process"), scene.where.variables.process_queue_url)
    deployment.trigger(deployment.function("update_state", "update-state"), deployment.rule())
    return scene


def submit(scene: Scene, *payloads: Any) -> None:
    url = scene.where.variables.process_queue_url
    for payload in payloads:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        scene.clients("sqs").send_message(QueueUrl=url, MessageBody=text)


def until(scene: Scene, **states: str) -> None:
    """Wait until records, by workflow and Item, are in these states."""
    wanted = {f"scenes/workflow-{name.replace('_', '/')}": state for name, state in states.items()}
    deadline = time.monotonic() + 90
    while True:
        found = scene.where.home().state_db.get(list(wanted))
        if {known: str(record.state) for known, record in found.items()} == wanted:
            return
        assert time.monotonic() < deadline, {known: (one.state, one.last_error) for known, one in found.items()}
        time.sleep(0.2)


def test_from_queue_to_topic(scene: Scene) -> None:
    chain = [{"workflow": "work"}, {"workflow": "next"}]
    submit(scene, scene.payload("a", workflow=chain), scene.payload("bad", workflow="work"), "{no json")
    # ministack reports every exception as Runtime.HandlerError; events written by hand test InvalidInput.
    until(scene, work_a="COMPLETED", work_bad="FAILED", next_a="COMPLETED")
    kinds: list[tuple[str, str]] = []
    items: list[str] = []

    def complete(_: Any) -> bool:
        return len([kind for kind, _ in kinds if kind in {"SUCCEEDED", "FAILED"}]) == 3 and len(items) == 2

    deadline = time.monotonic() + 60
    while not complete(None) and time.monotonic() < deadline:
        for body, _ in scene.told():
            if "event_type" in body:
                kinds.append((body["event_type"], body["payload_id"].rpartition("/")[2]))
            else:
                items.append(body["id"])
        time.sleep(0.2)
    assert sorted(kinds) == sorted(
        [
            *[(kind, "a") for kind in ("CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED")] * 2,
            *[(kind, "bad") for kind in ("CLAIMED_PROCESSING", "STARTED_PROCESSING", "FAILED")],
            ("RECORD_EXTRACT_FAILED", "unknown"),
        ]
    )
    assert items == ["a", "a"]
    record = scene.where.home().state_db.get(["scenes/workflow-work/bad"])["scenes/workflow-work/bad"]
    assert record.last_error == "Runtime.HandlerError: bad can never work"
    assert [one.body for one in scene.where.queue().quarantined()] == [b"{no json"]
    assert scene.where.home().outbox.entries() == []
