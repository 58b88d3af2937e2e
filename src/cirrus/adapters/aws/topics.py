"""Targets on AWS: topics of SNS for events and Items, and the queue that the chain's payloads go to.

Messages go out in batches of ten and of 262,144 bytes; failed entries are tried again and then told of. Attributes
are those of the specification, at most ten, and a body that no message can hold ends its delivery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.aws.attributes import GOOD, Said, Vocabulary
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.adapters.aws.outbox import RERUN
from cirrus.core.jsontext import decode, encode
from cirrus.core.payload_id import parse
from cirrus.core.publication import output_items, publication
from cirrus.errors import CirrusError, InvalidPayload, StoreError
from cirrus.ports.outbox import Delivery
from cirrus.ports.queue import Message, Queue
from cirrus.ports.target import Failed

BATCH = 10
BATCH_BYTES = 262_144
MOST_ATTRIBUTES = 10
_LONGEST_VALUE = 10_000
_ROUNDS = 5
_PAUSE = 0.1
_V2 = {"ALREADY_COMPLETED": "ALREADY_SUCCEEDED"}
Priorities = Callable[[Sequence[str]], Mapping[str, int]]
_FINAL = frozenset({"InvalidParameter", "InvalidParameterValue", "NotFound", "AuthorizationError", "EndpointDisabled"})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message and the delivery that it belongs to."""

    delivery: int
    body: str
    attributes: Mapping[str, Any]

    @property
    def size(self) -> int:
        """How many bytes it counts."""
        told = sum(len(name) + 16 + len(value["StringValue"].encode()) for name, value in self.attributes.items())
        return len(self.body.encode()) + told


class TopicTarget:
    """Publishes to a topic; `vocabulary` knows the deployment's word for a good end, which names one event."""

    def __init__(
        self,
        clients: Clients,
        arn: str,
        *,
        vocabulary: Vocabulary | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._arn = arn
        self._vocabulary = vocabulary or Said()
        self._pause = pause

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Publish every message of the deliveries; gives what failed, by its id."""
        failures: dict[int, Failed] = {}
        messages: list[Outgoing] = []
        for delivery in deliveries:
            try:
                messages += self._messages(delivery)
            except (CirrusError, KeyError, TypeError) as error:
                failures[delivery.id] = Failed(f"{type(error).__name__}: {error}", final=True)
        large = [one for one in messages if one.size > BATCH_BYTES]
        for one in large:
            failures[one.delivery] = Failed(f"a message of {one.size} bytes is too large for SNS", final=True)
        for batch in _batches([one for one in messages if one.size <= BATCH_BYTES]):
            failures |= self._publish(batch)
        return failures

    def _messages(self, delivery: Delivery) -> list[Outgoing]:
        body = decode(delivery.body)
        if delivery.kind == "event":
            told = self._spoken(body)
            return [Outgoing(delivery.id, encode(told).decode(), _event_attributes(told))]
        return [
            Outgoing(delivery.id, encode(item).decode(), _attributes(publication(item).attributes))
            for item in output_items(body)
        ]

    def _spoken(self, event: Any) -> Any:
        """An event in the words of the deployment."""
        if event["event_type"] not in _V2 or self._vocabulary.good == GOOD[0]:
            return event
        return {**event, "event_type": _V2[event["event_type"]]}

    def _publish(self, batch: Sequence[Outgoing]) -> dict[int, Failed]:
        left = {str(n): one for n, one in enumerate(batch)}
        failed: list[Any] = []
        for round_ in range(_ROUNDS):
            entries = [
                {"Id": name, "Message": one.body, "MessageAttributes": dict(one.attributes)}
                for name, one in left.items()
            ]
            try:
                with reported(f"publish to {self._arn}"):
                    answer = self._clients("sns").publish_batch(TopicArn=self._arn, PublishBatchRequestEntries=entries)
            except StoreError as error:
                final = code(error.__cause__) in _FINAL
                return {one.delivery: Failed(str(error), final=final) for one in left.values()}
            failed = answer.get("Failed", [])
            left = {one["Id"]: left[one["Id"]] for one in failed}
            if not left or all(one.get("SenderFault") for one in failed):
                break
            self._pause(_PAUSE * 2**round_)
        return {
            left[one["Id"]].delivery: Failed(
                f"SNS refused a message: {one.get('Code')}: {one.get('Message')}", final=bool(one.get("SenderFault"))
            )
            for one in failed
        }


class QueueTarget:
    """Queues the payloads of the chain; `priorities` tells those of the payloads that they follow, where it matters."""

    def __init__(self, queue: Queue, clock: Callable[[], int], priorities: Priorities | None = None) -> None:
        self._queue = queue
        self._clock = clock
        self._priorities = priorities

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Queue every payload; StoreError if one could not be, then all are tried again."""
        known = self._priorities([one.payload_id for one in deliveries]) if self._priorities else {}
        self._queue.put([_message(one, known.get(one.payload_id, 0)) for one in deliveries], self._clock())
        return {}


def _message(delivery: Delivery, priority: int) -> Message:
    if delivery.kind != RERUN:
        return Message(delivery.body, priority=priority)
    told = decode(delivery.body)
    return Message(told["body"].encode(), delivery.payload_id, told["priority"], told["after"])


def _event_attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, str | float] = {"event_type": body["event_type"]}
    try:
        parts = parse(body["payload_id"])
    except InvalidPayload:
        pass
    else:
        found |= {"workflow": parts.workflow, "collections": parts.collections}
    return _attributes(found | ({"error": body["error"]} if body.get("error") else {}))


def _attributes(given: Mapping[str, str | float]) -> dict[str, Any]:
    """Attributes as SNS takes them: text that is not empty, numbers, no more than ten."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        kind = "String" if isinstance(value, str) else "Number"
        text = value[:_LONGEST_VALUE] if isinstance(value, str) else _number(value)
        if text:
            found[name] = {"DataType": kind, "StringValue": text}
    return dict(list(found.items())[:MOST_ATTRIBUTES])


def _number(value: float) -> str:
    return encode(value).decode()


def _batches(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    batch: list[Outgoing] = []
    size = 0
    for one in messages:
        if batch and (len(batch) >= BATCH or size + one.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch
