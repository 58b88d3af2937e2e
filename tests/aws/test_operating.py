"""Campaigns and pauses on AWS: what an operator does, and what the functions make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.campaign import CampaignState, Options
from cirrus.core.execution_id import next_execution_id
from cirrus.core.state import State
from cirrus.core.throttle import Pause
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.errors import ConfigError
from cirrus.flow import campaign, items, lineage
from cirrus.ports.query import Query
from tests.aws.scene import Scene, end_event, make_scene

FAILED = Query(states=(State.FAILED,))


@pytest.fixture
def scene(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients())


def id_of(name: str) -> str:
    return f"scenes/workflow-w/{name}"


def run(scene: Scene, *names: str, status: str = "FAILED") -> None:
    """Let payloads run and end."""
    process.handle(scene.where, scene.sqs_event(*map(scene.payload, names)), "o")
    for name in names:
        end(scene, name, status)


def end(scene: Scene, name: str, status: str = "SUCCEEDED") -> None:
    record = scene.where.home().state_db.get([id_of(name)])[id_of(name)]
    text = json.dumps(scene.payload(name, id=id_of(name)))
    told = {"output": text} if status == "SUCCEEDED" else {"error": "Oops", "cause": "it broke"}
    arn = scene.where.arns.execution("w", record.executions[-1])
    update_state.handle(scene.where, end_event(scene, arn, status, input=text, **told), "o")


def queued(scene: Scene) -> list[Any]:
    """The event with which SQS gives what is queued; the messages stay hidden in the queue."""
    url = scene.where.variables.process_queue_url
    found: list[Any] = []
    while (
        answer := scene.clients("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, MessageAttributeNames=["All"])
        .get("Messages")
    ):
        for one in answer:
            scene.clients("sqs").delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
            told = one.get("MessageAttributes", {})
            found.append(
                {
                    "messageId": one["MessageId"],
                    "body": one["Body"],
                    "eventSource": "aws:sqs",
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "messageAttributes": {name: {"stringValue": value["StringValue"]} for name, value in told.items()},
                }
            )
    return found


def states(scene: Scene, *names: str) -> list[str]:
    found = scene.where.home().state_db.get([id_of(name) for name in names])
    return [str(found[id_of(name)].state) if id_of(name) in found else "-" for name in names]


# ---------------------------------------------------------------- campaigns


def test_campaign_reruns_what_failed_and_reports(scene: Scene) -> None:
    run(scene, "a", "b", "c")
    home = scene.where.home(checked=True)
    options = Options(parameters={"cut": {"size": 3}}, canary=1)
    assert campaign.start(home, FAILED, options, name="again").campaign.total == 3
    assert sweep.handle(scene.where, 60, "s")["fed"] == 1  # the canary
    (first,) = queued(scene)
    body = json.loads(first["body"])
    assert body["process"] == [{"workflow": "w", "replace": True, "tasks": {"cut": {"size": 3}}}]
    assert sweep.handle(scene.where, 60, "s")["fed"] == 0
    process.handle(scene.where, {"Records": [first]}, "o")
    name = body["id"].rpartition("/")[2]
    end(scene, name)
    assert sweep.handle(scene.where, 60, "s")["fed"] == 2
    rest = queued(scene)
    process.handle(scene.where, {"Records": rest}, "o")
    others = [one for one in "abc" if one != name]
    end(scene, others[0])
    end(scene, others[1], "FAILED")
    sweep.handle(scene.where, 60, "s")
    sweep.handle(scene.where, 60, "s")
    report = campaign.report(home, "again")
    assert report.campaign.state is CampaignState.DONE
    assert report.counts == {"COMPLETED": 2, "FAILED": 1}
    (failing,) = report.failing
    assert failing.kind is not None
    assert (failing.count, failing.kind.message) == (1, "Oops: it broke")
    assert home.outbox.entries() == []


def test_member_that_the_queue_gives_twice_runs_once(scene: Scene) -> None:
    run(scene, "a")
    home = scene.where.home(checked=True)
    campaign.start(home, FAILED, Options(), name="again")
    sweep.handle(scene.where, 60, "s")
    (message,) = queued(scene)
    for _ in range(2):
        process.handle(scene.where, {"Records": [message]}, "o")
        end(scene, "a")
        assert process.handle(scene.where, {"Records": [message]}, "o")["started"] == 0
    assert len(home.state_db.get([id_of("a")])[id_of("a")].executions) == 2
    assert "DUPLICATE_ID_ENCOUNTERED" in scene.event_types()


def test_members_are_sent_by_the_next_sweep_where_this_one_dies(scene: Scene) -> None:
    run(scene, "a", "b")
    campaign.start(scene.where.home(checked=True), FAILED, Options(), name="again")
    home = scene.where.home()
    campaign.feed(home, home.clock())  # and nothing is sent: the function is gone
    assert queued(scene) == []
    sweep.handle(scene.later(100).where, 60, "s")
    assert len(queued(scene)) == 2


def test_member_of_which_nothing_comes_is_told(scene: Scene) -> None:
    run(scene, "a")
    home = scene.where.home(checked=True)
    campaign.start(home, FAILED, Options(), name="again")
    sweep.handle(scene.where, 60, "s")
    assert len(queued(scene)) == 1  # lost, as a message that went to the dead letter queue is
    sweep.handle(scene.later(400).where, 60, "s")
    assert campaign.report(home, "again").counts == {"refused": 1}


def test_two_that_feed_at_once_queue_each_member_once(scene: Scene) -> None:
    run(scene, "a", "b", "c")
    campaign.start(scene.where.home(checked=True), FAILED, Options(), name="again")
    one, other = scene.where.home(), scene.where.home()
    members = one.campaigns.waiting("again", 9)
    messages = [(member.number, campaign.Message(b"{}", member.payload_id)) for member in members]
    one.campaigns.release("again", messages, 1, 1)
    other.campaigns.release("again", messages, 1, 1)
    assert one.campaigns.counts("again") == {"running": 3}
    assert len(one.outbox.entries(target="queue")) == 3


# ---------------------------------------------------------------- Items


def test_where_items_come_from_and_go_to(scene: Scene) -> None:
    keeps, known = scene.with_variables(lineage="on"), "scenes/workflow-make/raw"
    made = keeps.payload("cog", "make", id=known)
    keeps.machine("make", {"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": made, "End": True}}})
    process.handle(keeps.where, keeps.sqs_event(keeps.payload("raw", "make")), "o")
    arn = keeps.where.arns.execution("make", next_execution_id(known, ()))
    keeps.wait(arn)
    given = keeps.payload("raw", "make", id=known)
    event = end_event(keeps, arn, input=json.dumps(given), output=json.dumps(made))
    update_state.handle(keeps.where, event, "o")
    home = keeps.where.home(checked=True)
    (below,) = lineage.descent(home, "raw")
    assert (below.payload_id, below.state, [ref.id for ref, _ in below.made]) == (known, "COMPLETED", ["cog"])
    origin = lineage.origin(home, "cog")
    assert origin.made_by is not None
    assert (origin.made_by.payload_id, [one.item.id for one in origin.sources]) == (known, ["raw"])
    assert items.item(home, "cog").payload_id == known
    assert home.outbox.entries() == []
    with pytest.raises(ConfigError, match="lineage = true"):
        scene.where.home(checked=True).state_db.uses("raw", made=False)


# ---------------------------------------------------------------- pauses


@pytest.mark.parametrize(("kind", "name"), [("deployment", ""), ("workflow", "w"), ("collections", "scenes")])
def test_paused_payloads_wait_and_go_on_when_resumed(scene: Scene, kind: str, name: str) -> None:
    operator = scene.where.home(checked=True)
    operator.queue.pause(Pause(kind, name, 1, "lunch"))
    large = scene.payload("large", more="x" * 400_000)
    url = scene.where.payloads().put(f"{scene.root}/tmp/oversized/1.json", json.dumps(large).encode())
    event = scene.sqs_event(scene.payload("a"), {"url": url}, "{no json")
    assert process.handle(scene.where, event, "o") == {"batchItemFailures": [], "started": 0}
    assert process.handle(scene.where, scene.payload("direct"), "o")["started"] == 0
    assert operator.queue.depth() == 3
    assert sweep.handle(scene.where, 60, "s")["resumed"] == 0
    assert states(scene, "a", "large", "direct") == ["-", "-", "-"]

    assert operator.queue.resume(kind, name)
    assert not operator.queue.resume(kind, name)
    assert operator.queue.pauses() == []
    assert sweep.handle(scene.where, 60, "s")["resumed"] == 3
    assert sweep.handle(scene.where, 60, "s")["resumed"] == 0
    fresh = replace(scene, where=replace(scene.where, clients=Clients()))  # a function that knows of no pause
    assert process.handle(fresh.where, {"Records": queued(scene)}, "o")["started"] == 3
    assert states(scene, "a", "large", "direct") == ["PROCESSING"] * 3


def test_a_pause_holds_nothing_else(scene: Scene) -> None:
    scene.where.home(checked=True).queue.pause(Pause("workflow", "x", 1))
    scene.where.home(checked=True).queue.pause(Pause("collections", "others", 2))
    assert (
        process.handle(scene.where, scene.sqs_event(scene.payload("a"), scene.payload("b", "x")), "o")["started"] == 1
    )
    assert states(scene, "a") == ["PROCESSING"]


def test_pause_needs_a_table(scene: Scene) -> None:
    bare = scene.with_variables(outbox_table=None)
    with pytest.raises(ConfigError, match="deploy it again"):
        bare.where.home(checked=True).queue.pause(Pause("deployment", "", 1))
    assert bare.where.home(checked=True).queue.pauses() == []
    assert process.handle(bare.where, bare.sqs_event(bare.payload()), "o")["started"] == 1
    assert next_execution_id(id_of("a"), ()) in str(bare.where.home().state_db.get([id_of("a")]))
