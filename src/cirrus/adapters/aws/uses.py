"""Which executions were given an Item, and which made it: rows of the outbox table, where a deployment asks for them.

Rows are written before the claim or the end that they belong to. What was refused, and what belongs to a record that is
gone, is hidden when they are read: the record says which executions it has, and the token of the last end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from cirrus.adapters.aws.attributes import Row, cut, listed, number, text
from cirrus.adapters.aws.numbers import next_number
from cirrus.adapters.aws.tables import Tables
from cirrus.core.execution_id import from_arn
from cirrus.ports.state_db import ItemRef, ItemUse

BELOW = "item/"
_LONGEST = 2000
_PAGE = 100
Rows = Callable[[Sequence[str]], Mapping[str, Row]]


class ItemUses:
    """Uses of Items; `rows` reads the rows of records by their payload ids."""

    def __init__(self, tables: Tables, table: str) -> None:
        self._tables = tables
        self._table = table

    def write(self, uses: Sequence[ItemUse], token: str = "") -> None:
        """Keep uses; those of an end count once its record has the token."""
        self._tables.write(self._table, [{"PutRequest": {"Item": _row(use, token)}} for use in uses])

    def read(self, item_id: str, *, made: bool, limit: int, rows: Rows) -> list[ItemUse]:
        """The uses of an Item, the latest first."""
        found: dict[ItemUse, None] = {}
        some: list[Row] = []
        for row in self._tables.query(
            self._table,
            limit=_PAGE,
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": text(_target(item_id, made))},
            ConsistentRead=True,
            ScanIndexForward=False,
        ):
            some.append(row)
            if len(some) == _PAGE:
                found |= dict.fromkeys(_standing(some, made, rows))
                some = []
            if len(found) >= limit:
                break
        found |= dict.fromkeys(_standing(some, made, rows))
        return _ordered(list(found))[:limit]


def _ordered(uses: Sequence[ItemUse]) -> list[ItemUse]:
    """By execution as they came, the Items of each in order."""
    order = {execution_id: n for n, execution_id in enumerate(dict.fromkeys(one.execution_id for one in uses))}
    return sorted(uses, key=lambda one: (order[one.execution_id], one.item))


def _standing(some: Sequence[Row], made: bool, rows: Rows) -> Iterator[ItemUse]:
    """The uses of executions that records still have."""
    records = rows([row["payload_id"]["S"] for row in some]) if some else {}
    for row in some:
        record = records.get(row["payload_id"]["S"], {})
        known = [from_arn(arn) for arn in listed(record, "executions")]
        execution_id = row["execution"]["S"]
        current = bool(known) and known[-1] == execution_id
        ended = record.get("made", {}).get("S", "")
        if execution_id in known and not (made and current and ended != row["token"]["S"]):
            item = ItemRef(row["item"]["S"], row["collection"]["S"])
            yield ItemUse(item, made, row["payload_id"]["S"], execution_id, current)


def _target(item_id: str, made: bool) -> str:
    return cut(f"{BELOW}{'made' if made else 'given'}/{item_id}", _LONGEST)


def _row(use: ItemUse, token: str) -> Row:
    return {
        "target": text(_target(use.item.id, use.made)),
        "id": number(next_number()),
        "item": text(use.item.id),
        "collection": text(use.item.collection),
        "payload_id": text(use.payload_id),
        "execution": text(use.execution_id),
        "token": text(token),
    }
