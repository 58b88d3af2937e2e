"""The outbox port on DynamoDB: a row for each delivery that waits, by target and number. What was sent is deleted,
and kept in another form where a deployment asks for that.

What follows from ends is written in bundles (`bundle`) and delivered by their writer at once, out of memory: bundles
are due for others only after a moment, so that a sweeper takes over what their writer dropped. Events that belong to
no end are held in memory alone (unless `keep_all`), and written down when they could not be sent.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from cirrus.adapters.aws import attributes, bundle
from cirrus.adapters.aws import delivery_row as rows_of
from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.delivery_row import PARKED, Outgoing
from cirrus.adapters.aws.numbers import next_number
from cirrus.adapters.aws.sent import BELOW, Sent
from cirrus.adapters.aws.tables import LAST_NUMBER, Tables
from cirrus.core.execution_id import from_arn
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import named_execution, oversized_key
from cirrus.core.lease import SLACK, Lease
from cirrus.errors import StoreError
from cirrus.ports.outbox import LONGEST, Attempted, Delivery, Entered, Ledger
from cirrus.ports.payloads import Payloads
from cirrus.ports.queue import Message

GRACE = 90 * SECOND
QUEUE = "queue"
RERUN = "rerun"
_INLINE = 60_000
_MOST = 300_000
_HOLD, _POINTER = "hold/", b'{"url":'
_OTHERS = frozenset({bundle.TARGET, "pauses", "held", "campaigns", "index", "event-days"})
_OTHERS_BELOW = (_HOLD, "held/", "campaign/", "item/", "event/", "event-feed/", BELOW)
_UNTOLD = frozenset({"kept-events"})  # what is kept is told by itself


class DynamoOutbox:
    """Deliveries in a table; `grace` is how long, in microseconds, only their writer delivers them (0: anybody).

    `targets` are all that there are; where none are given, they are listed from the table. `sent` keeps what was sent.
    """

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
        targets: Collection[str] = (),
        sent: Sent | None = None,
    ) -> None:
        self._tables = tables
        self._name = table
        self._payloads = payloads
        self._state = state_table
        self._root = root
        self._grace = grace
        self._keep_all = keep_all
        self._targets = tuple(targets)
        self._sent = sent
        self._fresh: dict[int, Outgoing] = {}
        self._taken: dict[int, Outgoing] = {}
        self._held: set[str] = set()
        self._gone: list[Row] = []
        self._open: dict[int, int] = {}

    def fresh(self) -> set[str]:
        """The targets for which this process has just written something."""
        return {one.delivery.target for one in self._fresh.values()}

    # ---------------------------------------------------------------- what conclusions write

    def row(
        self, target: str, kind: str, payload_id: str, body: bytes, at: int, stored: bytes | None = None
    ) -> Outgoing:
        """A delivery to write with an end; `stored` is what its row holds in place of a body that stands elsewhere."""
        delivery = Delivery(next_number(), target, kind, payload_id, body, 0)
        kept = self._bounded(body) if stored is None else stored
        return Outgoing(delivery, kept, at + self._grace, written=self._name is not None)

    def rerun(self, message: Message, at: int) -> Outgoing:
        """A message to queue, with what says when it may begin, to write with what it follows from."""
        body = message.body
        if len(body) > _INLINE:
            body = encode({"url": self._payloads.put(oversized_key(self._root, secrets.token_hex(16)), body)})
        told = {"body": body.decode(), "priority": message.priority, "after": message.after}
        return self.row(QUEUE, RERUN, message.payload_id or "", encode(told), at)

    def writing(self, deliveries: Sequence[Outgoing]) -> tuple[list[Row], list[Outgoing]]:
        """The parts of a transaction that write deliveries, none where there is no table; and these, as written."""
        if self._name is None:
            return [], list(deliveries)
        actions: list[Row] = []
        written: list[Outgoing] = []
        for some in bundle.bundled(deliveries):
            id_ = next_number()
            item = bundle.bundle_row(id_, max(one.due for one in some), some)
            actions.append({"Put": {"TableName": self._name, "Item": item}})
            written += [replace(one, written=False, bundle=id_) for one in some]
        return actions, written

    def hold_fresh(self, written: Sequence[Outgoing]) -> None:
        """The deliveries were written by this process, which sends them at once."""
        if self._grace or self._name is None:
            self._fresh |= {one.delivery.id: one for one in written}
            for one in written:
                if one.bundle is not None:
                    self._open[one.bundle] = self._open.get(one.bundle, 0) + 1

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
        delivery = Delivery(next_number(), target, kind, payload_id, body, 0)
        one = Outgoing(delivery, self._bounded(body), 0)
        self._tables.write(self._table, [{"PutRequest": {"Item": rows_of.row(one)}}])

    def take(self, target: str, limit: int, *, owner: str, now: int, lease: Lease) -> list[Delivery]:
        """Lease the oldest deliveries of a target; none while another owner holds the target.

        What this process has just written comes first, and needs no lease.
        """
        fresh = [one for one in self._fresh.values() if one.delivery.target == target]
        if fresh or self._name is None:
            found = fresh[:limit]
        elif self._unpack(now) and self._due(target, 1, now) and self.hold(target, owner, lease):
            found = self._due(target, limit, now)
        else:
            return []
        self._taken |= {one.delivery.id: one for one in found}
        return [self._resolved(one) for one in found]

    def _unpack(self, now: int) -> bool:
        """Put the deliveries of bundles whose writers are gone into rows of their own; True."""
        for id_, some in self._bundles():
            if some and not now < some[0].due <= now + LONGEST:
                there = {"ConditionExpression": "attribute_exists(id)", "TableName": self._table}
                puts = [{"Put": {"TableName": self._table, "Item": rows_of.row(one)}} for one in some]
                gone: Row = {"Delete": {"Key": rows_of.key(bundle.TARGET, id_), **there}}
                self._tables.transact("open a bundle", [gone, *puts], secrets.token_hex(16))
        return True

    def _bundles(self) -> Iterator[tuple[int, list[Outgoing]]]:
        return ((int(row["id"]["N"]), bundle.opened(row)) for row in self._rows(bundle.TARGET))

    def _due(self, target: str, limit: int, now: int) -> list[Outgoing]:
        put_off: set[str] = set()
        found: list[Outgoing] = []
        for row in self._rows(target):
            one = rows_of.outgoing(row)
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

    def hold(self, target: str, owner: str, lease: Lease) -> bool:
        """Take or renew the right to a target; False while another owner has it."""
        free = "attribute_not_exists(id) OR holder = :owner OR #until <= :now OR #until > :far"
        values = {":owner": text(owner), ":until": number(lease.until), ":now": number(lease.at)}
        values[":far"] = number(lease.until + SLACK)
        taken: Row = {
            "TableName": self._table,
            "Key": rows_of.key(_lease(target), 0),
            "UpdateExpression": "SET holder = :owner, #until = :until",
            "ConditionExpression": free,
            "ExpressionAttributeNames": {"#until": "until"},
            "ExpressionAttributeValues": values,
        }
        done = not self._tables.transact(f"hold {target}", [{"Update": taken}], secrets.token_hex(16))
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

        A failure of what somebody else has settled meanwhile changes nothing. Bundles that this process has just
        written are deleted by `flush`.
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
                gone.append({"DeleteRequest": {"Key": rows_of.key(one.delivery.target, result.id)}})
            if result.error is None and self._sent is not None and one.delivery.target not in _UNTOLD:
                self._sent.note(one, result)
            self._close(one)
        if gone:
            self._tables.write(self._table, [*gone, *self._noted()])
        for target in targets & self._held:
            self.let_go(target, owner)

    def _close(self, one: Outgoing) -> None:
        """One delivery of a bundle is dealt with; the last one closes it."""
        if one.bundle is None:
            return
        self._open[one.bundle] -= 1
        if not self._open[one.bundle]:
            del self._open[one.bundle]
            self._gone.append({"DeleteRequest": {"Key": rows_of.key(bundle.TARGET, one.bundle)}})

    def flush(self) -> None:
        """Delete the bundles that this process has written and sent, all in one go, and keep what was sent."""
        gone, self._gone = [*self._gone, *self._noted()], []
        if gone:
            self._tables.write(self._table, gone)

    def _noted(self) -> list[Row]:
        return [] if self._sent is None else self._sent.rows()

    def _failed(self, one: Outgoing, result: Attempted) -> None:
        delivery = replace(one.delivery, attempts=one.delivery.attempts + int(result.tried))
        parked = result.again is None
        to = replace(delivery, target=rows_of.parked(delivery.target)) if parked else delivery
        row = rows_of.row(replace(one, delivery=to, due=result.again or result.at, error=result.error))
        if not one.written:
            self._tables.write(self._table, [{"PutRequest": {"Item": row}}])
        else:
            self._move(one.delivery, row)

    def _move(self, delivery: Delivery, row: Row) -> bool:
        """Put a row in the place of a delivery's, which may stand under another target; False if that is gone."""
        there = {"ConditionExpression": "attribute_exists(id)", "TableName": self._table}
        put: Row = {"Put": {"TableName": self._table, "Item": row}}
        old = rows_of.key(delivery.target, delivery.id)
        if row["target"] == old["target"]:
            actions = [{"Put": {**put["Put"], **there}}]
        else:
            actions = [{"Delete": {"Key": old, **there}}, put]
        return not self._tables.transact("write down a delivery", actions, secrets.token_hex(16))

    def let_go(self, target: str, owner: str) -> None:
        """Give the right to a target back."""
        statement = f'DELETE FROM "{self._table}" WHERE target = ? AND id = ? AND holder = ?'
        self._tables.execute(f"let go of {target}", [(statement, [text(_lease(target)), number(0), text(owner)])])
        self._held.discard(target)

    def waiting(self, target: str) -> tuple[int, int | None]:
        """How many deliveries of a target wait, and the instant at which the first is due (None if none waits)."""
        behind: dict[str, int] = {}
        due: list[int] = []
        for one in self._standing(target) if self._name is not None else ():
            behind[one.delivery.payload_id] = max(one.due, behind.get(one.delivery.payload_id, 0))
            due.append(behind[one.delivery.payload_id])
        return len(due), min(due, default=None)

    def ledger(self) -> list[Ledger]:
        """The state of every target of which something waits or was parked, or is kept of what was sent."""
        found: dict[str, list[Entered]] = {}
        for one in self._entered(None):
            found.setdefault(one.target, []).append(one)
        sent = {} if self._sent is None else {target: self._sent.count(target) for target in self._sent_to()}
        found |= {target: [] for target, counted in sent.items() if counted and target not in found}
        return [
            Ledger(
                target,
                sum(one.state == "waiting" for one in entries),
                sent.get(target, 0),
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
        """Deliveries one by one, by their ids; those after the id `after`. Sent ones where they are kept."""
        standing = self._entered(target) if state != "sent" else []
        sent: Iterator[Entered] = iter(())
        if self._sent is not None and state in {None, "sent"}:
            sent = self._sent.entries(self._sent_to() if target is None else [target], after)
        found = (
            one
            for one in heapq.merge(standing, sent, key=lambda one: one.id)
            if one.id > after and state in {None, one.state} and payload_id in {None, one.payload_id}
        )
        return list(islice(found, limit))

    def _sent_to(self) -> list[str]:
        """The targets to which something may have been sent."""
        if self._targets:
            return [one for one in self._targets if one not in _UNTOLD]
        names = self._tables.groups(self._table, "target", LAST_NUMBER) if self._name is not None else []
        return [name.removeprefix(BELOW) for name in names if name.startswith(BELOW)]

    def _entered(self, target: str | None) -> list[Entered]:
        if self._name is None:
            return []
        if target is None:
            known = self._names()
            found = [one for _, some in self._bundles() for one in some]
        else:
            known = [target, rows_of.parked(target)]
            found = [one for _, some in self._bundles() for one in some if one.delivery.target == target]
        found += [rows_of.outgoing(row) for name in known if _delivers(name) for row in self._rows(name)]
        return sorted(map(rows_of.entry, found), key=lambda one: one.id)

    def _names(self) -> list[str]:
        """What deliveries stand under."""
        if self._targets:
            return [name for target in self._targets for name in (target, rows_of.parked(target))]
        return self._tables.groups(self._table, "target", LAST_NUMBER)

    def _standing(self, target: str) -> list[Outgoing]:
        """What waits for a target, in bundles too, in order."""
        found = [one for _, some in self._bundles() for one in some if one.delivery.target == target]
        found += map(rows_of.outgoing, self._rows(target))
        return sorted(found, key=lambda one: one.delivery.id)

    def again(self, ids: Sequence[int], at: int) -> set[int]:
        """Let parked deliveries wait again: due at `at`, in their old order, their attempts counted anew.

        Gives those that do. Items stay parked where a later execution of the payload has begun: they would put an old
        version over a new one.
        """
        done: set[int] = set()
        for one in self._parked_ones(ids):
            delivery = one.delivery
            target = delivery.target.removeprefix(PARKED)
            row = rows_of.row(replace(one, delivery=replace(delivery, target=target, attempts=0), due=at))
            if not (delivery.kind == "items" and self._outdated(one)) and self._move(delivery, row):
                done.add(delivery.id)
        return done

    def drop(self, ids: Sequence[int]) -> set[int]:
        """Take parked deliveries off the ledger, for good; gives those that were."""
        found = self._parked_ones(ids)
        keys = [rows_of.key(one.delivery.target, one.delivery.id) for one in found]
        self._tables.write(self._table, [{"DeleteRequest": {"Key": key}} for key in keys])
        return {one.delivery.id for one in found}

    def _parked_ones(self, ids: Sequence[int]) -> list[Outgoing]:
        known = [name for name in self._names() if name.startswith(PARKED)]
        keys = [rows_of.key(name, number_) for name in known for number_ in dict.fromkeys(ids)]
        return [rows_of.outgoing(row) for row in self._tables.get(self._table, keys)]

    def _outdated(self, one: Outgoing) -> bool:
        """Whether the Items are not those of the payload's latest execution."""
        if self._state is None or not one.stored.startswith(_POINTER):
            return False
        named = named_execution(self._payloads.key(decode(one.stored)["url"]))
        rows = self._tables.get(self._state, [attributes.key(one.delivery.payload_id)])
        known = attributes.arns(rows[0]) if rows else []
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


def _delivers(target: str) -> bool:
    """Whether what stands under this name are deliveries."""
    return target not in _OTHERS and not target.startswith(_OTHERS_BELOW)


def _lease(target: str) -> str:
    return _HOLD + target
