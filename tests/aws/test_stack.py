"""Stacks that go wrong, on ministack: what is told, and what is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.deploying.stack import Change, Stack, StackFailed
from tests.aws.standins import REGION

_numbers = count()
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 30}}
BROKEN = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "taken-by-another"}}


class Bench:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.stack = Stack(Clients(), f"stack-{next(_numbers)}", self.told.append, every=0.2)

    def plan(self, **resources: Any) -> str | None:
        body = json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})
        return self.stack.plan({"TemplateBody": body}, {}, {"team": "eo"})

    def apply(self, **resources: Any) -> list[Change]:
        planned = self.plan(**resources)
        assert planned is not None
        changes = self.stack.changes(planned)
        self.stack.apply(planned)
        return changes


@pytest.fixture
def bench(ministack_url: str, aws: Callable[..., None]) -> Bench:
    aws(ministack_url)
    s3 = Clients()("s3")
    if "taken-by-another" not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket="taken-by-another", CreateBucketConfiguration={"LocationConstraint": REGION})
    return Bench()


def test_made_changed_deleted(bench: Bench) -> None:
    assert bench.apply(Queue=QUEUE) == [Change("Add", "Queue", "AWS::SQS::Queue")]
    assert any("CREATE_COMPLETE" in line and "Queue" in line for line in bench.told)
    assert bench.plan(Queue=QUEUE) is None
    slower = {**QUEUE, "Properties": {"VisibilityTimeout": 60}}
    (change,) = bench.apply(Queue=slower)
    assert (change.action, change.name, change.loses) == ("Modify", "Queue", False)
    described = bench.stack.describe()
    assert described is not None
    assert {"Key": "team", "Value": "eo"} in described["Tags"]
    bench.stack.delete()
    assert bench.stack.status() is None


def test_plan_leaves_nothing_behind(bench: Bench) -> None:
    planned = bench.plan(Queue=QUEUE)
    assert planned is not None
    bench.stack.forget(planned)
    assert bench.stack.status() is None


def test_failure_tells_its_reason_and_can_be_tried_again(bench: Bench) -> None:
    with pytest.raises(StackFailed, match=r"Bucket: .*already exists"):
        bench.apply(Queue=QUEUE, Bucket=BROKEN)
    assert bench.apply(Queue=QUEUE) == [Change("Add", "Queue", "AWS::SQS::Queue")]


def test_failed_change_goes_back(bench: Bench) -> None:
    bench.apply(Queue=QUEUE)
    with pytest.raises(StackFailed, match=r"Bucket: .*already exists"):
        bench.apply(Queue=QUEUE, Bucket=BROKEN)
    assert bench.plan(Queue=QUEUE) is None  # it is as it was


def test_change_that_loses_data_is_seen(bench: Bench) -> None:
    keys = [{"AttributeName": "a", "KeyType": "HASH"}]
    named = [{"AttributeName": "a", "AttributeType": "S"}]
    properties = {"BillingMode": "PAY_PER_REQUEST", "KeySchema": keys, "AttributeDefinitions": named}
    bench.apply(Table={"Type": "AWS::DynamoDB::Table", "Properties": properties})
    planned = bench.plan(Queue=QUEUE)
    assert planned is not None
    lost = {one.name: one.loses for one in bench.stack.changes(planned)}
    assert lost == {"Table": True, "Queue": False}
    assert Change("Modify", "Table", "AWS::DynamoDB::Table", "True").loses  # which ministack never says
