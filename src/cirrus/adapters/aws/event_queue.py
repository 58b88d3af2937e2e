"""The queue port inside a function that was given its messages: what is not settled is told to SQS as failed.

SQS removes what a function did not report, so settling a message costs no call. Messages that came in another way (a
topic, a direct call) cannot be given back: there an error tells the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cirrus.adapters.aws.queue import AFTER, TURN, SqsQueue
from cirrus.adapters.aws.turns import Turn, place, read_turn
from cirrus.core.jsontext import decode, encode
from cirrus.core.payload_id import parse
from cirrus.core.throttle import Pause
from cirrus.errors import InvalidPayload, StoreError
from cirrus.ports.queue import Kept, Message, Rejected, Taken

_ENVELOPES = 3


class EventQueue:
    """The messages of one event; `queue` is the deployment's, for everything else.

    `call` names the call of the function: the same where Lambda calls it again with the same event.
    """

    def __init__(self, queue: SqsQueue, event: Any, call: str) -> None:
        self._queue = queue
        self._turns: dict[str, Turn] = {}
        self._first: dict[str, int] = {}
        self._given_as: dict[str, str] = {}
        self.given = [self._named(one, record) for one, record in _taken(event, queue.bulk, call)]
        self._open = {message.receipt for message in self.given}
        self._failed: set[str] = set()
        self.waiting = 0

    def _named(self, message: Taken, record: Mapping[str, Any]) -> Taken:
        """A message under its own name, or where it has waited for a limit under the one that it had before."""
        turn = read_turn(record.get("messageAttributes", {}).get(TURN, {}).get("stringValue"))
        if turn is not None and turn.origin not in self._given_as:
            message = replace(message, receipt=turn.origin, again=True)
        if turn is not None:
            self._turns[message.receipt] = turn
        first = record.get("attributes", {}).get("ApproximateFirstReceiveTimestamp")
        self._first |= {message.receipt: int(first)} if first else {}
        self._given_as[message.receipt] = f"sqs:{record['messageId']}" if "messageId" in record else message.receipt
        return message

    def answer(self) -> dict[str, Any]:
        """What the function returns to SQS: the messages that it is to give again.

        StoreError where a message failed that did not come from a queue.
        """
        failed = sorted(self._given_as[receipt] for receipt in self._failed | self._open)
        if any(not receipt.startswith("sqs:") for receipt in failed):
            raise StoreError(f"{len(failed)} of {len(self.given)} payloads could not be processed now: try again")
        return {"batchItemFailures": [{"itemIdentifier": receipt.removeprefix("sqs:")} for receipt in failed]}

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; StoreError tells of those that could not be queued."""
        self._queue.put(messages, at)

    def take(
        self, limit: int, *, owner: str, now: int, until: int, only: Collection[str] | None = None, **_: Any
    ) -> list[Taken]:
        """The messages of the event."""
        return self.given[: max(limit, 0)]

    def settle(self, receipts: Sequence[str]) -> None:
        """Mark messages as dealt with; those whose turn had come give up their place."""
        gone = [self._turns.pop(receipt) for receipt in receipts if receipt in self._turns]
        if gone and self._queue.turns is not None:
            self._queue.turns.gone(gone)
        self._open -= set(receipts)

    def turned(self, receipt: str | None) -> bool:
        """Whether a message has waited for its limits, and its turn has come."""
        return receipt in self._turns

    def wait(self, waiting: Sequence[tuple[str, str, str]]) -> None:
        """Let messages wait for limits: each with the limit, its receipt and payload id."""
        given = {message.receipt: message for message in self.given}
        kept: list[tuple[Turn, Taken, str]] = []
        left: list[Turn] = []
        for name, receipt, payload_id in waiting:
            turn = self._turns.pop(receipt, None)
            here = replace(turn, name=name) if turn else Turn(name, place(self._first.get(receipt), receipt), receipt)
            left += [turn] if turn is not None and turn != here else []
            kept.append((here, given[receipt], payload_id))
        self._queue.wait(kept)
        if left and self._queue.turns is not None:
            self._queue.turns.gone(left)
        self.waiting += len(kept)
        self._open -= {receipt for _, receipt, _ in waiting}

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Have messages given again, when SQS does that."""
        self._failed |= set(receipts)

    def sort(self, receipts: Mapping[str, str]) -> set[str]:
        """Take out of the queue what is paused, to wait until it is resumed; gives the others."""
        pauses = self._queue.pauses()
        found: dict[Pause, list[Taken]] = {}
        for message in self.given:
            holding = _holding(pauses, receipts[message.receipt]) if message.receipt in receipts else None
            if holding is not None:
                found.setdefault(holding, []).append(message)
        for pause, messages in found.items():
            self._queue.hold(pause, [(one, receipts[one.receipt]) for one in messages])
            self.settle([one.receipt for one in messages])
        return set(receipts) - {one.receipt for messages in found.values() for one in messages}

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, tell of them, and mark them as dealt with."""
        self._queue.keep(rejected)
        self.settle([one.receipt for one in rejected if one.receipt])

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""
        return self._queue.quarantined(limit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)


def _holding(pauses: Sequence[Pause], payload_id: str) -> Pause | None:
    parts = parse(payload_id)
    return next((one for one in pauses if one.holds(parts.collections, parts.workflow)), None)


def _taken(event: Any, bulk: str | None, call: str) -> Iterator[tuple[Taken, Mapping[str, Any]]]:
    """The messages of an event of SQS or SNS, or the one that a direct call is; each with its record of SQS."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        yield Taken(f"call:{call}", unwrapped(encode(event)), 1, known=False, again=True), {}
        return
    for n, record in enumerate(records):
        if record.get("eventSource") == "aws:sqs":
            attempts = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
            low = bulk is not None and str(record.get("eventSourceARN", "")).endswith(f":{bulk.rpartition('/')[2]}")
            body = unwrapped(str(record["body"]).encode())
            after = record.get("messageAttributes", {}).get(AFTER, {}).get("stringValue")
            name = f"sqs:{record['messageId']}"
            yield Taken(name, body, attempts, -1 if low else 0, known=False, after=after, again=attempts > 1), record
        elif "Sns" in record:
            name = f"sns:{record['Sns'].get('MessageId', call)}:{n}"
            yield Taken(name, unwrapped(str(record["Sns"]["Message"]).encode()), 1, known=False, again=True), {}
        else:
            yield Taken(f"record:{call}:{n}", unwrapped(encode(record)), 1, known=False, again=True), {}


def unwrapped(text: bytes) -> bytes:
    """The payload in a message: without the envelope of a topic, and in place of a Batch job's result its output."""
    for _ in range(_ENVELOPES):
        if b'"Message"' not in text and b'"url_out"' not in text:
            return text
        try:
            value = decode(text)
        except InvalidPayload:
            return text
        if not isinstance(value, dict):
            return text
        parameters = value.get("Parameters")
        if isinstance(value.get("Message"), str) and ("TopicArn" in value or value.get("Type") == "Notification"):
            text = value["Message"].encode()
        elif isinstance(parameters, dict) and isinstance(parameters.get("url_out"), str) and "process" not in value:
            return encode({"url": parameters["url_out"]})
        else:
            return text
    return text
