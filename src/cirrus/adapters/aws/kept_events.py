"""Events that a deployment keeps: a target of the outbox, so that what is kept is as sure as what is sent.

Each send makes one compressed row for each payload, and one for all of them together in the feed of its day. Events are
numbered when they are kept. The feed shows what is older than some seconds, so that whoever follows it misses nothing
that another function has numbered before and written after. An event that was kept twice is shown once, as long as both
are read together.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from cirrus.adapters.aws.attributes import Row, cut, number, text
from cirrus.adapters.aws.delivery_row import key
from cirrus.adapters.aws.numbers import DAY_SPAN, at_time, next_number
from cirrus.adapters.aws.portions import portions
from cirrus.adapters.aws.tables import Tables
from cirrus.core.event import WorkflowEvent, from_body
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import decode, encode
from cirrus.ports.outbox import Delivery
from cirrus.ports.target import Failed

KEPT = "kept-events"
DAYS = "event-days"
OF_PAYLOAD, OF_DAY = "event/", "event-feed/"
_DAY = 86_400 * SECOND
_MOST = 500  # events in a row
_BYTES = 1_000_000  # of them, before they are compressed
_LONGEST = 2000
_SETTLED = 5.0
_known: set[tuple[str, int]] = set()
Numbered = tuple[int, Delivery]


class KeptEvents:
    """Events in the outbox table, for `age` microseconds (None: for ever)."""

    def __init__(self, tables: Tables, table: str, age: int | None = None, settled: float = _SETTLED) -> None:
        self._tables = tables
        self._table = table
        self._age = age
        self._settled = settled

    # ---------------------------------------------------------------- writing

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Keep events, all of them or StoreError."""
        first = next_number()
        numbered = list(enumerate(deliveries, first))
        day = first // DAY_SPAN
        payloads: dict[str, list[Numbered]] = {}
        for one in numbered:
            payloads.setdefault(one[1].payload_id, []).append(one)
        rows = [
            self._row(_of_payload(known), some)
            for known, every in payloads.items()
            for some in portions(every, _MOST, _BYTES)
        ]
        rows += [self._row(f"{OF_DAY}{day}", some) for some in portions(numbered, _MOST, _BYTES)]
        new = (self._table, day) not in _known
        rows += [{**key(DAYS, day), **self._expiring(_DAY)}] if new else []
        self._tables.write(self._table, [{"PutRequest": {"Item": row}} for row in rows])
        _known.add((self._table, day))
        return {}

    def _row(self, target: str, some: Sequence[Numbered]) -> Row:
        told = [[str(at), str(one.id), one.body.decode()] for at, one in some]
        return {**key(target, some[0][0]), "packed": {"B": zlib.compress(encode(told))}, **self._expiring()}

    def _expiring(self, more: int = 0) -> Row:
        """When DynamoDB is to remove a row, in seconds since the epoch."""
        return {} if self._age is None else {"expires": number(int(time.time()) + (self._age + more) // SECOND)}

    # ---------------------------------------------------------------- reading

    def read(self, payload_id: str | None, after: int, limit: int) -> list[tuple[int, WorkflowEvent]]:
        """Events in the order in which they were kept, those after the number `after`."""
        if limit <= 0:
            return []
        found: list[tuple[int, WorkflowEvent]] = []
        seen: set[str] = set()
        for known, delivery, body in self._read(payload_id, after):
            if delivery not in seen:
                seen.add(delivery)
                found.append((known, from_body(decode(body))))
            if len(found) >= limit:
                break
        return found

    def _read(self, payload_id: str | None, after: int) -> Iterator[tuple[int, str, str]]:
        if payload_id is not None:
            targets, until = [_of_payload(payload_id)], at_time(time.time() + 3600)
        else:
            days = (int(row["id"]["N"]) for row in self._query(DAYS, max(0, after // DAY_SPAN - 1), 10**12))
            targets, until = [f"{OF_DAY}{day}" for day in days], at_time(time.time() - self._settled)
        for target in targets:
            for row in self._query(target, max(0, after - _MOST), until):
                for known, delivery, body in decode(zlib.decompress(bytes(row["packed"]["B"]))):
                    if int(known) > after:
                        yield int(known), delivery, body

    def _query(self, target: str, low: int, high: int) -> Iterator[Row]:
        return self._tables.query(
            self._table,
            KeyConditionExpression="target = :target AND id BETWEEN :low AND :high",
            ExpressionAttributeValues={":target": text(target), ":low": number(low), ":high": number(high)},
            ConsistentRead=True,
        )

    def forget(self, payload_id: str) -> None:
        """Remove what is kept of a payload alone; in the feeds of their days events stay until they are old."""
        target = _of_payload(payload_id)
        keys: list[dict[str, Any]] = [
            {"DeleteRequest": {"Key": {name: row[name] for name in ("target", "id")}}}
            for row in self._query(target, 0, at_time(time.time() + 3600))
        ]
        self._tables.write(self._table, keys)


def _of_payload(payload_id: str) -> str:
    return cut(OF_PAYLOAD + payload_id, _LONGEST)
