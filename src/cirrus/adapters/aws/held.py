"""Pauses, and the messages that they hold back: rows of the outbox table, since SQS holds back nothing in part.

A pause is a row. What is paused is taken out of the queue and stands below `held/`, in order, until its pause is
lifted; then a sweep queues it again. Which scopes hold something stands in rows of their own, whose token changes
with every message, so that none is forgotten while it fills.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cirrus.adapters.aws import delivery_row
from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.numbers import next_number
from cirrus.adapters.aws.tables import WRITE_BATCH, Tables
from cirrus.core.throttle import Pause
from cirrus.errors import ConfigError

PAUSES, SCOPES, HELD = "pauses", "held", "held/"
FRESH = 5.0
_NO_TABLE = "this deployment has no table for pauses: deploy it again to have one"


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A message that waits for a pause to be lifted; `body` is its text, or where that stands."""

    body: bytes
    payload_id: str
    priority: int = 0
    after: str | None = None


class Held:
    """Pauses of one deployment; they are looked at again after five seconds."""

    def __init__(self, tables: Tables, table: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._name = table
        self._clock = clock
        self._known: list[Pause] = []
        self._until = 0.0

    # ---------------------------------------------------------------- pauses

    def pause(self, pause: Pause) -> None:
        """Hold back a scope; a second pause of the scope replaces the first. ConfigError without a table."""
        row = {
            **_key(PAUSES, pause.kind, pause.name),
            "kind": text(pause.kind),
            "name": text(pause.name),
            "at": number(pause.at),
            "reason": text(pause.reason),
        }
        self._tables.write(self._table, [{"PutRequest": {"Item": row}}])
        self._until = 0.0

    def resume(self, kind: str, name: str) -> bool:
        """Lift the pause of a scope; False if there was none."""
        if self._name is None:
            return False
        key = _key(PAUSES, kind, name)
        statement = f'DELETE FROM "{self._table}" WHERE target = ? AND id = ? AND kind = ?'
        done = self._tables.execute("lift a pause", [(statement, [key["target"], key["id"], text(kind)])]) == [True]
        self._until = 0.0
        return done

    def pauses(self, *, fresh: bool = False) -> list[Pause]:
        """The pauses that hold, the oldest first; as they were five seconds ago at most, or now."""
        if self._name is None:
            return []
        if fresh or self._clock() >= self._until:
            self._known = sorted((_pause(row) for row in self._rows(PAUSES)), key=lambda one: (one.at, one.kind))
            self._until = self._clock() + FRESH
        return list(self._known)

    # ---------------------------------------------------------------- what they hold

    def hold(self, pause: Pause, messages: Sequence[HeldMessage]) -> None:
        """Keep messages until the pause is lifted."""
        target = HELD + pause.kind + "/" + pause.name
        rows = [held_row(target, one, next_number()) for one in messages]
        scope = {**_key(SCOPES, pause.kind, pause.name), "kind": text(pause.kind), "name": text(pause.name)}
        scope["token"] = text(secrets.token_hex(8))
        self._tables.write(self._table, [{"PutRequest": {"Item": row}} for row in rows])
        self._tables.write(self._table, [{"PutRequest": {"Item": scope}}])

    def release(self, queue: Callable[[Sequence[HeldMessage]], None], most: int) -> int:
        """Queue again what no pause holds any more, up to so many; gives how many were queued."""
        done = 0
        paused = {(one.kind, one.name) for one in self.pauses(fresh=True)}
        for scope in self._rows(SCOPES) if self._name is not None else ():
            kind, name = scope["kind"]["S"], scope["name"]["S"]
            if (kind, name) not in paused:
                done += self._emptied(f"{HELD}{kind}/{name}", scope, queue, most - done)
        return done

    def _emptied(self, target: str, scope: Row, queue: Callable[[Sequence[HeldMessage]], None], most: int) -> int:
        done = 0
        rows = self._rows(target)
        while done < most and (some := list(islice(rows, min(WRITE_BATCH, most - done)))):
            queue([held_message(row) for row in some])
            keys = [{"DeleteRequest": {"Key": {name: row[name] for name in ("target", "id")}}} for row in some]
            self._tables.write(self._table, keys)
            done += len(some)
        if done < most:
            statement = f'DELETE FROM "{self._table}" WHERE target = ? AND id = ? AND token = ?'
            self._tables.execute("forget a scope", [(statement, [scope["target"], scope["id"], scope["token"]])])
        return done

    def waiting(self) -> int:
        """How many messages are held back."""
        if self._name is None:
            return 0
        targets = [f"{HELD}{row['kind']['S']}/{row['name']['S']}" for row in self._rows(SCOPES)]
        return sum(self._tables.count(self._table, **_asked(target)) for target in targets)

    def find(self, payload_id: str) -> Iterator[Pause]:
        """The scopes in which a message of this payload id is held back, as far as they are still paused."""
        for pause in self.pauses(fresh=True):
            rows = self._rows(f"{HELD}{pause.kind}/{pause.name}")
            if any(row["payload_id"]["S"] == payload_id for row in rows):
                yield pause

    def _rows(self, target: str) -> Iterator[Row]:
        return self._tables.query(self._table, **_asked(target))

    @property
    def _table(self) -> str:
        if self._name is None:
            raise ConfigError("AWS", [_NO_TABLE])
        return self._name


def _asked(target: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "target = :target",
        "ExpressionAttributeValues": {":target": text(target)},
        "ConsistentRead": True,
    }


def _key(target: str, kind: str, name: str) -> Row:
    """The key of a scope's row: a number that its name gives."""
    return delivery_row.key(target, int.from_bytes(hashlib.sha256(f"{kind}/{name}".encode()).digest()[:8], "big"))


def _pause(row: Mapping[str, Any]) -> Pause:
    return Pause(row["kind"]["S"], row["name"]["S"], int(row["at"]["N"]), row["reason"]["S"])


def held_row(target: str, one: HeldMessage, id_: int) -> Row:
    """The row of a message that waits."""
    row = {
        **delivery_row.key(target, id_),
        "body": text(one.body.decode()),
        "payload_id": text(one.payload_id),
        "priority": number(one.priority),
    }
    return row | ({"after": text(one.after)} if one.after else {})


def held_message(row: Mapping[str, Any]) -> HeldMessage:
    """The message of a row."""
    after = row.get("after", {}).get("S")
    return HeldMessage(row["body"]["S"].encode(), row["payload_id"]["S"], int(row["priority"]["N"]), after)
