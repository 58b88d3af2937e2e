"""The sparse index of what needs attention: what stands in it, what it costs, and when it is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cirrus.adapters.aws.attention import Attention
from cirrus.adapters.aws.both_layouts import BothLayouts
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.migration import Migration
from cirrus.core.state import State
from cirrus.entry.lambdas import process, update_state
from cirrus.ports.query import Query
from tests.aws.faults import Faults
from tests.aws.scene import Scene, end_event, make_scene

FAILED = Query(states=(State.FAILED,))
ID = "scenes/workflow-w/{}"


@pytest.fixture
def calls() -> Faults:
    return Faults()


@pytest.fixture
def scene(calls: Faults, dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    made = make_scene(Clients(prepare=calls), attention=True)
    return made.with_variables(vocabulary="COMPLETED", attention_index="on")


def index_of(scene: Scene, *, on: bool = True) -> Attention:
    variables = scene.where.variables
    return Attention(scene.clients, variables.state_db, variables.outbox_table, on=on)


def run(scene: Scene, name: str, status: str, error: str = "Oops") -> None:
    payload = scene.payload(name, id=ID.format(name))
    process.handle(scene.where, scene.sqs_event(payload), "o")
    record = scene.where.home().state_db.get([ID.format(name)])[ID.format(name)]
    arn = scene.where.arns.execution("w", record.executions[-1])
    told = {"output": json.dumps(payload)} if status == "SUCCEEDED" else {"error": error, "cause": "it broke"}
    update_state.handle(scene.where, end_event(scene, arn, status, input=json.dumps(payload), **told), "o")


def rows(scene: Scene) -> dict[str, Any]:
    """What stands in the index, by the ids of Items."""
    found = scene.clients("dynamodb").scan(TableName=scene.where.variables.state_db, IndexName="attention")["Items"]
    return {row["itemids"]["S"]: row["attention"]["S"] for row in found}


def names(scene: Scene, query: Query, **changed: Any) -> list[str]:
    found = scene.where.home().state_db.page(replace(query, ascending=True, **changed), 100).records
    return [one.payload_id.rpartition("/")[2] for one in found]


def migrate(scene: Scene, *, on: bool = True, dry: bool = False) -> list[Any]:
    payloads = scene.where.payloads()
    old = BothLayouts(payloads, scene.where.arns, lambda _: None)
    variables = scene.where.variables
    index = index_of(scene, on=on)
    moved = Migration(scene.clients, variables.state_db, payloads, old, root=variables.payload_root, attention=index)
    return list(moved.run(dry=dry))


def test_only_what_needs_attention_stands_in_it(scene: Scene) -> None:
    run(scene, "good", "SUCCEEDED")
    run(scene, "bad", "FAILED")
    run(scene, "invalid", "FAILED", "InvalidInput")
    run(scene, "stopped", "ABORTED")
    process.handle(scene.where, scene.sqs_event(scene.payload("running")), "o")
    assert rows(scene) == {"bad": "FAILED", "invalid": "INVALID", "stopped": "ABORTED"}
    run(scene, "bad", "SUCCEEDED")
    assert rows(scene) == {"invalid": "INVALID", "stopped": "ABORTED"}


def test_query_across_workflows_asks_it_alone(scene: Scene, calls: Faults) -> None:
    assert index_of(scene).deployed()  # the table is empty
    for name in "abc":
        run(scene, name, "FAILED", f"{name}: Oops")
    calls.counts.clear()
    assert names(scene, FAILED) == ["a", "b", "c"]
    assert names(scene, FAILED, error_prefix="b: ") == ["b"]
    since = scene.where.home().state_db.get([ID.format("b")])[ID.format("b")].updated
    assert names(scene, FAILED, since=since) == ["b", "c"]
    assert scene.where.home().state_db.count(FAILED) == {"scenes_w": {State.FAILED: 3}}
    assert len(scene.where.home().state_db.failures(Query())) > 0
    assert calls.counts["Scan"] == 0  # the groups were not listed
    names(scene, Query(states=(State.FAILED, State.PROCESSING)))
    assert calls.counts["Scan"] > 0


def test_deployment_without_it_goes_by_groups(scene: Scene) -> None:
    without = scene.with_variables(attention_index=None)
    run(without, "a", "FAILED")
    assert rows(scene) == {}
    assert names(without, FAILED) == ["a"]


def test_older_records_are_found_before_and_after_they_are_in_it(scene: Scene, calls: Faults) -> None:
    run(scene.with_variables(attention_index=None), "old", "FAILED")
    run(scene, "new", "FAILED")
    assert not index_of(scene).deployed()
    assert names(scene, FAILED) == ["old", "new"]
    assert "attention" in next(one for one in migrate(scene, dry=True) if one.payload_id.endswith("old")).done
    assert not index_of(scene).complete
    migrate(scene)
    assert rows(scene) == {"old": "FAILED", "new": "FAILED"}
    assert index_of(scene).complete
    calls.counts.clear()
    assert names(scene, FAILED) == ["old", "new"]
    assert calls.counts["Scan"] == 0
    assert {one.result for one in migrate(scene)} == {"up to date"}
    migrate(scene, on=False)
    assert not index_of(scene).complete


def test_attribute_that_others_left_means_nothing(scene: Scene) -> None:
    assert index_of(scene).deployed()
    run(scene, "a", "FAILED")
    scene.clients("dynamodb").update_item(  # as cirrus-geo claims
        TableName=scene.where.variables.state_db,
        Key={"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": "a"}},
        UpdateExpression="SET state_updated = :now",
        ExpressionAttributeValues={":now": {"S": "PROCESSING_2026-11-24T10:00:00+00:00"}},
    )
    assert names(scene, FAILED) == []


def test_index_that_is_not_kept_any_more_is_not_complete(scene: Scene) -> None:
    assert index_of(scene).deployed()
    assert index_of(scene, on=False).deployed()
    assert not index_of(scene).complete
    run(scene, "a", "FAILED")
    assert not index_of(scene).deployed()
