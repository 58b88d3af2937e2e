from __future__ import annotations

import json

import pytest

from cirrus.core.event import UNKNOWN, EventType, WorkflowEvent
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.testing.builders import AT

P = "scenes/more/workflow-w/x"


def test_types_of_the_specification_and_one_more() -> None:
    assert set(EventType) == {
        *("CLAIMED_PROCESSING", "STARTED_PROCESSING", "ALREADY_PROCESSING", "ALREADY_CLAIMED", "ALREADY_COMPLETED"),
        *("ALREADY_INVALID", "DUPLICATE_ID_ENCOUNTERED", "SUCCEEDED", "FAILED", "TIMED_OUT", "INVALID", "ABORTED"),
        *("RECORD_EXTRACT_FAILED", "NOT_A_PROCESS_PAYLOAD", "CHAIN_ENDED"),
        "WRITE_REFUSED",
    }


def test_body_leaves_out_what_is_absent() -> None:
    body = WorkflowEvent(EventType.ALREADY_CLAIMED, P, AT).body()
    assert body == {
        "event_type": "ALREADY_CLAIMED",
        "payload_id": P,
        "isotimestamp": "2027-01-15T08:00:00.000000+00:00",
    }


def test_body_holds_everything() -> None:
    event = WorkflowEvent(EventType.SUCCEEDED, P, AT, "file:///i", "file:///o", "arn:x", "why")
    body = json.loads(json.dumps(event.body()))
    assert list(body) == [
        *("event_type", "payload_id", "isotimestamp", "input_payload_url", "output_payload_url", "execution", "error")
    ]
    assert (body["input_payload_url"], body["output_payload_url"]) == ("file:///i", "file:///o")
    assert (body["execution"], body["error"]) == ("arn:x", "why")


@pytest.mark.parametrize(
    ("event", "attributes"),
    [
        (
            WorkflowEvent(EventType.FAILED, P, AT, error="Bad: x"),
            {"event_type": "FAILED", "workflow": "w", "collections": "scenes/more", "error": "Bad: x"},
        ),
        (
            WorkflowEvent(EventType.SUCCEEDED, P, AT),
            {"event_type": "SUCCEEDED", "workflow": "w", "collections": "scenes/more"},
        ),
        (WorkflowEvent(EventType.RECORD_EXTRACT_FAILED, UNKNOWN, AT), {"event_type": "RECORD_EXTRACT_FAILED"}),
        (WorkflowEvent(EventType.NOT_A_PROCESS_PAYLOAD, "a/b", AT, error=""), {"event_type": "NOT_A_PROCESS_PAYLOAD"}),
    ],
)
def test_attributes(event: WorkflowEvent, attributes: dict[str, str]) -> None:
    assert event.attributes() == attributes


def test_record_as_operators_see_it() -> None:
    record = Record(P, State.FAILED, AT, AT + 1, AT, ("e1", "e2"), "Bad: x", ("s3://b/i.json",))
    assert record.to_json() == {
        "payload_id": P,
        "collections_workflow": "scenes/more_w",
        "itemids": "x",
        "state": "FAILED",
        "created": "2027-01-15T08:00:00.000000+00:00",
        "updated": "2027-01-15T08:00:00.000001+00:00",
        "claimed_at": "2027-01-15T08:00:00.000000+00:00",
        "state_updated": "FAILED_2027-01-15T08:00:00.000001+00:00",
        "executions": ["e1", "e2"],
        "last_error": "Bad: x",
        "outputs": ["s3://b/i.json"],
    }
    assert record.execution_id == "e2"


def test_record_leaves_out_what_is_absent() -> None:
    bare = Record(P, State.CLAIMED, AT, AT)
    assert not bare.to_json().keys() & {"claimed_at", "last_error"}
    assert bare.execution_id is None
