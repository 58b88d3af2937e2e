"""Each adapter by itself against what stands in for its service, and moto where ministack is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.engine import StepFunctions
from cirrus.adapters.aws.payloads import S3Payloads
from cirrus.adapters.aws.queue import SqsQueue
from cirrus.adapters.aws.topics import TopicTarget
from cirrus.adapters.memory.payloads import MemoryPayloads
from cirrus.adapters.memory.store import Store
from cirrus.core.execution_id import Arns
from cirrus.core.jsontext import encode
from cirrus.errors import ConfigError, NotFound, StoreError
from cirrus.ports.engine import Begin
from cirrus.ports.outbox import Delivery
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Message, Rejected
from cirrus.testing.builders import AT, event, item
from cirrus.testing.payloads import PayloadsContract
from tests.aws.scene import ROLE
from tests.aws.standins import ACCOUNT, REGION

ARNS = Arns(f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m-")


class TestPayloads(PayloadsContract):
    @pytest.fixture
    def payloads(self, seaweed_url: str, aws: Callable[..., None], request: pytest.FixtureRequest) -> Payloads:
        aws(s3=seaweed_url)
        clients = Clients()
        if "contract" not in [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]:
            clients("s3").create_bucket(Bucket="contract", CreateBucketConfiguration={"LocationConstraint": REGION})
        return S3Payloads(clients, "contract", f"p{abs(hash(request.node.nodeid))}")


def test_missing_bucket_is_no_not_found(seaweed_url: str, aws: Callable[..., None]) -> None:
    aws(s3=seaweed_url)
    with pytest.raises(StoreError, match="NoSuchBucket"):
        S3Payloads(Clients(), "absent-bucket").get("s3://absent-bucket/k.json")


# ---------------------------------------------------------------- SQS


@pytest.fixture
def queue(ministack_url: str, aws: Callable[..., None], request: pytest.FixtureRequest) -> SqsQueue:
    aws(ministack_url)
    clients = Clients()
    number = abs(hash(request.node.nodeid)) % 10**9
    urls = [
        clients("sqs").create_queue(QueueName=f"q-{number}-{name}")["QueueUrl"] for name in ("main", "bulk", "dead")
    ]
    payloads = MemoryPayloads(Store(), "test", lambda: AT)
    return SqsQueue(clients, urls[0], payloads, bulk=urls[1], dead=urls[2], pause=lambda _: None)


def take(queue: SqsQueue, limit: int = 50, seconds: int = 30) -> list[Any]:
    return queue.take(limit, owner="o", now=0, until=seconds * 1_000_000)


def test_messages_of_any_number_and_size(queue: SqsQueue) -> None:
    bodies = [b'{"n":%d,"x":"%s"}' % (n, b"x" * 100_000) for n in range(12)]
    large = b'{"x":"' + b"y" * 400_000 + b'"}'
    queue.put([Message(body) for body in (*bodies, large)], AT)
    taken = take(queue)
    pointers = [json.loads(one.body)["url"] for one in taken if b'"url"' in one.body]
    assert sorted(one.body for one in taken if b'"url"' not in one.body) == sorted(bodies)
    assert [queue._payloads.get(url) for url in pointers] == [large]


def test_settled_is_gone_and_released_comes_again(queue: SqsQueue) -> None:
    queue.put([Message(b'{"n":1}'), Message(b'{"n":2}')], AT)
    first, second = take(queue)
    assert queue.depth() == 2
    queue.settle([first.receipt])
    queue.release([second.receipt])
    (again,) = take(queue)
    assert (again.body, again.attempts) == (second.body, 2)
    queue.settle([again.receipt, again.receipt])
    assert queue.depth() == 0


def test_low_priorities_have_their_own_queue_and_come_last(queue: SqsQueue) -> None:
    queue.put([Message(b'{"low":1}', priority=-1), Message(b'{"high":1}', priority=5)], AT)
    assert [(one.body, one.priority) for one in take(queue)] == [(b'{"high":1}', 0), (b'{"low":1}', -1)]


def test_quarantine_is_the_dead_letter_queue(queue: SqsQueue) -> None:
    told: list[Any] = []
    queue.announce = told.extend
    queue.put([Message(b"{oops")], AT)
    (taken,) = take(queue)
    queue.quarantine([Rejected(b"{oops", "one", "no JSON: 'ü'", event("unknown"), taken.receipt)])
    queue.quarantine([Rejected(b"\xff\x00", "two", "no text", event("unknown", at=AT + 1))])
    assert [one.name for one in queue.quarantined()] == ["two", "one"]
    assert queue.kept("one") is not None
    assert len(told) == 2
    assert queue.discard(["two", "absent"]) == {"two"}
    assert queue.requeue(["one"], AT) == {"one"}
    assert queue.quarantined() == []
    assert [one.body for one in take(queue)] == [b"{oops"]


def test_what_sqs_cannot_do_says_so(queue: SqsQueue) -> None:
    with pytest.raises(ConfigError, match="SQS"):
        queue.take(1, owner="o", now=0, until=1, only=["p"])


def test_message_may_wait_as_long_as_any_does(queue: SqsQueue) -> None:
    assert not queue.holds("p")
    queue.put([Message(b'{"n":1}')], AT)
    assert queue.holds("p")
    (taken,) = take(queue)
    assert queue.holds("p")
    queue.settle([taken.receipt])
    assert not queue.holds("p")
    queue.unsent = lambda: 1
    assert queue.holds("p")


def test_missing_queue_is_a_store_error(queue: SqsQueue) -> None:
    gone = SqsQueue(queue._clients, queue._url + "-gone", queue._payloads)
    with pytest.raises(StoreError):
        gone.put([Message(b"{}")], AT)


# ---------------------------------------------------------------- SNS, whose rules moto checks and ministack does not


def deliveries(*items: Any, kind: str = "items") -> list[Delivery]:
    return [Delivery(n, "items", kind, "p", encode({"features": [one]}), 0) for n, one in enumerate(items)]


def test_topic_takes_items_of_every_kind(moto_url: str, aws: Callable[..., None]) -> None:
    aws(moto_url)
    clients = Clients()
    arn = clients("sns").create_topic(Name="items")["TopicArn"]
    odd = item("odd", created="2026-01-01", updated="2026-01-02", **{"eo:cloud_cover": 0})
    odd["bbox"] = [1, 2, 3, 4, 5, 6]
    bare = {"type": "Feature", "id": "bare", "properties": {"datetime": None}, "collection": ""}
    many = [item(str(n)) for n in range(25)]
    assert TopicTarget(clients, arn).send(deliveries(odd, bare, *many)) == {}


def test_message_too_large_for_a_topic_ends_its_delivery_alone(moto_url: str, aws: Callable[..., None]) -> None:
    aws(moto_url)
    clients = Clients()
    arn = clients("sns").create_topic(Name="items")["TopicArn"]
    failed = TopicTarget(clients, arn).send(deliveries(item("a", x="x" * 300_000), item("b")))
    assert list(failed) == [0]
    assert failed[0].final
    missing = TopicTarget(clients, f"{arn}-gone").send(deliveries(item("a")))
    assert "NotFound" in missing[0].error


# ---------------------------------------------------------------- Step Functions


@pytest.mark.parametrize("standin", ["ministack_url", "moto_url"])
def test_second_start_is_the_same_execution(standin: str, aws: Callable[..., None], request: Any) -> None:
    aws(request.getfixturevalue(standin))
    clients = Clients()
    definition = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 300, "End": True}}})
    clients("stepfunctions").create_state_machine(name="m-w", definition=definition, roleArn=ROLE)
    engine = StepFunctions(clients, ARNS, MemoryPayloads(Store(), "test", lambda: AT))
    begin = Begin("w", "e1", "c/workflow-w/a", b'{"id":"c/workflow-w/a"}')
    for _ in range(3):
        engine.start(begin)
    engine.start(Begin("w", "e1", "c/workflow-w/a", b'{"id":"c/workflow-w/a","other":1}'))
    listed = clients("stepfunctions").list_executions(stateMachineArn=ARNS.state_machine("w"))["executions"]
    assert [one["name"] for one in listed] == ["e1"]
    found = engine.describe(ARNS.execution("w", "e1"))
    assert found is not None
    assert (found.status, found.payload_id, found.workflow) == ("RUNNING", "c/workflow-w/a", "w")
    engine.stop(ARNS.execution("w", "e1"), "Aborted", "because")
    engine.stop(ARNS.execution("w", "none"), "Aborted", "because")
    assert engine.describe(ARNS.execution("w", "none")) is None
    with pytest.raises(NotFound, match="state machine"):
        engine.start(Begin("absent", "e1", "p", b"{}"))
    assert engine.workflows() == ["w"]
    assert json.loads(engine.definition("w"))["StartAt"] == "W"


def test_region_and_role_are_needed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(ConfigError, match="region"):
        Clients()("s3")
    with pytest.raises(StoreError, match="assume arn:aws:iam::1:role/r"):
        Clients("eu-central-1", role="arn:aws:iam::1:role/r")("s3")


def test_every_client_has_retries_timeouts_and_a_name(aws: Callable[..., None]) -> None:
    aws("http://127.0.0.1:9")
    config = Clients()("sqs").meta.config
    assert config.retries == {"mode": "adaptive", "total_max_attempts": 6}
    assert (config.connect_timeout, config.read_timeout) == (5, 30)
    assert "cirrus/" in config.user_agent_extra
