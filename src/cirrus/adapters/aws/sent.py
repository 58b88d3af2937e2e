"""What was sent, as the ledger shows it: compressed rows of the outbox table, where a deployment keeps them.

A row holds deliveries of one target that were made within some minutes of one another, and its number is the least of
theirs with something random behind it: so rows can be read in the order of deliveries, and none takes another's place.
"""

from __future__ import annotations

import heapq
import secrets
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.delivery_row import Outgoing, entry, key
from cirrus.adapters.aws.numbers import at_time
from cirrus.adapters.aws.tables import Tables
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import decode, encode
from cirrus.ports.outbox import Attempted, Entered

BELOW = "sent/"
_SPAN = at_time(900)
_MOST = 500
_BITS = 20


class Sent:
    """Deliveries that were sent, kept for `age` microseconds (None: for ever)."""

    def __init__(self, tables: Tables, table: str, age: int | None = None) -> None:
        self._tables = tables
        self._table = table
        self._age = age
        self._noted: list[Entered] = []

    def note(self, one: Outgoing, result: Attempted) -> None:
        """A delivery was sent; `rows` writes that down."""
        attempts = one.delivery.attempts + int(result.tried)
        told = entry(replace(one, error=None, due=0))
        self._noted.append(replace(told, attempts=attempts, sent=result.at))

    def rows(self) -> list[Row]:
        """What is to be written of all that was noted, once."""
        noted, self._noted = sorted(self._noted, key=lambda one: one.id), []
        targets: dict[str, list[Entered]] = {}
        for one in noted:
            targets.setdefault(one.target, []).append(one)
        return [
            {"PutRequest": {"Item": self._row(target, some)}}
            for target, every in targets.items()
            for some in _portions(every)
        ]

    def _row(self, target: str, some: Sequence[Entered]) -> Row:
        told = [[str(one.id), one.kind, one.payload_id, one.attempts, one.sent] for one in some]
        until = {} if self._age is None else {"expires": number(int(time.time()) + self._age // SECOND)}
        at = some[0].id << _BITS | secrets.randbits(_BITS)
        return {
            **key(BELOW + target, at),
            "n": number(len(some)),
            "packed": {"B": zlib.compress(encode(told))},
            **until,
        }

    # ---------------------------------------------------------------- reading

    def entries(self, targets: Sequence[str], after: int) -> Iterator[Entered]:
        """What was sent to these targets by its ids, after the id `after`; none twice."""
        last = after
        for one in heapq.merge(*(self._of(target, after) for target in targets), key=lambda one: one.id):
            if one.id > last:
                last = one.id
                yield one

    def _of(self, target: str, after: int) -> Iterator[Entered]:
        """In order: a delivery comes once no row that follows can hold an earlier one."""
        waiting: list[tuple[int, int, Entered]] = []
        numbered = 0
        for row in self._query(target, max(0, after - _SPAN) << _BITS):
            least = int(row["id"]["N"]) >> _BITS
            while waiting and waiting[0][0] < least:
                yield heapq.heappop(waiting)[2]
            for id_, kind, payload_id, attempts, sent in decode(zlib.decompress(bytes(row["packed"]["B"]))):
                numbered += 1
                one = Entered(int(id_), target, kind, payload_id, attempts, 0, sent=sent)
                heapq.heappush(waiting, (one.id, numbered, one))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def count(self, target: str) -> int:
        """How many deliveries to a target are kept: all of its rows are read."""
        return sum(int(row["n"]["N"]) for row in self._query(target, 0, ProjectionExpression="n"))

    def _query(self, target: str, low: int, **more: Any) -> Iterator[Row]:
        return self._tables.query(
            self._table,
            KeyConditionExpression="target = :target AND id >= :low",
            ExpressionAttributeValues={":target": text(BELOW + target), ":low": number(low)},
            **more,
        )


def _portions(entries: Sequence[Entered]) -> Iterator[list[Entered]]:
    """Entries in lists of which each is a row."""
    some: list[Entered] = []
    for one in entries:
        if some and (len(some) >= _MOST or one.id - some[0].id > _SPAN):
            yield some
            some = []
        some.append(one)
    if some:
        yield some
