"""Calls of services that are no tasks of the project: queues, topics, objects, other state machines.

In the local home a message to the queue `process` queues a payload; any other goes through the outbox to a file of
the deployment. Objects are read and written in a worker process, as tasks are.
"""

from __future__ import annotations

import hashlib
from typing import Any

from cirrus.asl import ReadItems, RunTask, WriteResults, result_files
from cirrus.core.jsontext import encode
from cirrus.core.reserved import MESSAGES
from cirrus.errors import NotFound
from cirrus.flow.home import Home
from cirrus.flow.result import Refused, Result, Started, Wanted
from cirrus.ports.queue import Message

PROCESS = "process"
GET_OBJECT, PUT_OBJECT, READ_ITEMS, WRITE_FILES = (
    "cirrus.get-object",
    "cirrus.put-object",
    "cirrus.read-items",
    "cirrus.write-files",
)


def send_message(home: Home, parameters: Any, payload_id: str) -> Result:
    """sqs:sendMessage."""
    queue = str(parameters.get("QueueUrl", "")).rstrip("/").rpartition("/")[2]
    body = _text(parameters.get("MessageBody"))
    if queue == PROCESS:
        home.queue.put([Message(body.encode())], home.clock())
    else:
        _send(home, queue, body, parameters.get("MessageAttributes"), payload_id)
    digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
    return Result({"MD5OfMessageBody": digest, "MessageId": _uuid(home)})


def publish(home: Home, parameters: Any, payload_id: str) -> Result:
    """sns:publish."""
    topic = str(parameters.get("TopicArn") or parameters.get("TargetArn") or "").rpartition(":")[2]
    _send(home, topic, _text(parameters.get("Message")), parameters.get("MessageAttributes"), payload_id)
    return Result({"MessageId": _uuid(home)})


def _send(home: Home, to: str, body: str, attributes: Any, payload_id: str) -> None:
    if not to:
        raise Refused("States.TaskFailed", "the message names no queue or topic")
    message = encode({"to": to, "body": body, "attributes": attributes or {}})
    home.outbox.put(MESSAGES, "message", payload_id, message)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _uuid(home: Home) -> str:
    text = f"{home.chance():016x}{home.chance():016x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def objects(home: Home, kind: str, parameters: Any) -> Wanted:
    """aws-sdk:s3:getObject and putObject."""
    url = object_url(home, parameters, "Key")
    if kind.endswith("getObject"):
        return Wanted(GET_OBJECT, encode({"place": url}), member="output")
    body = parameters.get("Body", "")
    given = {"place": url, "body": _text(body), "content_type": parameters.get("ContentType")}
    return Wanted(PUT_OBJECT, encode(given), member="output")


def items(home: Home, command: ReadItems) -> Wanted:
    """The reader of a distributed Map."""
    parameters, listing = command.parameters, command.kind.endswith("listObjectsV2")
    given = {
        "place": object_url(home, parameters, "Prefix" if listing else "Key"),
        "list": listing,
        "root": object_url(home, {"Bucket": parameters.get("Bucket")}, "Key"),
        "prefix": parameters.get("Prefix") or "",
        "config": command.config,
        "buckets": dict(home.buckets),
    }
    return Wanted(READ_ITEMS, encode(given), member="output")


def results(home: Home, command: WriteResults) -> Wanted:
    """The writer of a distributed Map."""
    bucket = str(command.parameters.get("Bucket", ""))
    files = {
        object_url(home, {"Bucket": bucket, "Key": key}, "Key"): text for key, text in result_files(command).items()
    }
    return Wanted(WRITE_FILES, encode({"files": files}), member="output")


def object_url(home: Home, parameters: Any, name: str) -> str:
    """The URL of an object: its bucket may stand for a folder or store of the deployment."""
    bucket, key = parameters.get("Bucket"), parameters.get(name) or ""
    if not isinstance(bucket, str) or not bucket or not isinstance(key, str):
        raise Refused("S3.InvalidBucketName", f"Bucket and {name} are expected, not {bucket!r} and {key!r}")
    return f"{home.buckets.get(bucket, f's3://{bucket}').rstrip('/')}/{key}"


def start_execution(home: Home, command: RunTask) -> Started:
    """states:startExecution of another workflow of the project."""
    parameters = command.parameters
    name = str(parameters.get("StateMachineArn", "")).rpartition(":")[2]
    try:
        definition = home.workflows.definition(name)
    except NotFound as error:
        raise Refused("StepFunctions.StateMachineDoesNotExistException", str(error)) from None
    given = parameters.get("Input", {})
    return Started(name, definition, str(parameters.get("Name") or _uuid(home)), given, command.kind)
