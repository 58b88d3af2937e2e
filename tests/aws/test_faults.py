"""Whatever AWS does once, nothing is lost and nothing is doubled; what fails for longer is taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.entry.lambdas import process, sweep, update_state
from tests.aws import faults
from tests.aws.faults import Faults
from tests.aws.scene import Scene, end_event, make_scene

P = "scenes/workflow-w/a"
CALLS = (
    "BatchGetItem",
    "BatchExecuteStatement",
    "PutObject",
    "StartExecution",
    "TransactWriteItems",
    "PublishBatch",
    "BatchWriteItem",
    "SendMessageBatch",
)
WRITES = tuple(call for call in CALLS if call != "BatchGetItem")


@pytest.fixture
def point(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> None:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)


@pytest.fixture
def troubled(point: None) -> tuple[Scene, Faults]:
    """A deployment, and the faults that its functions meet; each call is tried three times."""
    plan = Faults()
    scene = make_scene(Clients())
    return replace(scene, where=replace(scene.where, clients=Clients(prepare=plan, attempts=3))), plan


@pytest.fixture
def fragile(point: None) -> tuple[Scene, Faults]:
    """The same where no call is tried twice: a fault ends whatever it befalls."""
    plan = Faults()
    scene = make_scene(Clients())
    return replace(scene, where=replace(scene.where, clients=Clients(prepare=plan, attempts=1))), plan


def payload(scene: Scene) -> dict[str, Any]:
    return scene.payload(workflow=[{"workflow": "w"}, {"workflow": "next"}], id=P)


def arn(scene: Scene) -> str:
    return scene.where.arns.execution("w", next_execution_id(P, ()))


def live(scene: Scene) -> None:
    """Everything that AWS would do: messages and events that failed come again, and the sweeper runs."""
    attempts, waits = 0, True
    while waits and attempts < 6:
        attempts += 1
        where = scene.later(200 * (attempts - 1)).where
        event = scene.sqs_event(payload(scene), attempts=attempts)
        waits = bool(process.handle(where, event, "p")["batchItemFailures"])
    for round_ in range(1, 3):
        sweep.handle(scene.later(1000 * round_).where, 60, "s")
    event = scene.sqs_event(end_event(scene, arn(scene), input=text(scene), output=text(scene)))
    for attempt in range(4):
        if not update_state.handle(scene.later(5000 + attempt).where, event, "u")["batchItemFailures"]:
            break
    for round_ in range(1, 4):
        sweep.handle(scene.later(10_000 * round_).where, 60, "s")


def text(scene: Scene) -> str:
    return json.dumps(payload(scene))


def judge(scene: Scene, *, twice: tuple[str, ...] = ()) -> None:
    """One execution, one good end, one event of it, one Item, one payload of the chain; nothing waits."""
    record = scene.where.home().state_db.get([P])[P]
    assert record.state == "COMPLETED"
    assert record.executions == (next_execution_id(P, ()),)
    base = scene.where.variables.base_workflow_arn
    listed = scene.clients("stepfunctions").list_executions(stateMachineArn=f"{base}w")["executions"]
    assert [one["name"] for one in listed] == [record.execution_id]
    told = [body for body, _ in scene.told()]
    events = [body["event_type"] for body in told if "event_type" in body]
    items = [body["id"] for body in told if "id" in body]
    queued = scene.where.queue().take(10, owner="o", now=0, until=30_000_000)
    counts = {"SUCCEEDED": events.count("SUCCEEDED"), "items": len(items), "queued": len(queued)}
    assert {name for name, number in counts.items() if number < 1} == set()
    assert {name for name, number in counts.items() if number > 1} <= set(twice), counts
    assert scene.where.home().outbox.entries() == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("befall", [faults.throttled, faults.broken])
def test_one_fault_is_not_noticed(troubled: tuple[Scene, Faults], call: str, befall: Any) -> None:
    scene, plan = troubled
    plan.plan(call, befall, 1)
    live(scene)
    assert plan.happened
    judge(scene)


@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize("number", [1, 2])
def test_lost_reply_is_no_second_write(troubled: tuple[Scene, Faults], call: str, number: int) -> None:
    scene, plan = troubled
    plan.plan(call, faults.lost, number)
    live(scene)
    # Topics and queues of AWS tell no second message from the first: its consumers may see one twice.
    judge(scene, twice={"PublishBatch": ("SUCCEEDED", "items"), "SendMessageBatch": ("queued",)}.get(call, ()))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("befall", [faults.unsent, faults.lost])
@pytest.mark.parametrize("number", [1, 2])
def test_function_that_dies_in_a_call_is_taken_up_again(
    fragile: tuple[Scene, Faults], call: str, befall: Any, number: int
) -> None:
    scene, plan = fragile
    plan.plan(call, befall, number)
    live(scene)
    # What was sent and could not be noted is sent again: at least once is what topics and queues of AWS promise too.
    judge(scene, twice=("SUCCEEDED", "items", "queued") if befall is faults.lost or call == "BatchWriteItem" else ())


def test_unprocessed_keys_are_read_again(troubled: tuple[Scene, Faults]) -> None:
    scene, plan = troubled
    process.handle(scene.where, scene.sqs_event(*(scene.payload(str(n)) for n in range(10))), "p")
    plan.plan("BatchGetItem", faults.unprocessed, 1, 2)
    ids = [f"scenes/workflow-w/{n}" for n in range(12)]
    found = scene.where.home().state_db.get(ids)
    assert sorted(found) == ids[:10]
    assert plan.counts["BatchGetItem"] == 3


def test_keys_that_are_never_processed_are_not_taken_for_absent(troubled: tuple[Scene, Faults]) -> None:
    scene, plan = troubled
    process.handle(scene.where, scene.sqs_event(scene.payload()), "p")
    plan.plan("BatchGetItem", faults.unprocessed)
    home = replace_pause(scene)
    with pytest.raises(Exception, match="not processed"):
        home.get([P])
    plan.planned.clear()
    answer = process.handle(scene.where, scene.sqs_event(scene.payload()), "p")
    assert answer["started"] == 0


def replace_pause(scene: Scene) -> Any:
    """The state database, whose pauses between rounds take no time."""
    state_db: Any = scene.where.home().state_db
    state_db._tables._pause = lambda _: None
    return state_db


def test_unprocessed_deletes_are_tried_again(troubled: tuple[Scene, Faults]) -> None:
    scene, plan = troubled
    plan.plan("BatchWriteItem", faults.unprocessed, 1, 2)
    live(scene)
    assert plan.happened
    judge(scene)


def test_expired_credentials_fail_closed_and_tell_no_secret(fragile: tuple[Scene, Faults]) -> None:
    scene, plan = fragile
    plan.plan("BatchGetItem", faults.expired)
    answer = process.handle(scene.where, scene.sqs_event(scene.payload()), "p")
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}], "started": 0}
    plan.planned.clear()
    assert scene.state(P) is None
    assert process.handle(scene.where, scene.sqs_event(scene.payload(), attempts=2), "p")["started"] == 1


def test_entries_that_fail_alone_are_sent_again(troubled: tuple[Scene, Faults]) -> None:
    """Half of a batch fails twice: each payload reaches the queue once."""
    scene, _ = troubled
    from cirrus.adapters.aws.queue import SqsQueue
    from cirrus.ports.queue import Message

    asked: list[int] = []

    class Half:
        """A client of SQS that refuses every second entry of its first two batches."""

        def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> Any:
            asked.append(len(Entries))
            failing = Entries[1::2] if len(asked) < 3 else []
            good = [one for one in Entries if one not in failing]
            told = scene.clients("sqs").send_message_batch(QueueUrl=QueueUrl, Entries=good)
            refused = [{"Id": one["Id"], "SenderFault": False, "Code": "InternalError"} for one in failing]
            return {**told, "Failed": refused}

    clients: Any = lambda service: Half() if service == "sqs" else scene.clients(service)  # noqa: E731
    queue = SqsQueue(clients, scene.where.variables.process_queue_url, scene.where.payloads(), pause=lambda _: None)
    queue.put([Message(b'{"n":%d}' % n) for n in range(8)], 0)
    assert asked == [8, 4, 2]
    taken = scene.where.queue().take(20, owner="o", now=0, until=30_000_000)
    assert sorted(one.body for one in taken) == [b'{"n":%d}' % n for n in range(8)]
