"""Bundles: the deliveries of one transaction as one compressed row of the outbox table, for a fraction of the price.

Whoever writes a bundle delivers out of memory, and deletes it once all of it was sent. One that is due has lost its
writer: it is opened, which puts a row for each of its deliveries in its place.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.delivery_row import Outgoing
from cirrus.core.jsontext import decode, encode
from cirrus.ports.outbox import Delivery

TARGET = "bundle"
MOST = 90
_BYTES = 300_000


def bundled(rows: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """Deliveries in lists of which each fits into one row, and can be opened in one transaction."""
    some: list[Outgoing] = []
    size = 0
    for one in rows:
        if some and (len(some) >= MOST or size + one.size > _BYTES):
            yield some
            some, size = [], 0
        some.append(one)
        size += one.size
    if some:
        yield some


def bundle_row(id_: int, due: int, rows: Sequence[Outgoing]) -> Row:
    """The row of a bundle."""
    told = [[str(one.delivery.id), one.delivery.target, one.delivery.kind, one.delivery.payload_id, one.stored.decode()]
            for one in rows]  # fmt: skip
    return {"target": text(TARGET), "id": number(id_), "due": number(due), "packed": {"B": zlib.compress(encode(told))}}


def opened(row: Row) -> list[Outgoing]:
    """The deliveries in the row of a bundle, due when it is."""
    told = decode(zlib.decompress(bytes(row["packed"]["B"])))
    due = int(row["due"]["N"])
    return [
        Outgoing(Delivery(int(id_), target, kind, payload_id, stored.encode(), 0), stored.encode(), due)
        for id_, target, kind, payload_id, stored in told
    ]
