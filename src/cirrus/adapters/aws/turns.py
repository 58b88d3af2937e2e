"""Messages that wait for room in a limit: rows of the outbox table below `held/limit/`, in order of age.

Where a limit has room the oldest are queued again, each with the number of its turn. A row stays, leased, until its
message was dealt with: one that got lost is queued once more, one that found no room after all keeps its place. It
keeps the name of the message that it was at first, for which it is claimed, so that whichever comes again runs nothing
twice.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cirrus.adapters.aws import delivery_row
from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.held import HeldMessage, held_message, held_row
from cirrus.adapters.aws.numbers import next_number
from cirrus.adapters.aws.slots import Seen, Slots
from cirrus.adapters.aws.tables import STATEMENT_BATCH, Tables
from cirrus.core.instant import SECOND

BELOW = "held/limit/"
LEASE = 300 * SECOND


@dataclass(frozen=True, slots=True)
class Turn:
    """A place among those that wait for a limit; `origin` is the receipt that its message had at first."""

    name: str
    number: int
    origin: str

    def __str__(self) -> str:
        return f"{self.number} {self.origin} {self.name}"

    @property
    def key(self) -> Row:
        """The key of its row."""
        return delivery_row.key(BELOW + self.name, self.number)


def read_turn(value: str | None) -> Turn | None:
    """The turn that a message tells; None if it is none."""
    number_, _, rest = (value or "").partition(" ")
    origin, _, name = rest.partition(" ")
    return Turn(name, int(number_), origin) if number_.isdigit() and name else None


def place(first: int | None, receipt: str) -> int:
    """The number of a message's turn: by when it was given first, in milliseconds, and the same when given again."""
    if first is None:
        return next_number()
    return first * 1_000_000 << 24 | int.from_bytes(hashlib.sha256(receipt.encode()).digest()[:3], "big")


class Turns:
    """What waits for the limits of one deployment."""

    def __init__(self, tables: Tables, table: str, slots: Slots) -> None:
        self._tables = tables
        self._table = table
        self._slots = slots

    def wait(self, waiting: Sequence[tuple[Turn, HeldMessage]]) -> None:
        """Let messages wait; one that waited before keeps its place."""
        rows = [held_row(BELOW + turn.name, one, turn.number) | {"origin": text(turn.origin)} for turn, one in waiting]
        self._tables.write(self._table, [{"PutRequest": {"Item": row}} for row in rows])
        self._slots.wait([turn.name for turn, _ in waiting], secrets.token_hex(8))

    def gone(self, turns: Iterable[Turn]) -> None:
        """These were dealt with."""
        self._tables.write(self._table, [{"DeleteRequest": {"Key": one.key}} for one in turns])

    def release(
        self, queue: Callable[[Sequence[tuple[Turn, HeldMessage]]], None], now: int, names: Iterable[str] | None = None
    ) -> int:
        """Queue again what limits have room for, of these names or of all; gives how many were queued."""
        seen = self._slots.all() if names is None else self._slots.read(names)[1].values()
        return sum(self._release(one, queue, now) for one in seen if one.waiting)

    def _release(self, seen: Seen, queue: Callable[[Sequence[tuple[Turn, HeldMessage]]], None], now: int) -> int:
        room, done, some = self._slots.free(self._slots.limit(seen.name), seen, now), 0, True
        rows = self._tables.query(self._table, **_asked(BELOW + seen.name))
        free: list[Row] = []
        while room > 0 and (row := next(rows, None)):
            some = False
            room -= 1  # those on their way have their part of the room
            if not now < int(row.get("until", {}).get("N", "0")) <= now + LEASE:
                free.append(row)
        for start in range(0, len(free), STATEMENT_BATCH):
            leased = self._leased(free[start : start + STATEMENT_BATCH], now)
            queue([(Turn(seen.name, int(row["id"]["N"]), row["origin"]["S"]), held_message(row)) for row in leased])
            done += len(leased)
        if some and next(iter(self._tables.query(self._table, limit=1, **_asked(BELOW + seen.name))), None) is None:
            self._slots.waited(seen)
        return done

    def _leased(self, rows: Sequence[Row], now: int) -> list[Row]:
        """The rows of these that nobody else queues now."""
        statement = f'UPDATE "{self._table}" SET until = ? WHERE target = ? AND id = ? AND '
        asked = [
            (
                statement + ("until = ?" if "until" in row else "until IS MISSING"),
                [number(now + LEASE), row["target"], row["id"], *([row["until"]] if "until" in row else [])],
            )
            for row in rows
        ]
        granted = self._tables.execute("let messages have their turn", asked)
        return [row for row, ours in zip(rows, granted, strict=True) if ours]

    def any(self) -> bool:
        """Whether something waits."""
        return any(one.waiting for one in self._slots.all())

    def waiting(self) -> int:
        """How many messages wait for limits."""
        names = [one.name for one in self._slots.all() if one.waiting]
        return sum(self._tables.count(self._table, **_asked(BELOW + name)) for name in names)

    def find(self, payload_id: str) -> list[str]:
        """The limits for which a message of this payload id waits."""
        found = []
        for one in self._slots.all() if self._slots else ():
            rows = self._tables.query(self._table, **_asked(BELOW + one.name)) if one.waiting else iter(())
            found += [one.name] * any(row["payload_id"]["S"] == payload_id for row in islice(rows, 10_000))
        return found


def _asked(target: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "target = :target",
        "ExpressionAttributeValues": {":target": text(target)},
        "ConsistentRead": True,
    }
