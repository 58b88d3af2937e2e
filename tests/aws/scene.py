"""A deployment made by hand on stand-ins: tables, a bucket, queues, topics, state machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.tables import outbox_schema, state_schema
from cirrus.deployed import Deployed
from cirrus.testing.builders import document
from cirrus.variables import Variables
from tests.aws.standins import ACCOUNT, REGION

BUCKET = "payloads"  # one for all: a bucket of SeaweedFS takes seven volumes
_numbers = count()
ROLE = f"arn:aws:iam::{ACCOUNT}:role/cirrus"
PASS = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


@dataclass(frozen=True)
class Scene:
    """What a test has made, and how to look at it."""

    where: Deployed
    clients: Clients
    heard: str

    def later(self, seconds: float) -> Scene:
        """The same so many seconds from now, as those see it who ask its clock."""
        clock = self.where.clock
        return replace(self, where=replace(self.where, clock=lambda: clock() + round(seconds * 1_000_000)))

    def payload(self, name: str = "a", workflow: Any = "w", **more: Any) -> dict[str, Any]:
        return document(name, process=workflow, **more)

    def sqs_event(self, *bodies: Any, attempts: int = 1, name: str = "m") -> dict[str, Any]:
        """An event as SQS gives it to a function; `name` is what the ids of messages begin with."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        records = [
            {
                "messageId": f"{name}{n}",
                "receiptHandle": f"r{n}",
                "body": text,
                "attributes": {"ApproximateReceiveCount": str(attempts)},
                "eventSource": "aws:sqs",
            }
            for n, text in enumerate(texts)
        ]
        return {"Records": records}

    def machine(self, name: str, definition: Any = None) -> None:
        self.clients("stepfunctions").create_state_machine(
            name=f"{self.where.variables.base_workflow_arn.rpartition(':')[2]}{name}",
            definition=json.dumps(definition or PASS),
            roleArn=ROLE,
        )

    def told(self, wait: Callable[[list[Any]], bool] | None = None) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """What the topics said so far: bodies and attributes, oldest first; each is told once."""
        found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        deadline = time.monotonic() + 20
        while True:
            answer = self.clients("sqs").receive_message(QueueUrl=self.heard, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                envelope = json.loads(message["Body"])
                attributes = {name: value["Value"] for name, value in envelope.get("MessageAttributes", {}).items()}
                found.append((json.loads(envelope["Message"]), attributes))
                self.clients("sqs").delete_message(QueueUrl=self.heard, ReceiptHandle=message["ReceiptHandle"])
            if not answer.get("Messages") and (wait is None or wait(found) or time.monotonic() > deadline):
                return found

    def event_types(self) -> list[str]:
        return [body["event_type"] for body, _ in self.told() if "event_type" in body]

    def wait(self, arn: str) -> None:
        """Until an execution has ended."""
        deadline = time.monotonic() + 30
        while self.clients("stepfunctions").describe_execution(executionArn=arn)["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @property
    def root(self) -> str:
        """Where payloads stand in their bucket."""
        return self.where.variables.payload_root

    def state(self, payload_id: str) -> str | None:
        record = self.where.home().state_db.get([payload_id]).get(payload_id)
        return None if record is None else str(record.state)

    def with_variables(self, **changed: Any) -> Scene:
        return replace(self, where=replace(self.where, variables=replace(self.where.variables, **changed)))


def make_scene(clients: Clients, machine: Any = None, *, attention: bool = False) -> Scene:
    """Make everything anew, under names of its own: with the definition of the workflow `w`, and the sparse index."""
    number = next(_numbers)
    prefix = f"cirrus{number}-"
    for schema in (state_schema(f"{prefix}state", attention=attention), outbox_schema(f"{prefix}outbox")):
        clients("dynamodb").create_table(**schema)
    if BUCKET not in [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]:
        clients("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    sqs, sns = clients("sqs"), clients("sns")
    urls = {
        name: sqs.create_queue(QueueName=f"{prefix}{name}")["QueueUrl"] for name in ("process", "bulk", "dead", "heard")
    }
    topics = {name: sns.create_topic(Name=f"{prefix}{name}")["TopicArn"] for name in ("events", "items")}
    arn = sqs.get_queue_attributes(QueueUrl=urls["heard"], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    for topic in topics.values():
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    variables = Variables(
        state_db=f"{prefix}state",
        payload_bucket=BUCKET,
        payload_root=f"{prefix}root",
        base_workflow_arn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{prefix}",
        process_queue_url=urls["process"],
        prefix=prefix,
        bulk_queue_url=urls["bulk"],
        dead_queue_url=urls["dead"],
        outbox_table=f"{prefix}outbox",
        publish_topic_arn=topics["items"],
        event_topic_arn=topics["events"],
        log_level="ERROR",
    )
    scene = Scene(Deployed(variables, clients), clients, urls["heard"])
    scene.machine("w", machine)
    return scene


def end_event(scene: Scene, arn: str, status: str = "SUCCEEDED", **detail: Any) -> dict[str, Any]:
    """An event as EventBridge sends it at the end of an execution, written by hand from AWS's documentation."""
    machine, _, name = arn.replace(":execution:", ":stateMachine:").rpartition(":")
    told = {
        "executionArn": arn,
        "stateMachineArn": machine,
        "name": name,
        "status": status,
        "startDate": 1_800_000_000_000,
        "stopDate": 1_800_000_001_000,
        "input": None,
        "output": None,
        "inputDetails": {"included": True},
        "outputDetails": {"included": True} if status == "SUCCEEDED" else None,
        "error": None,
        "cause": None,
        **detail,
    }
    return {
        "version": "0",
        "id": "315c1398-40ff-a850-213b-158f73e60175",
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": ACCOUNT,
        "time": "2026-11-24T10:00:00Z",
        "region": REGION,
        "resources": [arn],
        "detail": told,
    }
