"""A deployment's whole life, as an operator goes through it: deploy, submit, fail, query, rerun, chain, publish, abort,
sweep, migrate, destroy. Everything is done by the command line, on ministack, with the template of the project."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.aws.attributes import key
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.parameters import ParameterStore
from cirrus.adapters.aws.tables import outbox_schema, state_schema
from cirrus.core.execution_id import Arns, next_execution_id
from cirrus.core.keys import input_key
from cirrus.entry.cli.main import cirrus
from cirrus.testing.builders import document
from cirrus.variables import Variables, read_variables
from tests.aws import standins, waiting
from tests.deploying.projects import chain, write

until = partial(waiting.until, patience=120.0)
SETTINGS = """
[project]
name = "walk"

[tasks.hello]
handler = "tasks.mine:hello"

[deployments.prod]
home = "aws"
python = "3.11"
"""
BROKEN = """
def hello(payload):
    for item in payload["features"]:
        print("greeting", item["id"])
        if item["id"] == "broken":
            raise ValueError("cannot greet broken")
        item["links"] = [{"rel": "canonical", "href": f"s3://out/{item['id']}.json"}]
    return payload
"""
MENDED = BROKEN.replace('item["id"] == "broken"', "False")
TIME = "2024-03-01T10:00:00.123456+00:00"


class Desk:
    """The command line in a project, and what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    @contextmanager
    def given(self, text: str) -> Iterator[None]:
        """With this on stdin."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
            yield

    def lines(self, *words: str, allowed: Collection[int] = ()) -> list[str]:
        """What a command prints, which ends well, or with an exit code that is allowed."""
        code = 0
        try:
            code = cirrus.main(["-p", str(self.folder), *words], standalone_mode=False) or 0
        except SystemExit as end:
            code = int(end.code or 0)
        assert code in {0, *allowed}
        return self._capsys.readouterr().out.splitlines()

    def __call__(self, *words: str, allowed: Collection[int] = ()) -> list[Any]:
        """What a command of the deployment prints, line by line."""
        return [json.loads(line) for line in self.lines("manage", "prod", *words, allowed=allowed)]

    def document(self, *words: str) -> Any:
        """The one document that a command of the deployment prints."""
        return json.loads("".join(self.lines("manage", "prod", *words)))


@pytest.fixture
def ministack_with_dynamodb(dynamodb_url: str, tmp_path: Path) -> Iterator[str]:
    """A ministack whose functions know DynamoDB Local: its own DynamoDB cannot append to a list by PartiQL."""
    (tmp_path / "ministack").mkdir()
    with standins.ministack(tmp_path / "ministack", AWS_ENDPOINT_URL_DYNAMODB=dynamodb_url) as url:
        yield url


@pytest.fixture
def desk(
    ministack_with_dynamodb: str,
    dynamodb_url: str,
    aws: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    aws(ministack_with_dynamodb, dynamodb=dynamodb_url)
    slow = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 900, "End": True}}}
    greet = chain(("Greet", {"Type": "Task", "Resource": "${hello}"}))  # which ministack's history names, so has logs
    project = write(tmp_path / "project", SETTINGS, {"greet": greet, "follow": greet, "slow": slow})
    (project / "tasks/mine.py").write_text(BROKEN)
    return Desk(project, capsys)


class Ear:
    """A queue that hears what the topics of events and Items say."""

    def __init__(self, clients: Clients, variables: Variables) -> None:
        self._sqs = clients("sqs")
        self.url = self._sqs.create_queue(QueueName="walk-ear")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for topic in (variables.event_topic_arn, variables.publish_topic_arn):
            clients("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        self.events: list[tuple[str, str]] = []
        self.items: list[str] = []

    def hear(self) -> Ear:
        """Take in what was said since."""
        while found := self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for one in found:
                body = json.loads(json.loads(one["Body"])["Message"])
                if "event_type" in body:
                    self.events.append((body["event_type"], body["payload_id"].partition("workflow-")[2]))
                else:
                    self.items.append(body["id"])
                self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return self


def states(desk: Desk) -> dict[str, str]:
    return {one["payload_id"].partition("workflow-")[2]: one["state"] for one in desk("query")}


def test_from_deploy_to_destroy(desk: Desk) -> None:
    clients = Clients()

    # deploy
    desk.lines("deploy", "prod")
    variables = read_variables(ParameterStore(clients).variables("prod"), "prod")
    for schema in (state_schema(variables.state_db), outbox_schema(str(variables.outbox_table))):
        clients("dynamodb").create_table(**schema)
    ear = Ear(clients, variables)
    assert {"process", "update-state", "sweep", "hello"} <= {one["name"] for one in desk("list-lambdas")}

    # submit: one that works, one that fails, one with a chain, one that is no payload
    payloads = desk.folder.parent / "payloads.json"
    given = [
        document("good", process="greet"),
        document("broken", process="greet"),
        document("linked", process=[{"workflow": "greet"}, {"workflow": "follow"}]),
        {"type": "FeatureCollection", "features": []},
    ]
    payloads.write_text("\n".join(map(json.dumps, given)))
    assert [one["result"] for one in desk("process", str(payloads), allowed=[1])] == ["queued"] * 3 + ["rejected"]

    # fail, query, chain
    wanted = {"greet/good": "COMPLETED", "greet/broken": "FAILED", "greet/linked": "COMPLETED"}
    until("all have ended", lambda: states(desk) == wanted | {"follow/linked": "COMPLETED"})
    (failed,) = desk("query", "--state", "FAILED")
    broken = failed["payload_id"]
    assert "cannot greet broken" in failed["last_error"]
    assert "greeting broken" in desk.lines("manage", "prod", "get-logs", "--payload-id", broken)
    assert [group["count"] for group in desk("errors")] == [1]
    assert desk.document("timeline", broken, "--json")["executions"][0]["steps"][0]["name"] == "Greet"
    assert desk.document("get-output-payload", "scenes/workflow-greet/good")["features"][0]["id"] == "good"
    assert desk.document("summary")["workflows"]["scenes_greet"] == {"COMPLETED": 2, "FAILED": 1}

    # publish
    until("Items are published", lambda: sorted(ear.hear().items) == ["good", "linked", "linked"])
    assert {("SUCCEEDED", "greet/good"), ("FAILED", "greet/broken"), ("SUCCEEDED", "follow/linked")} <= set(ear.events)

    # mend it, deploy again, rerun what failed
    (desk.folder / "tasks/mine.py").write_text(MENDED)
    desk.lines("deploy", "prod")
    assert desk.document("rerun", "--state", "FAILED", "--name", "again")["total"] == 1

    def swept() -> bool:
        call_function(desk, "sweep")
        return bool(desk.document("campaign", "show", "again")["state"] == "DONE")

    until("the campaign is done", swept)
    assert desk.document("campaign", "show", "again")["counts"] == {"COMPLETED": 1}
    assert len(desk.document("get-state", broken)["executions"]) == 2

    # pause, resume
    desk.lines("manage", "prod", "pause", "--workflow", "slow")
    payloads.write_text(json.dumps(document("held", process="slow")))
    desk("process", str(payloads))
    slow = "scenes/workflow-slow/held"
    until("the pause holds it", lambda: "is paused" in "".join(desk.lines("manage", "prod", "explain", slow)))
    time.sleep(6)  # functions look at pauses every five seconds
    desk.lines("manage", "prod", "resume", "--workflow", "slow")

    def runs() -> bool:
        call_function(desk, "sweep")
        return states(desk).get("slow/held") == "PROCESSING"

    until("it runs", runs)

    # abort; what that tells goes out with a sweep
    assert desk.document("abort", slow)["state"] == "ABORTED"
    call_function(desk, "sweep")
    until("the end is told", lambda: ("ABORTED", "slow/held") in ear.hear().events)

    # migrate a record of version 1
    old = leave_behind(clients, variables)
    assert [one["result"] for one in desk("migrate")] == ["to be migrated"]
    assert desk("migrate", "--apply")[0]["payload_id"] == old
    assert desk("migrate") == []
    assert desk.document("get-payload", old)["id"] == old

    # destroy
    left = desk.lines("destroy", "prod", "--yes")
    assert len(left) == 4
    assert ParameterStore(clients).deployments() == []


def call_function(desk: Desk, name: str) -> Any:
    """Call a function of the deployment by the command line, whose stdin is the event."""
    with desk.given('{"interval": 5}'):
        return desk.document("invoke-lambda", name)


def leave_behind(clients: Clients, variables: Variables) -> str:
    """A record that version 1 left, whose input stands where that put it; gives its payload id."""
    old = "scenes/workflow-greet/old"
    arn = Arns(variables.base_workflow_arn).execution("greet", next_execution_id(old, []))
    row = {
        **key(old),
        "created": {"S": TIME},
        "updated": {"S": TIME},
        "state_updated": {"S": f"FAILED_{TIME}"},
        "executions": {"L": [{"S": arn}]},
    }
    clients("dynamodb").put_item(TableName=variables.state_db, Item=row)
    body = json.dumps(document("old", process="greet", id=old)).encode()
    clients("s3").put_object(Bucket=variables.payload_bucket, Key=f"{old}/input.json", Body=body)
    assert input_key(variables.payload_root, old, "x") != f"{old}/input.json"
    return old
