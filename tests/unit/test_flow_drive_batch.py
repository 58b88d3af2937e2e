"""Driving batch jobs, and what is published with their end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.core.jsontext import encode
from cirrus.core.lease import Lease
from cirrus.core.state import State
from cirrus.errors import CirrusError, StoreError
from cirrus.flow import query
from cirrus.ports.outbox import Subscriptions
from cirrus.testing.builders import document, item
from cirrus.testing.home import FUNCTION, machine, task
from tests.unit.driving import (
    P,
    Payload,
    broken,
    echo,
    invalid,
    output,
    published,
    start,
    state,
)

BATCH = {
    "pre": task("pre-batch", Next="job"),
    "job": {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {
            "JobName": "n",
            "JobQueue": "q",
            "JobDefinition": "arn:aws:batch:local:0:job-definition/heavy:3",
            "Parameters": {"url.$": "$.url", "url_out.$": "$.url_out"},
        },
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "post"}],
        "Next": "post",
    },
    "post": {"Type": "Task", "Resource": f"{FUNCTION}post-batch", "End": True},
}


@pytest.mark.parametrize("size", [0, 500_000])
def test_batch_job_reads_and_writes_payloads_by_url(size: int) -> None:
    seen: list[Payload] = []

    def heavy(payload: Payload) -> Payload:
        seen.append(payload)
        return {**payload, "heavy": True}

    control = start({"w": machine(**BATCH)}, {"heavy": heavy}, document("a", filler="x" * size))
    control.run()
    assert state(control.home) is State.COMPLETED, query.record(control.home, P).last_error
    assert (seen[0]["filler"], output(control.home)["heavy"]) == ("x" * size, True)


@pytest.mark.parametrize(
    ("function", "expected", "message"),
    [(broken, State.FAILED, "ValueError: no bands"), (invalid, State.INVALID, "InvalidInput: never")],
)
def test_batch_job_that_fails_keeps_its_error(function: Any, expected: State, message: str) -> None:
    control = start({"w": machine(**BATCH)}, {"heavy": function})
    control.run()
    record = query.record(control.home, P)
    assert (record.state, record.last_error) == (expected, message)


class Picky:
    """Objects that can be read and never written."""

    def __init__(self, error: CirrusError) -> None:
        self.error = error

    def get(self, url: str) -> bytes:
        return encode(document("a"))

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        raise self.error

    def exists(self, url: str) -> bool:
        return True


def test_batch_output_that_cannot_be_written_fails_its_payload_and_no_other() -> None:
    job = {**BATCH["job"], "End": True}
    del job["Next"], job["Catch"]
    places = {"url": "s3://b/in.json", "url_out": "s3://b/out.json"}
    job["Parameters"] = {"JobName": "n", "JobQueue": "q", "JobDefinition": "heavy", "Parameters": places}
    control = start(
        {"w": machine(job=job), "x": machine("t")},
        {"heavy": echo, "t": echo},
        document("a"),
        document("a", process="x"),
        objects=Picky(StoreError("cannot write s3://b/out.json: Access denied")),
    )
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED
    record = query.record(control.home, P)
    assert record.state is State.FAILED
    assert "Access denied" in str(record.last_error)


def test_items_are_published_and_events_sent_with_the_end() -> None:
    control = start(
        {"w": machine("t")},
        {"t": published},
        document(item("a"), item("b")),
        subscriptions=Subscriptions(events=("events",), items=("items",)),
    )
    control.run()
    at = control.home.clock()
    (one,) = control.home.outbox.take("items", 9, owner="d", now=at, lease=Lease(at, at + 1))
    assert [found["id"] for found in json.loads(one.body)["features"]] == ["a", "b"]
    assert control.home.outbox.waiting("events")[0] == 3
