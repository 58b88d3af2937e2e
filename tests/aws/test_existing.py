"""Deployments that others have made: found in the parameter store, read in both layouts and vocabularies, migrated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.aws.attributes import key
from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.core.keys import input_key, output_key
from cirrus.entry.cli.main import cirrus
from cirrus.errors import ConfigError, NotFound
from tests.aws.scene import Scene, make_scene

V1, V2, BARE = "v1", "v2", "bare"
TIME = "2024-03-01T10:00:00.123456+00:00"


class Existing:
    """An existing deployment, its records and payloads as either version left them."""

    def __init__(self, scene: Scene, name: str) -> None:
        self.scene = scene
        self.name = name
        where = scene.where.variables
        self.bucket, self.root, self.table = where.payload_bucket, where.payload_root, where.state_db
        self.mine = f"{where.prefix}scenes"
        prefix = f"/old/{where.prefix}{name}"
        self.point(
            prefix,
            CIRRUS_PAYLOAD_BUCKET=self.bucket,
            CIRRUS_PAYLOAD_ROOT_PREFIX=self.root,
            CIRRUS_BASE_WORKFLOW_ARN=where.base_workflow_arn,
            CIRRUS_PROCESS_QUEUE_URL=where.process_queue_url,
            CIRRUS_STATE_DB=where.state_db,
            CIRRUS_PREFIX=where.prefix,
        )

    def point(self, prefix: str, **parameters: str) -> None:
        ssm = self.scene.clients("ssm")
        pointer = json.dumps({"type": "parameter_store", "value": prefix})
        ssm.put_parameter(Name=f"/cirrus/deployments/{self.name}", Value=pointer, Type="String", Overwrite=True)
        for name, value in parameters.items():
            ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="SecureString", Overwrite=True)

    def id(self, name: str) -> str:
        return f"{self.mine}/workflow-w/{name}"

    def execution(self, name: str) -> str:
        return next_execution_id(self.id(name), [])

    def row(self, name: str, state: str, **more: Any) -> None:
        arn = self.scene.where.arns.execution("w", self.execution(name))
        row = {
            **key(self.id(name)),
            "created": {"S": TIME},
            "updated": {"S": TIME},
            "state_updated": {"S": f"{state}_{TIME}"},
            "executions": {"L": [{"S": arn}]},
        }
        row |= more
        self.scene.clients("dynamodb").put_item(
            TableName=self.table, Item={name: value for name, value in row.items() if value is not None}
        )

    def put(self, where: str, body: Any) -> None:
        self.scene.clients("s3").put_object(Bucket=self.bucket, Key=where, Body=json.dumps(body).encode())

    def body(self, where: str) -> Any:
        return json.loads(self.scene.clients("s3").get_object(Bucket=self.bucket, Key=where)["Body"].read())

    def there(self, where: str) -> bool:
        found = self.scene.clients("s3").list_objects_v2(Bucket=self.bucket, Prefix=where)
        return any(one["Key"] == where for one in found.get("Contents", []))

    def v1(self, name: str, state: str = "COMPLETED", *, ran: bool = True) -> dict[str, Any]:
        """A record of version 1: its input below its id, its output in the history of Step Functions alone."""
        payload = self.scene.payload(name, collections=self.mine) | {"id": self.id(name)}
        if ran:
            arn = self.scene.where.arns.state_machine("w")
            started = self.scene.clients("stepfunctions").start_execution(
                stateMachineArn=arn, name=self.execution(name), input=json.dumps(payload)
            )
            self.scene.wait(started["executionArn"])
        self.row(name, state)
        self.put(f"{self.id(name)}/input.json", payload)
        return payload

    def v2(self, name: str) -> dict[str, Any]:
        """A record of version 2."""
        payload = self.scene.payload(name, collections=self.mine) | {"id": self.id(name)}
        self.row(name, "SUCCEEDED", claimed_at={"S": TIME})
        self.put(input_key(self.root, self.id(name), self.execution(name)), payload)
        self.put(output_key(self.root, self.id(name), self.execution(name)), payload | {"v2": True})
        return payload

    def stored(self, name: str) -> dict[str, Any]:
        found = self.scene.clients("dynamodb").get_item(TableName=self.table, Key=key(self.id(name)))
        row: dict[str, Any] = found["Item"]
        return row


@pytest.fixture
def existing(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Existing:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return Existing(make_scene(Clients()), "legacy")


@pytest.fixture
def run(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Callable[..., list[Any]]:
    """The command line in a folder that is no project."""

    def command(*words: str, code: int = 0) -> list[Any]:
        answer = cirrus.main(["-p", str(tmp_path), *words], standalone_mode=False)
        assert (answer or 0) == code
        text = capfdbinary.readouterr().out.decode()
        if text.startswith("{\n"):
            return [json.loads(text)]
        return [json.loads(line) for line in text.splitlines()]

    return command


def test_found_without_a_project(existing: Existing, run: Callable[..., list[Any]]) -> None:
    named = {one["name"]: one for one in run("list-deployments")}
    assert named["legacy"] == {"name": "legacy", "home": "aws", "root": "/cirrus/deployments/legacy"}
    (shown,) = run("manage", "legacy", "show")
    assert shown["parameters"]["state_db"] == existing.table


def test_deployment_that_is_nowhere(existing: Existing, run: Callable[..., list[Any]], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no cirrus\.toml here"):
        run("manage", "nowhere", "show")
    (tmp_path / "cirrus.toml").touch()
    with pytest.raises(NotFound, match=r"no deployment 'nowhere': there are: local"):
        run("manage", "nowhere", "show")


def test_pointer_without_its_parameters(existing: Existing, run: Callable[..., list[Any]]) -> None:
    Existing(existing.scene, "broken").point("/old/empty")
    with pytest.raises(ConfigError, match=r"/cirrus/deployments/broken: CIRRUS_STATE_DB: is missing"):
        run("manage", "broken", "summary")


def test_role_is_assumed(existing: Existing, run: Callable[..., list[Any]]) -> None:
    """ministack gives the role's credentials their own name, and what they call is called with them."""
    where = existing.scene.where.variables
    role = "arn:aws:iam::000000000000:role/operator"
    existing.point(f"/old/{where.prefix}legacy", CIRRUS_CLI_IAM_ARN=role)
    from cirrus.app import open_deployed
    from cirrus.stored import stored

    found = stored("legacy", Path())
    assert found is not None
    clients = open_deployed(found).clients
    assert f"{clients('sts').get_caller_identity()['Arn']}/".startswith(
        "arn:aws:sts::000000000000:assumed-role/operator/cirrus"
    )


def test_both_vocabularies_and_layouts_are_read(existing: Existing, run: Callable[..., list[Any]]) -> None:
    one, two = existing.v1("one"), existing.v2("two")
    group = f"{existing.mine}_w"
    found = run("manage", "legacy", "query", "--collections-workflow", group, "--state", "COMPLETED")
    assert {record["payload_id"] for record in found} == {existing.id("one"), existing.id("two")}
    assert {record["state"] for record in found} == {"COMPLETED"}
    assert run("manage", "legacy", "get-payload", existing.id("one"), "-r") == [one]
    assert run("manage", "legacy", "get-payload", existing.id("two"), "-r") == [two]
    assert run("manage", "legacy", "get-output-payload", existing.id("one"), "-r") == [one]  # its history has it
    assert run("manage", "legacy", "get-output-payload", existing.id("two"), "-r") == [two | {"v2": True}]
    streamed = run("manage", "legacy", "get-payloads", "--collections-workflow", group, "--state", "SUCCEEDED")
    assert sorted(payload["id"] for payload in streamed) == sorted([one["id"], two["id"]])


def test_migrated(existing: Existing, run: Callable[..., list[Any]]) -> None:
    one, two = existing.v1("one"), existing.v2("two")
    existing.v1("gone", ran=False)
    existing.v1("failed", "FAILED", ran=False)
    existing.v1("runs", "PROCESSING", ran=False)
    first = {name: existing.stored(name) for name in ("one", "two", "gone", "failed", "runs")}

    planned = {line["payload_id"]: line for line in run("manage", "legacy", "migrate")}
    assert planned[existing.id("one")]["result"] == "to be migrated"
    assert {name: existing.stored(name) for name in first} == first
    assert not existing.there(input_key(existing.root, existing.id("one"), existing.execution("one")))

    done = {line["payload_id"]: line for line in run("manage", "legacy", "migrate", "--apply")}
    assert done[existing.id("one")]["done"] == ["input", "output", "execution", "runs"]
    assert done[existing.id("two")]["done"] == ["execution", "runs"]
    assert done[existing.id("gone")]["missing"] == ["output"]
    assert done[existing.id("failed")]["done"] == ["input", "execution", "runs"]
    assert done[existing.id("runs")] == {"payload_id": existing.id("runs"), "result": "running"}
    for name, payload in (("one", one), ("two", two)):
        assert existing.body(input_key(existing.root, existing.id(name), existing.execution(name))) == payload
    assert existing.body(output_key(existing.root, existing.id("one"), existing.execution("one"))) == one
    assert existing.body(f"{existing.id('one')}/input.json") == one  # nothing is deleted
    assert existing.stored("runs") == first["runs"]
    assert existing.stored("two")["state_updated"] == first["two"]["state_updated"]

    written = {name: existing.stored(name) for name in first}
    assert [line["result"] for line in run("manage", "legacy", "migrate", "--apply")] == ["running"]
    assert {name: existing.stored(name) for name in first} == written


def test_migrated_to_another_word(existing: Existing, run: Callable[..., list[Any]]) -> None:
    existing.v1("one")
    run("manage", "legacy", "migrate", "--apply", "--vocabulary", "SUCCEEDED")
    assert existing.stored("one")["state_updated"] == {"S": f"SUCCEEDED_{TIME}"}
    assert run("manage", "legacy", "migrate", "--vocabulary", "SUCCEEDED") == []
    assert run("manage", "legacy", "get-state", existing.id("one"), "-r")[0]["state"] == "COMPLETED"


def test_row_that_is_none_holds_up_no_other(existing: Existing, run: Callable[..., list[Any]]) -> None:
    existing.v1("one")
    existing.row("odd", "SIDEWAYS")
    found = {line["payload_id"]: line for line in run("manage", "legacy", "migrate", "--apply", code=1)}
    (odd,) = [line for line in found.values() if line["result"] == "failed"]
    assert "SIDEWAYS" in odd["reason"]
    assert found[existing.id("one")]["result"] == "migrated"


def test_broken_off_and_gone_on(existing: Existing, run: Callable[..., list[Any]]) -> None:
    """A migration that wrote bodies and was killed before the row says so does the rest when it is run again."""
    one = existing.v1("one")
    existing.put(input_key(existing.root, existing.id("one"), existing.execution("one")), one)
    (line,) = run("manage", "legacy", "migrate", "--apply")
    assert line["done"] == ["output", "execution", "runs"]


def test_row_that_changes_meanwhile_is_left(existing: Existing) -> None:
    from cirrus.app import open_migration
    from cirrus.stored import stored

    existing.v1("one")
    found = stored("legacy", Path())
    assert found is not None
    migration = open_migration(found)
    (row,) = list(migration._rows())
    existing.row("one", "PROCESSING")
    (told,) = migration._written([migration._row(row, False)])
    assert told.result == "changed meanwhile"
    assert existing.stored("one")["state_updated"] == {"S": f"PROCESSING_{TIME}"}
