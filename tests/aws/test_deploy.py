"""Deploy, use, change and destroy a project on ministack, whose CloudFormation has everything but Batch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.parameters import ParameterStore
from cirrus.app import open_project
from cirrus.deploying.deploy import Deployer
from cirrus.entry.cli.main import cirrus
from cirrus.testing.builders import document
from cirrus.variables import read_variables
from tests.aws.waiting import until
from tests.deploying.projects import small

P = "scenes/workflow-greet/a"


class Desk:
    """The command line in a project, and what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *words: str) -> list[Any]:
        cirrus.main(["-p", str(self.folder), *words], standalone_mode=False)
        return [json.loads(line) if line[0] in "{[" else line for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what pip got is kept from one project to the next."""
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture
def desk(
    ministack_url: str,
    aws: Callable[..., None],
    tmp_path: Path,
    wheels: Path,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    aws(ministack_url)
    project = small(tmp_path / "project")
    (project / ".cirrus").mkdir()
    (project / ".cirrus/build").symlink_to(wheels)
    return Desk(project, capsys)


def test_whole_walk(desk: Desk) -> None:
    clients = Clients()
    planned = desk("deploy", "prod", "--plan")
    assert {"action": "Add", "type": "AWS::DynamoDB::Table", "name": "StateTable", "replaced": "False"} in planned
    assert clients("cloudformation").list_stacks()["StackSummaries"] == []

    made = desk("deploy", "prod")
    assert {one["name"] for one in made} == {one["name"] for one in planned}

    variables = read_variables(ParameterStore(clients).variables("prod"), "prod")
    payload = desk.folder.parent / "payload.json"  # in the project it would be part of its code
    payload.write_text(json.dumps(document("a", process="greet")))
    (queued,) = desk("manage", "prod", "process", str(payload))
    assert (queued["payload_id"], queued["result"]) == (P, "queued")
    until("the payload completes", lambda: [one["state"] for one in desk("manage", "prod", "query")] == ["COMPLETED"])
    (output,) = desk("manage", "prod", "get-output-payload", P, "-r")
    assert output["id"] == P
    assert desk("deploy", "prod") == []  # nothing has changed

    task = desk.folder / "tasks/mine.py"
    task.write_text(task.read_text().replace("hello'", "good morning'"))
    changed = desk("deploy", "prod", "--plan")
    assert {one["action"] for one in changed} == {"Modify"}  # and what refers to the function, as CloudFormation does
    assert "TaskHelloFunction" in {one["name"] for one in changed}
    assert not {"ProcessFunction", "StateTable"} & {one["name"] for one in changed}
    assert [one["name"] for one in desk("deploy", "prod")] == [one["name"] for one in changed]

    left = desk("destroy", "prod", "--yes")
    assert len(left) == 4
    assert ParameterStore(clients).deployments() == []
    assert variables.state_db in clients("dynamodb").list_tables()["TableNames"]
    assert variables.payload_bucket in [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]


def test_destroyed_with_its_data(desk: Desk) -> None:
    clients = Clients()
    project = open_project(desk.folder)
    deployer = Deployer(project, project.deployments["prod"], lambda _: None, every=0.5)
    deployer.deploy()
    outputs = deployer.outputs()
    clients("s3").put_object(Bucket=outputs["DataBucket"], Key="x/y", Body=b"z")
    assert desk("destroy", "prod", "--yes", "--with-data") == []
    assert not {outputs["StateTable"], outputs["OutboxTable"]} & set(clients("dynamodb").list_tables()["TableNames"])
    buckets = {one["Name"] for one in clients("s3").list_buckets()["Buckets"]}
    assert not {outputs["DataBucket"], outputs["PayloadBucket"]} & buckets
    assert not [one for one in buckets if "-code-" in one]
