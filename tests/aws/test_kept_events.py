"""Events that a deployment on AWS keeps: what the functions write, and what the commands show."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.state import State
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.errors import ConfigError
from cirrus.flow.ended import ended, told
from cirrus.flow.explain import explain
from cirrus.variables import read_variables
from tests.aws.faults import Faults, broken
from tests.aws.scene import Scene, end_event, make_scene
from tests.aws.waiting import until

P = "scenes/workflow-w/a"
LIFE = ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "FAILED"]


@pytest.fixture
def calls() -> Faults:
    return Faults()


@pytest.fixture
def scene(calls: Faults, dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    made = make_scene(Clients(prepare=calls))
    return made.with_variables(vocabulary="COMPLETED", keep_events="86400")


def failing(scene: Scene) -> dict[str, object]:
    record = scene.where.home().state_db.get([P])[P]
    arn = scene.where.arns.execution("w", record.executions[-1])
    text = json.dumps(scene.payload(id=P))
    return end_event(scene, arn, "FAILED", input=text, error="Oops", cause="it broke")


def kept(scene: Scene, payload_id: str | None = P) -> list[str]:
    return [str(event.type) for _, event in scene.where.home().state_db.events(payload_id=payload_id)]


def test_what_functions_decide_is_kept_and_sent(scene: Scene, calls: Faults) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload(), scene.payload("b"), "no payload"), "o")
    update_state.handle(scene.where, failing(scene), "o")
    assert kept(scene) == LIFE
    (_, last) = scene.where.home().state_db.events(payload_id=P)[-1]
    assert (last.payload_id, last.error) == (P, "Oops: it broke")
    assert last.input_payload_url
    until("the feed tells of all", lambda: len(kept(scene, None)) == 6)
    assert sorted(kept(scene, None)) == sorted(scene.event_types())
    assert kept(scene, "unknown") == ["RECORD_EXTRACT_FAILED"]
    explained = explain(scene.where.home(checked=True), P)
    assert [str(one.type) for one in explained.events] == LIFE
    assert scene.where.home(checked=True).outbox.entries() == []


def test_rows_of_events_expire(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    table = scene.where.variables.outbox_table
    rows = scene.clients("dynamodb").scan(TableName=table)["Items"]
    assert rows
    assert all(86_000 < int(row["expires"]["N"]) - time.time() < 2 * 86_400 + 10 for row in rows)
    for_ever = scene.with_variables(keep_events="on")
    process.handle(for_ever.where, for_ever.sqs_event(for_ever.payload("b")), "o")
    assert any("expires" not in row for row in scene.clients("dynamodb").scan(TableName=table)["Items"])


def test_it_is_two_calls_for_a_batch_that_fits(scene: Scene, calls: Faults) -> None:
    without = scene.with_variables(keep_events=None)
    payloads = [scene.payload(f"n{n}") for n in range(10)]
    process.handle(without.where, without.sqs_event(*[scene.payload(f"x{n}") for n in range(10)]), "o")
    calls.counts.clear()
    process.handle(scene.where, scene.sqs_event(*payloads), "o")
    assert calls.counts["BatchWriteItem"] == 1


def test_event_of_an_end_whose_function_died_is_kept_by_the_sweep(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    home = scene.where.home()
    said = told(failing(scene))
    assert said is not None
    end = ended(home, said, home.clock())
    assert end is not None
    assert home.state_db.conclude([end]) == [True]  # and nothing is sent: the function is gone
    assert kept(scene) == LIFE[:2]
    sweep.handle(scene.later(100).where, 60, "s")
    assert kept(scene) == LIFE


def test_what_could_not_be_kept_now_is_kept_later(scene: Scene, calls: Faults) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    calls.plan("BatchWriteItem", broken, *range(1, 6))  # as often as the SDK tries
    update_state.handle(scene.where, failing(scene), "o")
    record = scene.where.home().state_db.get([P])[P]
    assert record.state is State.FAILED
    for minutes in (2, 4):
        sweep.handle(scene.later(minutes * 60).where, 60, "s")
    assert kept(scene) == LIFE


def test_skips_are_kept(scene: Scene) -> None:
    for _ in range(2):
        process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    assert kept(scene) == [*LIFE[:2], "ALREADY_PROCESSING"]


def test_deployment_that_keeps_none_says_so(scene: Scene) -> None:
    without = scene.with_variables(keep_events=None)
    process.handle(without.where, without.sqs_event(without.payload()), "o")
    with pytest.raises(ConfigError, match="keep_events = true"):
        kept(without)
    assert explain(without.where.home(checked=True), P).events == ()


def test_what_was_sent_stays_on_the_ledger(scene: Scene, calls: Faults) -> None:
    keeping = scene.with_variables(keep_events=None, keep_deliveries="86400")
    process.handle(keeping.where, keeping.sqs_event(keeping.payload()), "o")
    calls.counts.clear()
    update_state.handle(keeping.where, failing(keeping), "o")
    assert calls.counts["BatchWriteItem"] == 1  # with which its bundle goes, as it does anyway
    outbox = keeping.where.home(checked=True).outbox
    found = outbox.entries(payload_id=P)
    assert [(one.target, one.kind, one.state, one.attempts) for one in found] == [("events", "event", "sent", 1)] * 3
    assert [one.id for one in found] == sorted(one.id for one in found)
    assert outbox.entries(state="waiting") == []
    assert [(one.target, one.waiting, one.sent) for one in outbox.ledger()] == [("events", 0, 3)]
    assert scene.where.home(checked=True).outbox.entries() == []  # without the setting they are not shown


def test_what_is_kept_of_events_is_told_by_itself(scene: Scene) -> None:
    keeping = scene.with_variables(keep_deliveries="on")
    process.handle(keeping.where, keeping.sqs_event(keeping.payload()), "o")
    assert [one.target for one in keeping.where.home().outbox.entries()] == ["events"] * 2
    assert [one.target for one in keeping.where.home().outbox.ledger()] == ["events"]


def test_wrong_age_is_named() -> None:
    given = dict.fromkeys(("CIRRUS_STATE_DB", "CIRRUS_PAYLOAD_BUCKET", "CIRRUS_PROCESS_QUEUE_URL"), "x")
    arn = {"CIRRUS_BASE_WORKFLOW_ARN": "arn:aws:states:r:0:stateMachine:"}
    with pytest.raises(ConfigError, match="CIRRUS_KEEP_EVENTS: 'on' or a number of seconds is expected, not 'ever'"):
        read_variables({**given, **arn, "CIRRUS_KEEP_EVENTS": "ever"}, "environment")
    with pytest.raises(ConfigError, match="CIRRUS_KEEP_DELIVERIES: 'on' or a number of seconds is expected, not '0'"):
        read_variables({**given, **arn, "CIRRUS_KEEP_DELIVERIES": "0"}, "environment")
