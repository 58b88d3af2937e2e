from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.errors import StoreError
from cirrus.flow.home import Home
from cirrus.flow.process import Begun
from tests.aws.scene import Scene, end_event, make_scene

P = "scenes/workflow-w/a"


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients())


def arn_of(scene: Scene, payload_id: str = P, workflow: str = "w", earlier: tuple[str, ...] = ()) -> str:
    return scene.where.arns.execution(workflow, next_execution_id(payload_id, earlier))


def end(
    scene: Scene, status: str = "SUCCEEDED", payload: Any = None, arn: str | None = None, **detail: Any
) -> dict[str, Any]:
    given = json.dumps(payload or scene.payload(id=P))
    told = {"input": given, **({"output": given} if status == "SUCCEEDED" else {}), **detail}
    return end_event(scene, arn or arn_of(scene), status, **told)


def claimed(home: Home) -> list[Begun]:
    """What a call has claimed when it dies, before it starts it."""
    queue: Any = home.queue  # that of a function, which was given its messages
    return process.process(home, queue.given, None, home.clock())


# ---------------------------------------------------------------- process


def test_payload_is_claimed_kept_started_and_told(scene: Scene) -> None:
    answer = process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    assert answer == {"batchItemFailures": [], "started": 1}
    assert scene.state(P) == "PROCESSING"
    assert scene.event_types() == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]
    found = scene.clients("stepfunctions").describe_execution(executionArn=arn_of(scene))
    assert json.loads(found["input"])["id"] == P
    body = scene.clients("s3").get_object(
        Bucket=scene.where.variables.payload_bucket,
        Key=f"{scene.root}/executions/{P}/{next_execution_id(P, ())}/input.json",
    )["Body"]
    assert json.loads(body.read())["id"] == P


def test_events_have_their_attributes_and_a_link(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    body, attributes = scene.told()[0]
    assert attributes == {"event_type": "CLAIMED_PROCESSING", "workflow": "w", "collections": "scenes"}
    assert body["execution"].startswith("https://eu-central-1.console.aws.amazon.com/states/home?region=eu-central-1#/")
    assert body["input_payload_url"].startswith(f"s3://payloads/{scene.root}/executions/")


def test_bad_messages_fail_alone_and_go_to_quarantine(scene: Scene) -> None:
    bodies = ["{no json", {"features": []}, {"url": "s3://nowhere/x.json"}, scene.payload()]
    answer = process.handle(scene.where, scene.sqs_event(*bodies), "o")
    assert answer["started"] == 1
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m2"]
    kept = scene.where.queue().quarantined()
    assert sorted(one.body for one in kept) == [b'{"features": []}', b"{no json"]
    assert sorted(scene.event_types())[2:] == ["RECORD_EXTRACT_FAILED", "STARTED_PROCESSING"]


def test_url_that_leads_nowhere_ends_in_quarantine(scene: Scene) -> None:
    url = f"s3://{scene.where.variables.payload_bucket}/{scene.root}/tmp/oversized/none.json"
    answer = process.handle(scene.where, scene.sqs_event({"url": url}), "o")
    assert answer == {"batchItemFailures": [], "started": 0}
    assert scene.event_types() == ["RECORD_EXTRACT_FAILED"]


def test_declared_parameters_are_checked_wherever_a_payload_comes_from(scene: Scene) -> None:
    machine = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "arn:aws:lambda:local:0:function:cut"}}}
    schema = {"type": "object", "properties": {"size": {"type": "integer"}}, "additionalProperties": False}
    declared = {"workflows": {"w": json.dumps(machine)}, "tasks": {"cut": {"key": "cut", "schema": schema}}}
    where = replace(scene.where, declared=declared)
    wrong = scene.payload("wrong", workflow=[{"workflow": "w", "tasks": {"cut": {"sise": 3}}}])
    good = scene.payload("good", workflow=[{"workflow": "w", "tasks": {"cut": {"size": 3}}}])
    assert process.handle(where, scene.sqs_event(wrong, good, scene.payload(workflow="x")), "o")["started"] == 1
    (kept,) = where.queue().quarantined()
    assert "process[0].tasks.cut.sise: is unknown; did you mean 'size'?" in kept.reason
    assert scene.state("scenes/workflow-w/good") == "PROCESSING"
    assert scene.state("scenes/workflow-w/wrong") is None
    assert "NOT_A_PROCESS_PAYLOAD" in scene.event_types()


@pytest.mark.parametrize("wrap", ["plain", "sns", "sqs of sns", "direct", "batch", "url"])
def test_payloads_come_in_many_ways(scene: Scene, wrap: str) -> None:
    text = json.dumps(scene.payload())
    url = scene.where.payloads().put(f"{scene.root}/tmp/oversized/1.json", text.encode())
    envelope = json.dumps({"Type": "Notification", "TopicArn": "arn:t", "Message": text})
    events: dict[str, Any] = {
        "plain": scene.sqs_event(text),
        "sns": {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]},
        "sqs of sns": scene.sqs_event(envelope),
        "direct": json.loads(text),
        "batch": scene.sqs_event({"JobName": "j", "Parameters": {"url": "s3://b/x", "url_out": url}}),
        "url": scene.sqs_event({"url": url}),
    }
    assert process.handle(scene.where, events[wrap], "o")["started"] == 1
    assert scene.state(P) == "PROCESSING"


def test_what_is_running_or_done_is_skipped_with_its_last_execution(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    scene.told()
    process.handle(scene.where, scene.sqs_event(scene.payload(), scene.payload()), "o")
    told = [body for body, _ in scene.told()]
    assert sorted(body["event_type"] for body in told) == ["ALREADY_PROCESSING", "DUPLICATE_ID_ENCOUNTERED"]
    skipped = next(body for body in told if body["event_type"] == "ALREADY_PROCESSING")
    assert skipped["execution"].endswith(next_execution_id(P, ()))


def in_sqs(scene: Scene, payload: Any, *, again: bool, other: bool = False) -> dict[str, Any]:
    return scene.sqs_event(payload, attempts=1 + again, name="other" if other else "m")


def in_sns(_: Scene, payload: Any, *, again: bool, other: bool = False) -> dict[str, Any]:
    told = {"MessageId": "other" if other else "95df01b4", "Message": json.dumps(payload)}
    return {"Records": [{"EventSource": "aws:sns", "Sns": told}]}


def in_a_call(_: Scene, payload: Any, *, again: bool, other: bool = False) -> dict[str, Any]:
    return dict(payload)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("way", [in_sqs, in_sns, in_a_call])
def test_message_whose_function_died_late_runs_nothing_twice_and_is_told_of(
    scene: Scene, ended: bool, way: Callable[..., dict[str, Any]]
) -> None:
    """It was claimed and started; then its function died, before it had sent its events or answered."""
    payload = scene.payload(workflow=[{"workflow": "w", "replace": True}])
    home = scene.where.home(event=way(scene, payload, again=False), call="o")
    process.start(home, claimed(home), home.clock())
    assert scene.told() == []
    if ended:
        update_state.handle(scene.where, end(scene), "o")
        scene.told()
    answer = process.handle(scene.where, way(scene, payload, again=True), "o")  # Lambda names the call as before
    assert answer == {"batchItemFailures": [], "started": 0}
    assert scene.event_types() == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]
    assert len(scene.where.home().state_db.get([P])[P].executions) == 1
    other = way(scene, payload, again=True, other=True)
    assert process.handle(scene.where, other, "other")["started"] == int(ended)
    assert scene.event_types() == (["CLAIMED_PROCESSING", "STARTED_PROCESSING"] if ended else ["ALREADY_PROCESSING"])


@pytest.mark.parametrize("way", [in_sns, in_a_call])
def test_claim_whose_function_died_early_is_taken_up_when_the_call_is_made_again(
    scene: Scene, way: Callable[..., dict[str, Any]]
) -> None:
    """It was claimed and not started; Lambda makes the call again, for as long as it fails."""
    event = way(scene, scene.payload(), again=True)
    home = scene.where.home(event=event, call="o")
    claimed(home)
    with pytest.raises(StoreError, match="try again"):
        process.handle(scene.where, event, "o")
    assert scene.event_types() == []
    assert process.handle(scene.later(121).where, event, "o")["started"] == 1
    assert scene.event_types() == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]
    assert scene.state(P) == "PROCESSING"


def test_missing_state_machine_ends_the_payload_and_says_so(scene: Scene) -> None:
    answer = process.handle(scene.where, scene.sqs_event(scene.payload(workflow="none")), "o")
    assert answer == {"batchItemFailures": [], "started": 0}
    record = scene.where.home().state_db.get(["scenes/workflow-none/a"])["scenes/workflow-none/a"]
    assert record.state == "FAILED"
    assert "no state machine" in (record.last_error or "")
    assert "FAILED" in scene.event_types()


def test_large_payload_travels_by_url(scene: Scene) -> None:
    payload = scene.payload(more="x" * 300_000)
    url = scene.where.payloads().put(f"{scene.root}/tmp/oversized/1.json", json.dumps(payload).encode())
    process.handle(scene.where, scene.sqs_event({"url": url}), "o")
    found = scene.clients("stepfunctions").describe_execution(executionArn=arn_of(scene))
    assert json.loads(found["input"])["url"].endswith("/input.json")
    event = end_event(scene, arn_of(scene), "SUCCEEDED", input=found["input"], output=found["input"])
    assert update_state.handle(scene.where, event, "o")["written"] == 1
    assert scene.state(P) == "COMPLETED"
    record = scene.where.home().state_db.get([P])[P]
    output = scene.where.payloads().get(
        scene.where.payloads().url(f"{scene.root}/executions/{P}/{record.execution_id}/output.json")
    )
    assert json.loads(output)["more"] == payload["more"]


def test_v2_words_are_kept(scene: Scene) -> None:
    v2 = scene.with_variables(vocabulary="SUCCEEDED")
    process.handle(v2.where, scene.sqs_event(scene.payload()), "o")
    update_state.handle(v2.where, end(scene), "o")
    row = scene.clients("dynamodb").get_item(
        TableName=v2.where.variables.state_db,
        Key={"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": "a"}},
    )["Item"]
    assert row["state_updated"]["S"].startswith("SUCCEEDED_")
    assert row["executions"]["L"][0]["S"] == arn_of(scene)
    scene.told()
    process.handle(v2.where, scene.sqs_event(scene.payload()), "o")
    assert scene.event_types() == ["ALREADY_SUCCEEDED"]


def old_row(scene: Scene, name: str, word: str, stamp: str, group: str = "scenes_w") -> None:
    row = {"collections_workflow": group, "itemids": name, "state_updated": f"{word}_{stamp}", "updated": stamp}
    table = scene.where.variables.state_db
    scene.clients("dynamodb").put_item(TableName=table, Item={key: {"S": value} for key, value in row.items()})


@pytest.mark.parametrize(
    ("words", "expected"), [((), "COMPLETED"), (("SUCCEEDED",), "SUCCEEDED"), (("SUCCEEDED", "COMPLETED"), "COMPLETED")]
)
def test_word_for_a_good_end_is_the_last_that_the_table_holds(
    scene: Scene, words: tuple[str, ...], expected: str
) -> None:
    old_row(scene, "failed", "FAILED", "2024-01-01T00:00:00+00:00", "a_w")
    for n, word in enumerate(words):
        old_row(scene, word, word, f"2024-01-0{n + 1}T00:00:00+00:00")
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    update_state.handle(scene.where, end(scene), "o")
    key = {"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": "a"}}
    row = scene.clients("dynamodb").get_item(TableName=scene.where.variables.state_db, Key=key)["Item"]
    assert row["state_updated"]["S"].startswith(f"{expected}_")


def test_ends_say_when_their_records_expire(scene: Scene) -> None:
    ages = scene.with_variables(record_ages="FAILED=7776000")
    process.handle(ages.where, scene.sqs_event(scene.payload()), "o")
    update_state.handle(ages.where, end(scene, "FAILED", error="E", cause="x"), "o")
    key = {"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": "a"}}
    read = partial(scene.clients("dynamodb").get_item, TableName=scene.where.variables.state_db, Key=key)
    expires = int(read()["Item"]["expires"]["N"])
    assert 7_776_000 - 60 <= expires - time.time() <= 7_776_000
    process.handle(ages.where, scene.sqs_event(scene.payload()), "o")
    assert "expires" not in read()["Item"]


# ---------------------------------------------------------------- ends


def test_good_end_is_recorded_published_and_chained(scene: Scene) -> None:
    chained = [{"workflow": "w"}, {"workflow": "next"}]
    payload = scene.payload(workflow=chained)
    process.handle(scene.where, scene.sqs_event(payload), "o")
    scene.told()
    payload = {**payload, "id": P}
    payload["features"][0]["links"] = [{"rel": "self", "href": "s3://out/a.json"}]
    assert update_state.handle(scene.where, end(scene, payload=payload), "o") == {"batchItemFailures": [], "written": 1}
    record = scene.where.home().state_db.get([P])[P]
    assert (record.state, record.outputs, record.output_collections) == ("COMPLETED", ("s3://out/a.json",), ("scenes",))
    told = scene.told()
    assert [body.get("event_type") or body["id"] for body, _ in sorted(told, key=lambda one: "id" in one[0])] == [
        "SUCCEEDED",
        "a",
    ]
    attributes = next(given for body, given in told if "id" in body)
    assert attributes["bbox.ll_lon"] == "7.0"
    assert attributes["collection"] == "scenes"
    assert len(attributes) <= 10
    (queued,) = scene.where.queue().take(10, owner="o", now=0, until=30_000_000)
    assert json.loads(queued.body)["process"] == [{"workflow": "next"}]
    assert scene.where.home().outbox.entries() == []


@pytest.mark.parametrize(
    "error", ["InvalidInput", "stactask.exceptions.InvalidInput", "cirrus.lib.errors.InvalidInput"]
)
def test_invalid_input_by_any_of_its_names(scene: Scene, error: str) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    cause = json.dumps({"errorType": error, "errorMessage": "bad scene"})
    update_state.handle(scene.where, end(scene, "FAILED", error=error, cause=cause), "o")
    assert scene.state(P) == "INVALID"
    assert scene.event_types()[-1] == "INVALID"


def test_late_and_second_ends_change_and_send_nothing(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    update_state.handle(scene.where, end(scene, "FAILED", error="E", cause="first"), "o")
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    before = scene.where.home().state_db.get([P])
    assert len(before[P].executions) == 2
    scene.told()
    for late in (end(scene), end(scene, "FAILED", error="E", cause="again"), end(scene, "ABORTED")):
        assert update_state.handle(scene.where, late, "o")["written"] == 0
    assert scene.where.home().state_db.get([P]) == before
    assert scene.told() == []
    assert scene.where.home().queue.depth() == 0


def test_end_before_processing_was_written_is_kept(scene: Scene) -> None:
    home = scene.where.home(event=scene.sqs_event(scene.payload()))
    claimed(home)
    assert scene.state(P) == "CLAIMED"
    update_state.handle(scene.where, end(scene), "o")
    assert scene.state(P) == "COMPLETED"
    process.start(home, [process_begun(scene)], home.clock())
    assert scene.state(P) == "COMPLETED"


def process_begun(scene: Scene) -> Any:
    from cirrus.flow.process import Begun

    return Begun(next_execution_id(P, ()), P, "w", json.dumps(scene.payload(id=P)).encode(), b"")


def test_event_without_bodies_is_read_from_step_functions(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    scene.wait(arn_of(scene))
    lean = end_event(scene, arn_of(scene), inputDetails={"included": False}, outputDetails={"included": False})
    assert update_state.handle(scene.where, lean, "o")["written"] == 1
    assert scene.state(P) == "COMPLETED"
    assert any(body.get("id") == "a" for body, _ in scene.told())


def test_events_by_way_of_sqs_fail_alone(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload(), scene.payload("b")), "o")
    other = "scenes/workflow-w/b"
    good = end(scene, payload=scene.payload("b", id=other), arn=arn_of(scene, other))
    stray = end_event(scene, arn_of(scene, "x"), input='{"no": "payload"}', output="{}")
    event = scene.sqs_event(good, "{not json", end(scene), end(scene), stray)
    assert update_state.handle(scene.where, event, "o") == {"batchItemFailures": [], "written": 2}
    assert (scene.state(P), scene.state(other)) == ("COMPLETED", "COMPLETED")


def test_running_events_are_left_alone(scene: Scene) -> None:
    assert update_state.handle(scene.where, end(scene, "RUNNING"), "o")["written"] == 0


# ---------------------------------------------------------------- sweeping


def test_sweep_starts_a_claim_that_was_dropped(scene: Scene) -> None:
    home = scene.where.home(event=scene.sqs_event(scene.payload()))
    claimed(home)
    assert sweep.handle(scene.where, 60, "s")["started"] == 0
    assert sweep.handle(scene.later(130).where, 60, "s")["started"] == 1
    assert scene.state(P) == "PROCESSING"
    assert scene.event_types() == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]


def test_message_that_comes_back_waits_for_the_lease_and_resumes(scene: Scene) -> None:
    home = scene.where.home(event=scene.sqs_event(scene.payload()))
    claimed(home)
    again = scene.sqs_event(scene.payload(), attempts=2)
    assert process.handle(scene.where, again, "o")["batchItemFailures"] == [{"itemIdentifier": "m0"}]
    assert process.handle(scene.later(130).where, again, "o") == {"batchItemFailures": [], "started": 1}
    assert scene.where.home().state_db.get([P])[P].executions == (next_execution_id(P, ()),)


def test_sweep_finds_the_end_of_which_nothing_was_heard(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    scene.told()
    scene.wait(arn_of(scene))
    assert sweep.handle(scene.later(300).where, 60, "s")["looked"] == 0
    swept = sweep.handle(scene.later(630).where, 60, "s")
    assert (swept["looked"], swept["ended"]) == (1, 1)
    assert scene.state(P) == "COMPLETED"
    assert "SUCCEEDED" in scene.event_types()


def test_sweep_sends_what_a_function_left(scene: Scene) -> None:
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")
    scene.told()
    home = scene.where.home()
    from cirrus.flow.ended import ended, told

    said = told(end(scene))
    assert said is not None
    conclusion = ended(home, said, home.clock())
    assert conclusion is not None
    home.state_db.conclude([conclusion])
    assert scene.told() == []
    assert sweep.handle(scene.where, 60, "s")["sent"] == {"queue": 0, "events": 0, "items": 0}
    assert sweep.handle(scene.later(100).where, 60, "s")["sent"] == {"queue": 0, "events": 1, "items": 1}
    assert len(scene.told()) == 2
    assert sweep.handle(scene.later(200).where, 60, "s")["sent"] == {"queue": 0, "events": 0, "items": 0}


def test_direct_failure_raises_so_that_the_caller_tries_again(scene: Scene) -> None:
    with pytest.raises(StoreError):
        process.handle(scene.where, {"url": "s3://nowhere-at-all/x.json"}, "o")
