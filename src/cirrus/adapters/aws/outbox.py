"""The outbox port on DynamoDB: a row for each delivery that waits, by target and number; what was sent is deleted.

What this process has just written is delivered by it at once, out of memory: such rows are due for others only after a
moment, so that a sweeper takes over what this process dropped. Events that belong to no end are held in memory alone
(unless `keep_all`), and written down when they could not be sent.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cirrus.adapters.aws.attributes import Row, arns, key, number, text
from cirrus.adapters.aws.tables import LAST_NUMBER, Tables
from cirrus.core.execution_id import from_arn
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import named_execution, oversized_key
from cirrus.errors import StoreError
from cirrus.ports.outbox import LONGEST, Attempted, Delivery, Entered, Ledger
from cirrus.ports.payloads import Payloads

GRACE = 90 * SECOND
_SLACK = 60 * SECOND
_MOST = 300_000
_HOLD, _PARKED, _POINTER = "hold/", "parked/", b'{"url":'
_last = 0
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery with what its row holds: `stored` is the body as it is written, `written` whether there is a row."""

    delivery: Delivery
    stored: bytes
    due: int
    written: bool = True
    error: str | None = None

    @property
    def size(self) -> int:
        """About how many bytes its row takes."""
        return len(self.stored) + len(self.delivery.payload_id) + 200


class DynamoOutbox:
    """Deliveries in a table; `grace` is how long, in microseconds, only their writer delivers them (0: anybody)."""

    def __init__(
        self,
        tables: Tables,
        table: str | None,
        payloads: Payloads,
        *,
        state_table: str | None = None,
        root: str = "cirrus",
        grace: int = GRACE,
        keep_all: bool = False,
    ) -> None:
        self._tables = tables
        self._name = table
        self._payloads = payloads
        self._state = state_table
        self._root = root
        self._grace = grace
        self._keep_all = keep_all
        self._fresh: dict[int, Outgoing] = {}
        self._taken: dict[int, Outgoing] = {}
        self._held: set[str] = set()
        self._gone: list[Row] = []

    def fresh(self) -> set[str]:
        """The targets for which this process has just written something."""
        return {one.delivery.target for one in self._fresh.values()}

    # ---------------------------------------------------------------- what conclusions write

    def row(
        self, target: str, kind: str, payload_id: str, body: bytes, at: int, stored: bytes | None = None
    ) -> Outgoing:
        """A delivery to write with an end; `stored` is what its row holds in place of a body that stands elsewhere."""
        delivery = Delivery(_number(), target, kind, payload_id, body, 0)
        kept = self._bounded(body) if stored is None else stored
        return Outgoing(delivery, kept, at + self._grace, written=self._name is not None)

    def putting(self, one: Outgoing) -> Row | None:
        """The part of a transaction that writes a delivery; None where there is no table for it."""
        if self._name is None:
            return None
        return {"Put": {"TableName": self._name, "Item": _row(one), "ConditionExpression": "attribute_not_exists(id)"}}

    def hold_fresh(self, rows: Sequence[Outgoing]) -> None:
        """The rows were written by this process, which delivers them at once."""
        if self._grace or self._name is None:
            self._fresh |= {one.delivery.id: one for one in rows}

    def announce(self, target: str, kind: str, payload_id: str, body: bytes, at: int) -> None:
        """Add a delivery that belongs to no end."""
        if self._keep_all and self._name is not None:
            self.put(target, kind, payload_id, body)
            return
        one = self.row(target, kind, payload_id, body, at)
        self._fresh[one.delivery.id] = replace(one, written=False)

    # ---------------------------------------------------------------- the port

    def put(self, target: str, kind: str, payload_id: str, body: bytes) -> None:
        """Add a delivery, due at once."""
        delivery = Delivery(_number(), target, kind, payload_id, body, 0)
        one = Outgoing(delivery, self._bounded(body), 0)
        self._tables.write(self._table, [{"PutRequest": {"Item": _row(one)}}])

    def take(self, target: str, limit: int, *, owner: str, now: int, until: int) -> list[Delivery]:
        """Lease the oldest deliveries of a target; none while another owner holds the target.

        What this process has just written comes first, and needs no lease.
        """
        fresh = [one for one in self._fresh.values() if one.delivery.target == target]
        if fresh or self._name is None:
            found = fresh[:limit]
        elif self._due(target, 1, now) and self._hold(target, owner, now, until):
            found = self._due(target, limit, now)
        else:
            return []
        self._taken |= {one.delivery.id: one for one in found}
        return [self._resolved(one) for one in found]

    def _due(self, target: str, limit: int, now: int) -> list[Outgoing]:
        put_off: set[str] = set()
        found: list[Outgoing] = []
        for row in self._rows(target):
            one = _outgoing(row)
            if now < one.due <= now + LONGEST:
                put_off.add(one.delivery.payload_id)
            elif one.delivery.payload_id not in put_off:
                found.append(one)
                if len(found) >= limit:
                    break
        return found

    def _rows(self, target: str, ascending: bool = True) -> Any:
        return self._tables.query(
            self._table,
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": text(target)},
            ConsistentRead=True,
            ScanIndexForward=ascending,
        )

    def _hold(self, target: str, owner: str, now: int, until: int) -> bool:
        statement = f'UPDATE "{self._table}" SET holder = ? SET until = ? WHERE target = ? AND id = ?'
        free = " AND (holder = ? OR until <= ? OR until > ?)"
        values = [text(owner), number(until), text(_lease(target)), number(0)]
        taken = [text(owner), number(now), number(until + _SLACK)]
        done = self._tables.execute(f"hold {target}", [(statement + free, [*values, *taken])]) == [True]
        if not done:
            made = f"INSERT INTO \"{self._table}\" VALUE {{'holder':?,'until':?,'target':?,'id':?}}"
            done = self._tables.execute(f"hold {target}", [(made, values)]) == [True]
        if done:
            self._held.add(target)
        return done

    def _resolved(self, one: Outgoing) -> Delivery:
        """The delivery with the real body, where the row only says where it stands."""
        body = one.delivery.body
        if one.delivery.id not in self._fresh and one.delivery.kind != "payload" and body.startswith(_POINTER):
            body = self._payloads.get(decode(body)["url"])
        return replace(one.delivery, body=body)

    def settle(self, owner: str, attempted: Sequence[Attempted]) -> None:
        """Write down what became of deliveries, and let go of their target.

        A failure of what somebody else has settled meanwhile changes nothing. Rows that this process has just written
        are deleted by `flush`.
        """
        gone: list[Row] = []
        targets: set[str] = set()
        for result in attempted:
            fresh = self._fresh.pop(result.id, None)
            one = fresh or self._taken.get(result.id)
            self._taken.pop(result.id, None)
            if one is None:
                continue
            targets.add(one.delivery.target)
            if result.error is not None:
                self._failed(one, result)
            elif one.written:
                (self._gone if fresh else gone).append({"DeleteRequest": {"Key": _key(one.delivery.target, result.id)}})
        if gone:
            self._tables.write(self._table, gone)
        for target in targets & self._held:
            self._let_go(target, owner)

    def flush(self) -> None:
        """Delete the rows of what this process has written and sent, of all targets in one go."""
        gone, self._gone = self._gone, []
        if gone:
            self._tables.write(self._table, gone)

    def _failed(self, one: Outgoing, result: Attempted) -> None:
        delivery = replace(one.delivery, attempts=one.delivery.attempts + int(result.tried))
        parked = result.again is None
        to = replace(delivery, target=_parked(delivery.target)) if parked else delivery
        row = _row(replace(one, delivery=to, due=result.again or result.at, error=result.error))
        if not one.written:
            self._tables.write(self._table, [{"PutRequest": {"Item": row}}])
        else:
            self._move(one.delivery, row)

    def _move(self, delivery: Delivery, row: Row) -> bool:
        """Put a row in the place of a delivery's, which may stand under another target; False if that is gone."""
        there = {"ConditionExpression": "attribute_exists(id)", "TableName": self._table}
        put: Row = {"Put": {"TableName": self._table, "Item": row}}
        old = _key(delivery.target, delivery.id)
        if row["target"] == old["target"]:
            actions = [{"Put": {**put["Put"], **there}}]
        else:
            actions = [{"Delete": {"Key": old, **there}}, put]
        return not self._tables.transact("write down a delivery", actions, secrets.token_hex(16))

    def _let_go(self, target: str, owner: str) -> None:
        statement = f'DELETE FROM "{self._table}" WHERE target = ? AND id = ? AND holder = ?'
        self._tables.execute(f"let go of {target}", [(statement, [text(_lease(target)), number(0), text(owner)])])
        self._held.discard(target)

    def waiting(self, target: str) -> tuple[int, int | None]:
        """How many deliveries of a target wait, and the instant at which the first is due (None if none waits)."""
        behind: dict[str, int] = {}
        due: list[int] = []
        for row in self._rows(target) if self._name is not None else ():
            one = _outgoing(row)
            behind[one.delivery.payload_id] = max(one.due, behind.get(one.delivery.payload_id, 0))
            due.append(behind[one.delivery.payload_id])
        return len(due), min(due, default=None)

    def ledger(self) -> list[Ledger]:
        """The state of every target for which something waits or was parked; what was sent is not counted here."""
        found: dict[str, list[Entered]] = {}
        for one in self._entered(None):
            found.setdefault(one.target, []).append(one)
        return [
            Ledger(
                target,
                sum(one.state == "waiting" for one in entries),
                0,
                sum(one.state == "parked" for one in entries),
                next((one.error for one in reversed(entries) if one.error), None),
            )
            for target, entries in sorted(found.items())
        ]

    def entries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        payload_id: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[Entered]:
        """Deliveries that wait or are parked, one by one, by their ids; those after the id `after`."""
        found = [
            one
            for one in self._entered(target)
            if one.id > after and state in {None, one.state} and payload_id in {None, one.payload_id}
        ]
        return found[:limit]

    def _entered(self, target: str | None) -> list[Entered]:
        if self._name is None:
            return []
        known = self._tables.groups(self._name, "target", LAST_NUMBER) if target is None else [target, _parked(target)]
        rows = [row for name in known if not name.startswith(_HOLD) for row in self._rows(name)]
        return sorted((_entry(row) for row in rows), key=lambda one: one.id)

    def again(self, ids: Sequence[int], at: int) -> set[int]:
        """Let parked deliveries wait again: due at `at`, in their old order, their attempts counted anew.

        Gives those that do. Items stay parked where a later execution of the payload has begun: they would put an old
        version over a new one.
        """
        done: set[int] = set()
        for one in self._parked_ones(ids):
            delivery = one.delivery
            target = delivery.target.removeprefix(_PARKED)
            row = _row(replace(one, delivery=replace(delivery, target=target, attempts=0), due=at))
            if not (delivery.kind == "items" and self._outdated(one)) and self._move(delivery, row):
                done.add(delivery.id)
        return done

    def drop(self, ids: Sequence[int]) -> set[int]:
        """Take parked deliveries off the ledger, for good; gives those that were."""
        found = self._parked_ones(ids)
        keys = [_key(one.delivery.target, one.delivery.id) for one in found]
        self._tables.write(self._table, [{"DeleteRequest": {"Key": key}} for key in keys])
        return {one.delivery.id for one in found}

    def _parked_ones(self, ids: Sequence[int]) -> list[Outgoing]:
        known = [name for name in self._tables.groups(self._table, "target", LAST_NUMBER) if name.startswith(_PARKED)]
        keys = [_key(name, number_) for name in known for number_ in dict.fromkeys(ids)]
        return [_outgoing(row) for row in self._tables.get(self._table, keys)]

    def _outdated(self, one: Outgoing) -> bool:
        """Whether the Items are not those of the payload's latest execution."""
        if self._state is None or not one.stored.startswith(_POINTER):
            return False
        named = named_execution(self._payloads.key(decode(one.stored)["url"]))
        rows = self._tables.get(self._state, [key(one.delivery.payload_id)])
        known = arns(rows[0]) if rows else []
        return bool(named and known) and from_arn(known[-1]) != (named.execution_id if named else "")

    @property
    def _table(self) -> str:
        if self._name is None:
            raise StoreError("this deployment has no table for what is to be sent: deploy it again to have one")
        return self._name

    def _bounded(self, body: bytes) -> bytes:
        """A body as a row can hold it: itself, or where it stands."""
        if len(body) <= _MOST:
            return body
        return encode({"url": self._payloads.put(oversized_key(self._root, secrets.token_hex(16)), body)})


def _key(target: str, id_: int) -> Row:
    return {"target": text(target), "id": number(id_)}


def _entry(row: Row) -> Entered:
    one = _outgoing(row)
    parked = one.delivery.target.startswith(_PARKED)
    return Entered(
        id=one.delivery.id,
        target=one.delivery.target.removeprefix(_PARKED),
        kind=one.delivery.kind,
        payload_id=one.delivery.payload_id,
        attempts=one.delivery.attempts,
        due=0 if parked else one.due,
        error=one.error,
        parked=one.due if parked else None,
    )


def _row(one: Outgoing) -> Row:
    delivery = one.delivery
    row = {
        "target": text(delivery.target),
        "id": number(delivery.id),
        "kind": text(delivery.kind),
        "payload_id": text(delivery.payload_id),
        "body": text(one.stored.decode()),
        "due": number(one.due),
        "attempts": number(delivery.attempts),
    }
    return row if one.error is None else {**row, "error": text(one.error)}


def _outgoing(row: Row) -> Outgoing:
    body = row["body"]["S"].encode()
    delivery = Delivery(
        id=int(row["id"]["N"]),
        target=row["target"]["S"],
        kind=row["kind"]["S"],
        payload_id=row["payload_id"]["S"],
        body=body,
        attempts=int(row["attempts"]["N"]),
    )
    return Outgoing(delivery, body, int(row["due"]["N"]), error=row.get("error", {}).get("S"))


def _lease(target: str) -> str:
    return _HOLD + target


def _parked(target: str) -> str:
    return _PARKED + target


def _number() -> int:
    """A number greater than every one that this process gave before, and unlike those of others."""
    global _last  # one sequence for all outboxes of a process
    with _lock:
        _last = max(_last + 1, time.time_ns() << 24 | secrets.randbits(24))
        return _last
