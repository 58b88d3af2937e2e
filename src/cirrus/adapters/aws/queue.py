"""The queue port on SQS: in batches of ten and of 262,144 bytes, each failed entry tried again and then reported.

What is too large for a message stands in the payload store, and its URL travels. Low priorities have a queue of their
own where the deployment has one. The quarantine is the dead letter queue; what SQS moved there itself is in it too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import reported
from cirrus.adapters.aws.held import Held, HeldMessage
from cirrus.adapters.aws.tables import Tables
from cirrus.adapters.aws.turns import Turn, Turns
from cirrus.core.event import WorkflowEvent
from cirrus.core.jsontext import encode
from cirrus.core.keys import invalid_key, oversized_key
from cirrus.core.throttle import Pause, Throttle
from cirrus.errors import ConfigError, StoreError
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Kept, Message, Queued, Rejected, Taken

BATCH = 10
BATCH_BYTES = 262_144
INLINE_BYTES = 250_000
LONGEST = 43_200
AFTER, TURN = "after", "turn"
_ROUNDS = 5
_PAUSE = 0.1
_REASON = 500
_GONE = frozenset({"ReceiptHandleIsInvalid", "MessageNotInflight"})  # settled or given back before
Entry = dict[str, Any]


class SqsQueue:
    """Messages of one queue, or two: `bulk` is taken from last and gets what has a priority below zero.

    `announce` records the events of rejected messages, `unsent` counts what is still to be queued; who makes the state
    database and the outbox over this queue sets them. `held` keeps pauses and what they hold back.
    """

    def __init__(
        self,
        clients: Clients,
        url: str,
        payloads: Payloads,
        *,
        announce: Callable[[Sequence[WorkflowEvent]], None] = lambda _: None,
        bulk: str | None = None,
        dead: str | None = None,
        held: Held | None = None,
        turns: Turns | None = None,
        root: str = "cirrus",
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clients = clients
        self._url = url
        self.bulk = bulk
        self._dead = dead
        self.held = held or Held(Tables(clients), None)
        self.turns = turns
        self.unsent: Callable[[], int] = lambda: 0
        self._payloads = payloads
        self.announce = announce
        self._root = root
        self._pause = pause

    # ---------------------------------------------------------------- sending

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; StoreError tells of those that could not be queued, and the others are.

        SQS has no transactions over messages: what was queued before an error is queued.
        """
        for url, some in self._sorted(messages):
            self._send(url, [{"MessageBody": self._carried(one.body), **_fenced(one)} for one in some])

    def _sorted(self, messages: Sequence[Message]) -> Iterator[tuple[str, list[Message]]]:
        low = [one for one in messages if self.bulk and one.priority < 0]
        yield self._url, [one for one in messages if one not in low] if low else list(messages)
        if self.bulk and low:
            yield self.bulk, low

    def _carried(self, body: bytes) -> str:
        """A message's text: itself, or the URL under which it stands."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = ""
        if text and len(body) <= INLINE_BYTES and _allowed(text):
            return text
        return encode({"url": self._payloads.put(oversized_key(self._root, uuid4().hex), body)}).decode()

    def _send(self, url: str, entries: Sequence[Entry]) -> None:
        for batch in _batches(entries):
            self._batch("SendMessageBatch", url, batch, lambda some: self._sqs.send_message_batch(**some))

    def _batch(self, what: str, url: str, entries: Sequence[Entry], call: Callable[[Any], Any]) -> None:
        """One batch; its failed entries are tried again, and reported if they still fail."""
        left = {str(n): {**entry, "Id": str(n)} for n, entry in enumerate(entries)}
        failed: list[Any] = []
        for round_ in range(_ROUNDS):
            with reported(f"{what} to {url}"):
                answer = call({"QueueUrl": url, "Entries": list(left.values())})
            failed = [one for one in answer.get("Failed", []) if one.get("Code") not in _GONE]
            left = {one["Id"]: left[one["Id"]] for one in failed}
            if not left or all(one.get("SenderFault") for one in failed):
                break
            self._pause(_PAUSE * 2**round_)
        if left:
            why = ", ".join(sorted({f"{one.get('Code')}: {one.get('Message')}" for one in failed}))
            raise StoreError(f"cannot {what} to {url}: {len(left)} of {len(entries)} entries failed: {why}")

    @property
    def _sqs(self) -> Any:
        return self._clients("sqs")

    # ---------------------------------------------------------------- receiving

    def take(
        self, limit: int, *, owner: str, now: int, until: int, only: Collection[str] | None = None, **_: Any
    ) -> list[Taken]:
        """Lease up to `limit` messages for as long as `until` is away; ConfigError with `only`: SQS picks none out."""
        if only is not None:
            raise ConfigError("AWS", ["a queue of SQS gives messages in its own order: none can be picked out"])
        found: list[Taken] = []
        for url in filter(None, (self._url, self.bulk)):
            while len(found) < limit:
                some = self._receive(url, min(BATCH, limit - len(found)), (until - now) // 1_000_000)
                found += some
                if not some:
                    break
        return found

    def _receive(self, url: str, limit: int, seconds: int) -> list[Taken]:
        with reported(f"receive from {url}"):
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=limit,
                VisibilityTimeout=max(0, min(LONGEST, seconds)),
                AttributeNames=["ApproximateReceiveCount"],
                MessageAttributeNames=[AFTER],
            )
        return [
            Taken(
                receipt=f"{url}|{one['ReceiptHandle']}",
                body=one["Body"].encode(),
                attempts=int(one["Attributes"]["ApproximateReceiveCount"]),
                priority=-1 if url == self.bulk else 0,
                known=False,
                after=one.get("MessageAttributes", {}).get(AFTER, {}).get("StringValue"),
            )
            for one in answer.get("Messages", [])
        ]

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""
        for url, handles in _by_queue(receipts):
            for batch in _batches([{"ReceiptHandle": handle} for handle in handles]):
                self._batch("DeleteMessageBatch", url, batch, lambda some: self._sqs.delete_message_batch(**some))

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on, within the twelve hours that SQS allows."""
        seconds = max(0, min(LONGEST, round(visible / 1_000_000 - time.time()))) if visible else 0
        for url, handles in _by_queue(receipts):
            entries = [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle in handles]
            for batch in _batches(entries):
                self._batch(
                    "ChangeMessageVisibilityBatch",
                    url,
                    batch,
                    lambda some: self._sqs.change_message_visibility_batch(**some),
                )

    # ---------------------------------------------------------------- quarantine

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, then settle them and tell of them."""
        self.keep(rejected)
        self.settle([one.receipt for one in rejected if one.receipt])

    def keep(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, and tell of them."""
        urls = [self._payloads.put(invalid_key(self._root, one.name), one.body) for one in rejected]
        if self._dead:
            entries = [{"MessageBody": self._carried(one.body), "MessageAttributes": _why(one)} for one in rejected]
            self._send(self._dead, entries)
        self.announce([replace(one.event, input_payload_url=url) for one, url in zip(rejected, urls, strict=True)])

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest of the messages in the dead letter queue that SQS shows us now; each stays there."""
        if not self._dead:
            return []
        seen: dict[str, Kept] = {}
        handles: list[str] = []
        while len(seen) < limit:
            some = self._peek()
            fresh = [one for one in some if one["MessageId"] not in seen]
            handles += [f"{self._dead}|{one['ReceiptHandle']}" for one in some]
            seen |= {one["MessageId"]: _kept(one) for one in fresh}
            if not fresh:
                break
        self.release(handles)
        return sorted(seen.values(), key=lambda kept: kept.at, reverse=True)

    def _peek(self) -> list[Entry]:
        with reported(f"look into {self._dead}"):
            answer = self._sqs.receive_message(
                QueueUrl=self._dead,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=20,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            )
        found: list[Entry] = answer.get("Messages", [])
        return found

    def kept(self, name: str) -> Kept | None:
        """One message in quarantine by its name, if SQS shows it now."""
        return next((one for one in self.quarantined() if one.name == name), None)

    def requeue(self, names: Collection[str], at: int) -> set[str]:
        """Queue messages in quarantine again as they are; gives the names of those that were found."""
        return self._act(names, lambda message: self._send(self._url, [{"MessageBody": message["Body"]}]))

    def discard(self, names: Collection[str]) -> set[str]:
        """Remove messages from quarantine for good; gives the names of those that were found."""
        return self._act(names, lambda _: None)

    def _act(self, names: Collection[str], act: Callable[[Entry], None]) -> set[str]:
        """Do something with messages in quarantine, then remove them; the others go back at once."""
        left, done, others = set(names), set(), []
        while left and (some := self._peek()) if self._dead else ():
            for message in some:
                name, receipt = _kept(message).name, f"{self._dead}|{message['ReceiptHandle']}"
                if name not in left:
                    others.append(receipt)
                    continue
                act(message)
                self.settle([receipt])
                left.discard(name)
                done.add(name)
        self.release(others)
        return done

    def redrive(self, per_second: int | None = None) -> str:
        """Move everything from the dead letter queue back to the queue it came from; gives the task's handle."""
        if not self._dead:
            raise ConfigError("AWS", ["the deployment has no dead letter queue"])
        more = {"MaxNumberOfMessagesPerSecond": per_second} if per_second else {}
        with reported(f"redrive {self._dead}"):
            source = self._attributes(self._dead, "QueueArn")["QueueArn"]
            target = self._attributes(self._url, "QueueArn")["QueueArn"]
            answer = self._sqs.start_message_move_task(SourceArn=source, DestinationArn=target, **more)
        return str(answer["TaskHandle"])

    # ---------------------------------------------------------------- looking

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id may wait: SQS cannot be searched, so it may as long as any does."""
        return self.depth() > 0 or self.unsent() > 0

    def depth(self) -> int:
        """About how many messages there are, leased ones and those that are held back included."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        found = [self._attributes(url, *names) for url in filter(None, (self._url, self.bulk))]
        return sum(int(attributes[name]) for attributes in found for name in names) + self._held_back()

    def _held_back(self) -> int:
        return self.held.waiting() + (self.turns.waiting() if self.turns is not None else 0)

    def stirs(self) -> bool:
        """Whether there is a message, leased ones included."""
        return self.depth() > 0

    def waiting(self, payload_id: str) -> list[Queued]:
        """ConfigError: SQS cannot tell what waits in a queue."""
        raise ConfigError("AWS", [f"a queue of SQS cannot be searched for {payload_id}"])

    # ---------------------------------------------------------------- limits and pauses

    def spend(self, payload_ids: Sequence[str], throttle: Throttle, now: int) -> None:
        """Nothing: a claim keeps what it leaves of rates in its own transaction."""

    def again(self, throttle: Throttle, now: int) -> int | None:
        """Never: sweeps look for themselves."""
        return None

    def sort(self, receipts: Mapping[str, str]) -> set[str]:
        """All of them: nobody but `process` takes messages, and what that does is the queue of its event's."""
        return set(receipts)

    def pause(self, pause: Pause) -> None:
        """Let no message of a scope begin until it is resumed; a second pause of the scope replaces the first."""
        self.held.pause(pause)

    def resume(self, kind: str, name: str) -> bool:
        """Lift the pause of a scope, whose messages a sweep queues again; False if there was none."""
        return self.held.resume(kind, name)

    def pauses(self) -> list[Pause]:
        """The pauses that hold, the oldest first."""
        return self.held.pauses()

    def hold(self, pause: Pause, messages: Sequence[tuple[Taken, str]]) -> None:
        """Keep messages, each with its payload id, until a pause is lifted; what is too large stands elsewhere."""
        kept = [
            HeldMessage(self._carried(one.body).encode(), payload_id, one.priority, one.after)
            for one, payload_id in messages
        ]
        self.held.hold(pause, kept)

    def wait(self, waiting: Sequence[tuple[Turn, Taken, str]]) -> None:
        """Keep messages, each with its turn and its payload id, until a limit has room."""
        assert self.turns is not None
        told = [
            (turn, HeldMessage(self._carried(one.body).encode(), payload_id, one.priority, one.after))
            for turn, one, payload_id in waiting
        ]
        self.turns.wait(told)

    def waits_for_limits(self) -> bool:
        """Whether messages wait for room in a limit."""
        return self.turns is not None and self.turns.any()

    def release_turns(self, now: int, names: Collection[str] | None = None) -> int:
        """Queue again what limits have room for, of these names or of all; gives how many were queued."""
        if self.turns is None or (names is not None and not names):
            return 0
        return self.turns.release(self._turned, now, names)

    def _turned(self, turned: Sequence[tuple[Turn, HeldMessage]]) -> None:
        for url in filter(None, (self._url, self.bulk)):
            some = [(turn, one) for turn, one in turned if (url == self.bulk) == (one.priority < 0 and bool(self.bulk))]
            self._send(url, [_with_turn(turn, one) for turn, one in some])

    def release_held(self, most: int) -> int:
        """Queue again what no pause holds any more, up to so many; gives how many were queued."""
        return self.held.release(self._queue_again, most)

    def _queue_again(self, held: Sequence[HeldMessage]) -> None:
        self.put([Message(one.body, one.payload_id, one.priority, one.after) for one in held], 0)

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        with reported(f"look at {url}"):
            answer = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
        return {name: answer.get("Attributes", {}).get(name, "0") for name in names}


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries in lists that a call may carry."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        more = _size(entry)
        if batch and (len(batch) >= BATCH or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch


def _size(entry: Entry) -> int:
    attributes = entry.get("MessageAttributes", {})
    told = sum(len(name) + 16 + len(str(value.get("StringValue", "")).encode()) for name, value in attributes.items())
    return len(str(entry.get("MessageBody", "")).encode()) + told


def _allowed(text: str) -> bool:
    """Whether SQS takes a text: it refuses some control characters, and what XML cannot hold."""
    return all(char >= " " or char in "\t\n\r" for char in text) and not ("\ufffe" in text or "\uffff" in text)


def _fenced(message: Message) -> dict[str, Any]:
    """The attribute that tells after which execution a message may begin."""
    if message.after is None:
        return {}
    return {"MessageAttributes": {AFTER: {"DataType": "String", "StringValue": message.after}}}


def _with_turn(turn: Turn, one: HeldMessage) -> Entry:
    """A message whose turn has come."""
    told = {TURN: str(turn)} | ({AFTER: one.after} if one.after else {})
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    return {"MessageBody": one.body.decode(), "MessageAttributes": attributes}


def _why(one: Rejected) -> dict[str, Any]:
    reason = one.reason[:_REASON] or "unknown"
    told = {"name": one.name, "reason": reason if _allowed(reason) else ascii(reason), "at": str(one.event.at)}
    return {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}


def _kept(message: Entry) -> Kept:
    told = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    at = told.get("at") or int(message["Attributes"]["SentTimestamp"]) * 1000
    reason = told.get("reason") or "it was taken too often and never settled"
    return Kept(told.get("name") or message["MessageId"], int(at), reason, message["Body"].encode())


def _by_queue(receipts: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for receipt in receipts:
        url, _, handle = receipt.partition("|")
        found.setdefault(url, []).append(handle)
    yield from found.items()
