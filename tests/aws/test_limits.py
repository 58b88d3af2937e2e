"""Limits of workflows and collections on AWS: never exceeded, whatever fails, and nothing is lost or runs twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.core.state import RUNNING
from cirrus.core.throttle import Limit, Throttle, parse_rate, read_limits, write_limits
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.flow.abort import abort
from cirrus.flow.explain import explain
from tests.aws import faults
from tests.aws.faults import Faults
from tests.aws.original.scenarios import WAIT
from tests.aws.scene import Scene, end_event, make_scene

TWO = '{"workflows":{"w":[2,null]}}'


@pytest.fixture
def plain(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients(), WAIT)


def limited(scene: Scene, limits: str = TWO) -> Scene:
    """With limits that a sweep has let hold."""
    found = scene.with_variables(limits=limits)
    sweep.handle(found.where, 60, "s")
    return found


def known(name: str, workflow: str = "w") -> str:
    return f"scenes/workflow-{workflow}/{name}"


def given(scene: Scene, *payloads: Any) -> dict[str, Any]:
    return process.handle(scene.where, scene.sqs_event(*payloads), "p")


def first_given(event: dict[str, Any], at: int) -> dict[str, Any]:
    """An event of messages that SQS gave first at this time, in milliseconds."""
    for record in event["Records"]:
        record["attributes"]["ApproximateFirstReceiveTimestamp"] = str(at)
    return event


def queued(scene: Scene) -> dict[str, Any] | None:
    """An event of what the queue has, as SQS gives it; None if it has nothing. The messages are taken off."""
    sqs, url = scene.clients("sqs"), scene.where.variables.process_queue_url
    answer = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
    )
    records = []
    for one in answer.get("Messages", []):
        told = {name: {"stringValue": value["StringValue"]} for name, value in one.get("MessageAttributes", {}).items()}
        records.append(
            {
                "messageId": one["MessageId"],
                "body": one["Body"],
                "attributes": one["Attributes"],
                "messageAttributes": told,
                "eventSource": "aws:sqs",
            }
        )
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return {"Records": records} if records else None


def work(scene: Scene) -> int:
    """Let `process` deal with the queue until it is empty; gives how many began."""
    began = 0
    while event := queued(scene):
        began += process.handle(scene.where, event, "p")["started"]
    return began


def end(scene: Scene, payload_id: str, status: str = "SUCCEEDED", earlier: tuple[str, ...] = ()) -> dict[str, Any]:
    name, workflow = payload_id.rpartition("/")[2], payload_id.split("workflow-")[1].partition("/")[0]
    text = json.dumps(scene.payload(name, workflow=workflow, id=payload_id))
    told = {"input": text, **({"output": text} if status == "SUCCEEDED" else {"error": "E", "cause": "x"})}
    arn = scene.where.arns.execution(workflow, next_execution_id(payload_id, earlier))
    return end_event(scene, arn, status, **told)


def running(scene: Scene) -> list[str]:
    rows = scene.clients("dynamodb").scan(TableName=scene.where.variables.state_db, ConsistentRead=True)["Items"]
    words = tuple(f"{state}_" for state in RUNNING)
    return sorted(row["itemids"]["S"] for row in rows if row["state_updated"]["S"].startswith(words))


def counts(scene: Scene) -> dict[str, int]:
    return {one.name: one.running for one in scene.where.slots().all()}


def drive(scene: Scene, most: int) -> Counter[str]:
    """Work and end what runs until nothing does; the limit is looked at in between. Gives how often each ran."""
    ran: Counter[str] = Counter()
    for round_ in range(60):
        work(scene.later(round_))
        now = running(scene)
        assert len(now) <= most
        if not now and not scene.where.queue().waits_for_limits():
            return ran
        for name in now:
            event = scene.sqs_event(end(scene, known(name)))
            while update_state.handle(scene.where, event, "u")["batchItemFailures"]:
                pass
            ran[name] += 1
        if not now:
            sweep.handle(scene.later(400 + round_ * 400).where, 60, "s")
    raise AssertionError(f"still waiting: {running(scene)}, {counts(scene)}")


# ---------------------------------------------------------------- what they do


def test_no_more_run_than_the_limit_and_all_do_in_their_order(plain: Scene) -> None:
    scene = limited(plain)
    assert given(scene, *map(scene.payload, "abcde"))["started"] == 2
    assert running(scene) == ["a", "b"]
    assert scene.where.queue().depth() == 3
    told = explain(scene.where.home(checked=True), known("c"))
    assert any("2 of at most 2 run: it waits for one to end" in one for one in told.queue)
    assert given(scene, scene.payload("z")) == {"batchItemFailures": [], "started": 0}
    told = scene.sqs_event(end(scene, known("a")))
    assert update_state.handle(scene.where, told, "u")["written"] == 1
    assert work(scene) == 1
    assert running(scene) == ["b", "c"]
    assert drive(scene, 2) == Counter("bcdez")
    assert counts(scene) == {"workflow w": 0}
    assert scene.state(known("z")) == "COMPLETED"


def test_what_has_no_limit_passes_and_costs_no_call_more(plain: Scene) -> None:
    plain = plain.with_variables(vocabulary="COMPLETED")
    plain.machine("free", WAIT)
    calls: list[dict[str, int]] = []
    for limits in (None, TWO):
        found = plain if limits is None else limited(plain, limits)
        meter = Faults()
        measured = replace(found, where=replace(found.where, clients=Clients(prepare=meter)))
        name = f"x{limits is None}"
        process.handle(measured.where, plain.sqs_event(plain.payload(name, workflow="free")), "p")
        event = plain.sqs_event(end(plain, known(name, "free")))
        assert update_state.handle(measured.where, event, "u")["written"] == 1
        calls.append(dict(meter.counts))
    assert calls[0] == calls[1]


@pytest.mark.parametrize("how", ["FAILED", "ABORTED", "abort", "not started"])
def test_every_end_gives_its_place_back(plain: Scene, how: str) -> None:
    scene = limited(plain, '{"workflows":{"w":[1,null],"none":[1,null]}}')
    if how == "not started":
        assert given(scene, scene.payload("a", workflow="none"), scene.payload("b", workflow="none"))["started"] == 0
        work(scene)
        assert counts(scene) == {"workflow none": 0}
        assert [scene.state(known(name, "none")) for name in "ab"] == ["FAILED", "FAILED"]
        return
    given(scene, scene.payload("a"), scene.payload("b"))
    assert counts(scene) == {"workflow w": 1}
    if how == "abort":
        abort(scene.where.home(checked=True), known("a"))
        sweep.handle(scene.where, 60, "s")
    else:
        update_state.handle(scene.where, end(scene, known("a"), how), "u")
    assert work(scene) == 1
    assert (running(scene), counts(scene)) == (["b"], {"workflow w": 1})


def test_two_limits_at_once(plain: Scene) -> None:
    scene = limited(plain, '{"workflows":{"w":[3,null]},"collections":{"*":[2,null]}}')
    assert given(scene, *map(scene.payload, "abc"))["started"] == 2
    others = [scene.payload(name, collections="more") | {"id": f"more/workflow-w/{name}"} for name in "de"]
    assert given(scene, *others)["started"] == 1
    assert counts(scene) == {"workflow w": 3, "collections scenes": 2, "collections more": 1}
    update_state.handle(scene.where, end(scene, known("a")), "u")
    assert work(scene) == 1
    assert counts(scene)["workflow w"] == 3


def test_rates_let_no_more_begin_than_they_say(plain: Scene) -> None:
    scene = limited(plain, '{"workflows":{"w":[null,"6/m"]}}')
    began = given(scene, *map(scene.payload, "abcdefgh"))["started"]
    assert began == 1
    for step in range(1, 7):
        at = scene.later(10.5 * step)
        sweep.handle(at.where, 60, "s")
        began += work(at)
        assert began <= 1 + 10.5 * step / 10
    assert began == 7


def test_what_waits_is_not_lost_with_the_messages_that_were_queued_again(plain: Scene) -> None:
    scene = limited(plain)
    given(scene, *map(scene.payload, "abc"))
    update_state.handle(scene.where, end(scene, known("a")), "u")
    assert queued(scene) is not None  # and whoever took it died
    sweep.handle(scene.where, 60, "s")
    assert (work(scene), running(scene)) == (0, ["b"])
    sweep.handle(scene.later(310).where, 60, "s")
    assert (work(scene), running(scene)) == (1, ["b", "c"])


def test_a_turn_that_comes_twice_runs_nothing_twice(plain: Scene) -> None:
    scene = limited(plain)
    again = scene.payload("c", workflow=[{"workflow": "w", "replace": True}])
    given(scene, *map(scene.payload, "ab"), again)
    update_state.handle(scene.where, end(scene, known("a")), "u")
    event = queued(scene)
    assert event is not None
    assert process.handle(scene.where, event, "p")["started"] == 1
    update_state.handle(scene.where, end(scene, known("c")), "u")
    assert process.handle(scene.where, event, "p")["started"] == 0
    assert len(scene.where.home().state_db.get([known("c")])[known("c")].executions) == 1


def test_a_message_whose_function_died_after_it_waited_runs_nothing_twice(plain: Scene) -> None:
    """It waits, its turn comes and it runs; then SQS gives it again, as nobody had told that it was dealt with."""
    scene = limited(plain)
    again = scene.payload("c", workflow=[{"workflow": "w", "replace": True}])
    given(scene, *map(scene.payload, "ab"))
    process.handle(scene.where, scene.sqs_event(again), "p")
    update_state.handle(scene.where, end(scene, known("a")), "u")
    assert work(scene) == 1
    update_state.handle(scene.where, end(scene, known("c")), "u")
    assert process.handle(scene.where, scene.sqs_event(again, attempts=2), "p")["started"] == 0
    other = {**again, "note": "another message of the same payload runs"}
    event = scene.sqs_event(other)
    event["Records"][0]["messageId"] = "other"
    assert process.handle(scene.where, event, "p")["started"] == 1


def test_a_message_that_comes_again_after_it_waits_keeps_one_place(plain: Scene) -> None:
    scene = limited(plain)
    since = scene.where.clock() // 1000
    given(scene, *map(scene.payload, "ab"))
    for attempt in (1, 2):
        event = first_given(scene.sqs_event(scene.payload("c"), attempts=attempt), since)
        process.handle(scene.where, event, "p")
    assert scene.where.queue().depth() == 1


# ---------------------------------------------------------------- limits that come and go


def test_a_limit_that_is_added_counts_what_runs(plain: Scene) -> None:
    given(plain, *map(plain.payload, "abc"))
    scene = plain.with_variables(limits=TWO)
    assert given(scene, scene.payload("d"))["started"] == 0  # nothing begins before what runs was counted
    assert sweep.handle(scene.where, 60, "s")["counted"] == 3
    assert counts(scene) == {"workflow w": 3}
    assert work(scene) == 0
    assert drive(scene, 3) == Counter("abcd")
    assert counts(scene) == {"workflow w": 0}


def test_a_limit_that_is_gone_holds_nothing_back(plain: Scene) -> None:
    scene = limited(plain)
    given(scene, *map(scene.payload, "abcd"))
    sweep.handle(plain.where, 60, "s")
    assert work(plain) == 2
    for name in "abcd":
        assert update_state.handle(plain.where, end(plain, known(name)), "u")["written"] == 1
    assert counts(scene) == {"workflow w": 0}


def test_a_count_that_is_wrong_is_set_right(plain: Scene) -> None:
    scene = limited(plain)
    given(scene, *map(scene.payload, "abc"))
    for name in "ab":  # by hand, as nobody should
        key = {"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": name}}
        scene.clients("dynamodb").delete_item(TableName=scene.where.variables.state_db, Key=key)
    assert sweep.handle(scene.later(30).where, 60, "s")["counted"] == 0
    assert sweep.handle(scene.later(90).where, 60, "s")["counted"] == 1
    assert work(scene.later(90)) == 1
    assert counts(scene) == {"workflow w": 1}


def test_limits_as_a_variable() -> None:
    throttle = Throttle({"w": Limit(3, parse_rate("5/s"))}, {"*": Limit(None, parse_rate("600/m"))})
    assert read_limits(write_limits(throttle)) == throttle
    assert write_limits(Throttle()) == ""
    assert not read_limits("")
    with pytest.raises(ValueError, match="are no limits"):
        read_limits('{"workflows": [3]}')


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("call", "befall"),
    [
        ("ExecuteTransaction", faults.throttled),
        ("ExecuteTransaction", faults.lost),
        ("ExecuteTransaction", faults.conflicting),
        ("TransactWriteItems", faults.conflicting),
        ("TransactWriteItems", faults.lost),
        ("BatchExecuteStatement", faults.lost),
        ("BatchWriteItem", faults.lost),
        ("BatchGetItem", faults.throttled),
        ("SendMessageBatch", faults.lost),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("patient", [True, False])
def test_nothing_is_lost_doubled_or_over_the_limit(
    plain: Scene, call: str, befall: Any, number: int, patient: bool
) -> None:
    """The client tries again, or the function dies with the call and its messages come again."""
    scene = limited(plain)
    plan = Faults()
    clients = Clients(prepare=plan) if patient else Clients(prepare=plan, attempts=1)
    troubled = replace(scene, where=replace(scene.where, clients=clients))
    plan.plan(call, befall, number)
    since = scene.where.clock() // 1000
    for attempt in range(1, 4):
        event = first_given(scene.sqs_event(*map(scene.payload, "abcde"), attempts=attempt), since)
        at = troubled.later(200 * (attempt - 1))
        left = {one["itemIdentifier"] for one in process.handle(at.where, event, "p")["batchItemFailures"]}
        if not left:
            break
    assert drive(troubled, 2) == Counter("abcde")
    assert counts(scene) == {"workflow w": 0}
    for name in "abcde":
        assert len(scene.where.home().state_db.get([known(name)])[known(name)].executions) == 1


def test_many_at_once_stay_within_the_limit(plain: Scene) -> None:
    scene = limited(plain, '{"workflows":{"w":[7,null]}}')
    names = [f"n{n}" for n in range(40)]

    def begin(start: int) -> int:
        where = replace(scene.where, clients=Clients())
        event = scene.sqs_event(*map(scene.payload, names[start : start + 5]))
        return int(process.handle(where, event, "p")["started"])

    with ThreadPoolExecutor(8) as pool:
        began = sum(pool.map(begin, range(0, 40, 5)))
    assert began == len(running(scene)) == counts(scene)["workflow w"] == 7
    assert scene.where.queue().depth() == 33
