"""Where a scenario takes place: a deployment by hand, what SQS, EventBridge and a dashboard do to it, and what is left.

What is seen has no times and no names of its own any more, so that it can be held against what was seen elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from cirrus.variables import TABLE
from tests.aws.original.sides import Side
from tests.aws.scene import BUCKET, Scene, end_event
from tests.aws.standins import ACCOUNT, REGION

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=/)[0-9a-f]{32}(?=\.json)")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)?")
HERE = re.compile(r"http://127\.0\.0\.1:\d+")
OF_THE_STAND_IN = {"ResponseMetadata", "MD5OfMessageBody", "revisionId"}
LATELY = timedelta(days=2)


class Stage:
    """One scenario's deployment; everything that is to be compared is added to `seen` under a name."""

    def __init__(self, scene: Scene, side: Side, folder: Path) -> None:
        self.scene = scene
        self.side = side
        self.folder = folder
        self.seen: dict[str, Any] = {}
        self._step = 0
        values = scene.with_variables(vocabulary="SUCCEEDED", data_bucket=BUCKET).where.variables
        told = {one.name: getattr(values, one.field) for one in TABLE}
        self.environment = {name: str(value) for name, value in told.items() if value}
        self.environment["AWS_REGION"] = REGION

    # ---------------------------------------------------------------- what others do

    def queue(self, *bodies: Any) -> None:
        """Put messages into the queue of payloads."""
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.scene.clients("sqs").send_message(QueueUrl=self._queue, MessageBody=text)

    @property
    def _queue(self) -> str:
        return self.scene.where.variables.process_queue_url

    def process(self, *bodies: Any) -> None:
        """Queue payloads and hand over what the queue has, as Lambda does; what it is to give again stays."""
        self.queue(*bodies)
        answer = self.scene.clients("sqs").receive_message(
            QueueUrl=self._queue, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=600
        )
        records = [
            {
                "messageId": one["MessageId"],
                "receiptHandle": one["ReceiptHandle"],
                "body": one["Body"],
                "attributes": {"ApproximateReceiveCount": one["Attributes"]["ApproximateReceiveCount"]},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._queue.rpartition('/')[2]}",
                "awsRegion": REGION,
            }
            for one in answer.get("Messages", [])
        ]
        told = self.side.call("process", {"Records": records}, self.environment)
        if "raised" in told:
            return
        failed = told["answer"].get("batchItemFailures", []) if isinstance(told["answer"], dict) else []
        kept = {one["itemIdentifier"] for one in failed}
        for record in records:
            if record["messageId"] not in kept:
                handle = record["receiptHandle"]
                self.scene.clients("sqs").delete_message(QueueUrl=self._queue, ReceiptHandle=handle)

    def call(self, function: str, event: Any) -> None:
        """Call a function directly; only whether it raised is seen."""
        told = self.side.call(function, event, self.environment)
        self._add(function, "raised" if "raised" in told else "done")

    def end(self, payload: Any, status: str = "SUCCEEDED", *, execution: int = -1, **detail: Any) -> None:
        """Tell of the end of an execution of a payload, as EventBridge does."""
        arn = self.row(payload["id"])["executions"][execution]
        text = json.dumps(payload)
        told = {"input": text, **({"output": text} if status == "SUCCEEDED" else {}), **detail}
        self.call("update_state", end_event(self.scene, arn, status, **told))

    def api(self, path: str, *, stage: str = "", **query: str) -> Any:
        """Ask the API; gives its answer's body."""
        context = {"domainName": "api.test", "path": f"/{stage}" if stage else "", "stage": stage}
        event = {"path": path, "queryStringParameters": query or None, "requestContext": context}
        told = self.side.call("api", event, self.environment)
        shown = path + "".join(f" {name}={value}" for name, value in query.items())
        answer = told.get("answer")
        body = json.loads(answer["body"]) if answer else None
        self._add(f"GET {shown}", {"status": answer["statusCode"], "body": body} if answer else "raised")
        return body

    def command(self, *words: str, given: str = "") -> None:
        """Run a command about the deployment."""
        printed = self.side.command(words, given, self.folder)
        self._add(f"$ {' '.join(words)}", {"code": min(printed.code, 1), "out": documents(printed.out)})

    def point(self, name: str = "prod") -> None:
        """Let the parameter store point to the deployment."""
        prefix = f"/{self.scene.where.variables.prefix}cirrus/"
        ssm = self.scene.clients("ssm")
        pointer = json.dumps({"type": "parameter_store", "value": prefix})
        ssm.put_parameter(Name=f"/cirrus/deployments/{name}", Value=pointer, Type="String", Overwrite=True)
        for variable, value in self.environment.items():
            if variable.startswith("CIRRUS_"):
                ssm.put_parameter(Name=prefix + variable, Value=value, Type="String")

    # ---------------------------------------------------------------- what is left

    def _add(self, name: str, value: Any) -> None:
        self._step += 1
        self.seen[f"{self._step:02d} {name}"] = value

    def row(self, payload_id: str) -> dict[str, Any]:
        """The row of a payload as it is now."""
        return next(row for row in self.rows() if known(row) == payload_id)

    def rows(self) -> list[dict[str, Any]]:
        """All rows of the state table."""
        found = self.scene.clients("dynamodb").scan(TableName=self.scene.where.variables.state_db)["Items"]
        load = TypeDeserializer().deserialize
        return [{name: load(value) for name, value in row.items()} for row in found]

    def look(self) -> None:
        """See everything that is left: rows, objects, executions, messages."""
        rows = {known(row): row for row in self.rows()}
        self._add("rows", rows)
        self._add("objects", self._objects())
        self._add("executions", [self._execution(arn) for row in rows.values() for arn in row.get("executions", [])])
        told = [{"body": body, "attributes": given} for body, given in self.scene.told()]
        events = [one for one in told if "event_type" in one["body"]]
        items = [one for one in told if "event_type" not in one["body"]]
        self._add("events", named(events, lambda one: f"{one['event_type']} {one['payload_id']}"))
        self._add("items", named(items, lambda one: one["id"]))
        self._add("queue", self._waiting())

    def _objects(self) -> dict[str, Any]:
        s3, found = self.scene.clients("s3"), {}
        for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.scene.root}/").get("Contents", []):
            body = s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            found[one["Key"]] = parsed(body.decode())
        return found

    def _execution(self, arn: str) -> Any:
        client = self.scene.clients("stepfunctions")
        try:
            told = client.describe_execution(executionArn=arn)
        except client.exceptions.ExecutionDoesNotExist:
            return [arn, "none"]
        return [arn, parsed(told["input"])]

    def _waiting(self) -> list[Any]:
        sqs, found = self.scene.clients("sqs"), []
        names = ["ApproximateNumberOfMessagesNotVisible"]
        held = sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)["Attributes"][names[0]]
        while messages := sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            found += [parsed(one["Body"]) for one in messages]
        return [*sorted(found, key=repr), {"to be given again": int(held)}]

    def result(self) -> dict[str, Any]:
        """What was seen, without times and names of its own."""
        names: dict[str, str] = {}
        for row in sorted(self.rows(), key=known):
            for n, arn in enumerate(row.get("executions", [])[1:], 2):
                names[arn.rpartition(":")[2]] = f"<execution {n} of {known(row)}>"
            for arn in row.get("executions", [])[:1]:
                names[arn.rpartition(":")[2]] = arn.rpartition(":")[2]  # known from the payload id alone
        found: dict[str, Any] = self._cleaned(self.seen, names)
        return found

    def _cleaned(self, value: Any, names: Mapping[str, str]) -> Any:
        if isinstance(value, dict):
            kept = {key: one for key, one in value.items() if key not in OF_THE_STAND_IN}
            return {self._cleaned(key, names): self._cleaned(one, names) for key, one in kept.items()}
        if isinstance(value, (list, tuple)):
            return [self._cleaned(one, names) for one in value]
        if isinstance(value, str):
            text = value.replace(self.scene.root, "<root>").replace(self.scene.where.variables.prefix, "<prefix>")
            text = UUID.sub(lambda found: names.get(found[0], "<uuid>"), text)
            return TIME.sub(_lately, HERE.sub("<host>", text))
        if isinstance(value, (int, float, bool, type(None))):
            return value
        return int(value) if value == int(value) else float(value)


def _lately(found: re.Match[str]) -> str:
    """A time of the run without its value; times of Items stay."""
    at = datetime.fromisoformat(found[0])
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return "<time>" if abs(at - datetime.now(UTC)) < LATELY else found[0]


def known(row: Mapping[str, Any]) -> str:
    """The payload id of a row."""
    collections, _, workflow = row["collections_workflow"].rpartition("_")
    return f"{collections}/workflow-{workflow}/{row['itemids']}"


def named(told: list[dict[str, Any]], name: Callable[[Any], str]) -> dict[str, Any]:
    """Messages by what they are about, those about the same numbered."""
    found: dict[str, Any] = {}
    for one in sorted(told, key=repr):
        base = name(one["body"])
        found[next(key for n in count(1) if (key := base if n == 1 else f"{base} ({n})") not in found)] = one
    return found


def parsed(text: str) -> Any:
    """JSON as a value; what is none as it is, long texts by their length."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return shortened(value)


def shortened(value: Any) -> Any:
    """A value in which long texts are told by their length."""
    if isinstance(value, dict):
        return {name: shortened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shortened(one) for one in value]
    return f"<{len(value)} characters>" if isinstance(value, str) and len(value) > 2_000 else value


def documents(text: str) -> list[Any]:
    """The JSON documents in a text, one after the other; what is none line by line."""
    found: list[Any] = []
    decoder, left = json.JSONDecoder(), text.strip()
    while left:
        try:
            value, end = decoder.raw_decode(left)
        except ValueError:
            line, _, left = left.partition("\n")
            found.append(line)
        else:
            found.append(shortened(value))
            left = left[end:]
        left = left.strip()
    return found
