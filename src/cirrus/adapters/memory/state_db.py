"""The state database port in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from cirrus.adapters.memory.store import Outgoing, Store, Tables, Waiting
from cirrus.core import page_token
from cirrus.core.event import WorkflowEvent
from cirrus.core.failure_kind import FailureKind
from cirrus.core.jsontext import encode
from cirrus.core.keys import id_key
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.query import matches
from cirrus.ports.state_db import (
    SLOT,
    SORTS,
    Claim,
    Conclusion,
    Execution,
    Failures,
    ItemRef,
    ItemUse,
    Page,
    Query,
    Start,
)

_STATUS = {State.COMPLETED: "SUCCEEDED", State.ABORTED: "ABORTED"}
_SHAPES: dict[str, tuple[type, ...]] = {"updated": (int, str), "state": (str, int, str), "id": (str,)}
_POSITIONS: dict[str, Callable[[Record], list[Any]]] = {
    "updated": lambda record: [record.updated, id_key(record.payload_id)],
    "state": lambda record: [str(record.state), record.updated, id_key(record.payload_id)],
    "id": lambda record: [id_key(record.payload_id)],
}


class MemoryStateDb:
    """Records, executions and events in a Store."""

    def __init__(self, store: Store, subscriptions: Subscriptions | None = None) -> None:
        self._store = store
        self._subscriptions = subscriptions or Subscriptions()

    # ---------------------------------------------------------------- reading

    def get(self, payload_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids; one that is missing in the answer does not exist."""
        with self._store.reading() as tables:
            return {known: tables.records[known] for known in payload_ids if known in tables.records}

    def earlier(self, payload_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids of the executions that deleted records of these payloads had, oldest first."""
        with self._store.reading() as tables:
            return {known: tables.tombstones[known] for known in payload_ids if known in tables.tombstones}

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records; the token stays valid whatever is written in between. ValueError on a bad token."""
        if query.sort not in SORTS:
            raise ValueError(f"{query.sort!r} is no sort: one of {', '.join(SORTS)} is expected")
        after = page_token.read(token, query.sort, query.ascending, _SHAPES[query.sort]) if token else None
        position = _POSITIONS[query.sort]
        with self._store.reading() as tables:
            found = [record for record in tables.records.values() if matches(query, record)]
        found.sort(key=position, reverse=not query.ascending)
        if after is not None:
            found = [one for one in found if (position(one) > after if query.ascending else position(one) < after)]
        records = tuple(found[:limit])
        more = records and len(found) > limit
        return Page(records, page_token.write(query.sort, query.ascending, position(records[-1])) if more else None)

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""
        counts: dict[str, dict[State, int]] = {}
        with self._store.reading() as tables:
            for record in tables.records.values():
                if query is None or matches(query, record):
                    states = counts.setdefault(parse(record.payload_id).collections_workflow, {})
                    states[record.state] = states.get(record.state, 0) + 1
        return dict(sorted(counts.items()))

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, in slots of SLOT microseconds."""
        counts: dict[int, dict[State, int]] = {}
        with self._store.reading() as tables:
            for at, state in tables.entered:
                slot = at - at % SLOT
                if since - since % SLOT <= slot < until:
                    states = counts.setdefault(slot, {})
                    states[state] = states.get(state, 0) + 1
        return dict(sorted(counts.items()))

    def failures(self, query: Query) -> list[Failures]:
        """The records of a query that have a kind of failure, grouped by it, the most frequent kind first."""
        groups: dict[str, list[Record]] = {}
        with self._store.reading() as tables:
            for record in tables.records.values():
                if record.fingerprint is not None and matches(query, record):
                    groups.setdefault(record.fingerprint, []).append(record)
            found = [_failures(tables.kinds[name], records) for name, records in groups.items()]
        return sorted(found, key=lambda one: (-one.count, -one.last, one.kind.fingerprint))

    def execution(self, execution_id: str, payload_id: str | None = None) -> Execution | None:
        """One execution with its bodies, None if there is none of that id."""
        with self._store.reading() as tables:
            return tables.executions.get(execution_id)

    def uses(self, item_id: str, *, made: bool, limit: int = 100) -> list[ItemUse]:
        """The executions that made an Item of this id, or that were given it; the latest first."""
        with self._store.reading() as tables:
            order = {execution_id: n for n, execution_id in enumerate(tables.executions)}
            found = [(item, one) for item, how, one in tables.items if (item.id, how) == (item_id, made)]
            found.sort(key=lambda pair: (-order[pair[1]], pair[0]))
            return [_use(tables, item, made, one) for item, one in found[:limit]]

    def events(
        self, *, payload_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, WorkflowEvent]]:
        """Events in the order in which they happened, each with its number; those after number `after`."""
        with self._store.reading() as tables:
            later = [pair for pair in tables.events.items() if pair[0] > after]
        return [pair for pair in later if payload_id in {None, pair[1].payload_id}][:limit]

    # ---------------------------------------------------------------- writing

    def claim(self, claims: Sequence[Claim]) -> list[bool]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins."""
        with self._store.writing() as tables:
            return [self._claim(tables, claim) for claim in claims]

    def _claim(self, tables: Tables, claim: Claim) -> bool:
        current = tables.records.get(claim.payload_id)
        if not _unchanged(current, claim.previous):
            return False
        earlier = current.executions if current else ()
        tables.records[claim.payload_id] = Record(
            payload_id=claim.payload_id,
            state=State.PROCESSING if claim.owner else State.CLAIMED,
            created=current.created if current else claim.at,
            updated=claim.at,
            claimed_at=claim.at,
            executions=(*earlier, claim.execution_id),
        )
        tables.executions[claim.execution_id] = Execution(
            execution_id=claim.execution_id,
            payload_id=claim.payload_id,
            attempt=len(earlier) + 1,
            status="RUNNING",
            started=claim.at,
            input=claim.input,
            definition=claim.definition,
        )
        tables.entered.append((claim.at, State.CLAIMED))
        tables.priorities[claim.execution_id] = claim.priority
        if claim.owner:
            tables.entered.append((claim.at, State.PROCESSING))
            tables.owned[claim.execution_id] = claim.owner
        tables.items |= {(item, False, claim.execution_id): None for item in claim.items}
        self._write_events(tables, claim.events)
        _settle(tables, [claim.receipt] if claim.receipt else [])
        return True

    def start(self, starts: Sequence[Start]) -> list[bool]:
        """Mark claimed executions as running; refused where the record has moved on."""
        with self._store.writing() as tables:
            return [self._start(tables, start) for start in starts]

    def _start(self, tables: Tables, start: Start) -> bool:
        record = _current(tables, start.payload_id, start.execution_id)
        if record is None or record.state is not State.CLAIMED:
            return False
        tables.records[start.payload_id] = replace(record, state=State.PROCESSING, updated=start.at)
        tables.executions[start.execution_id] = replace(tables.executions[start.execution_id], started=start.at)
        tables.entered.append((start.at, State.PROCESSING))
        if start.owner:
            tables.owned[start.execution_id] = start.owner
        self._write_events(tables, start.events)
        return True

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""
        with self._store.writing() as tables:
            return [self._conclude(tables, end) for end in conclusions]

    def _conclude(self, tables: Tables, end: Conclusion) -> bool:
        record = _current(tables, end.payload_id, end.execution_id)
        if record is None or record.state not in RUNNING:
            return False
        tables.records[end.payload_id] = replace(
            record,
            state=end.state,
            updated=end.at,
            last_error=end.last_error,
            outputs=end.outputs,
            output_collections=end.output_collections,
            fingerprint=None if end.kind is None else end.kind.fingerprint,
        )
        if end.kind is not None:
            tables.kinds[end.kind.fingerprint] = end.kind
        tables.entered.append((end.at, end.state))
        tables.executions[end.execution_id] = replace(
            tables.executions[end.execution_id],
            status=_STATUS.get(end.state, "FAILED"),
            stopped=end.at,
            error=end.error,
            cause=end.cause,
            output=end.output,
        )
        if end.state is State.ABORTED:
            tables.cancels[end.execution_id] = None
        tables.items |= {(item, True, end.execution_id): None for item in end.items}
        self._write_events(tables, end.events)
        if end.published and end.output is not None:
            for target in self._subscriptions.items:
                tables.outbox[tables.number()] = Outgoing(target, "items", end.payload_id, end.output)
        for message in end.next:
            priority = tables.priorities[end.execution_id]
            tables.messages[tables.number()] = Waiting(message.body, message.payload_id, priority, queued=end.at)
        return True

    def forget(self, payload_ids: Sequence[str], at: int) -> list[bool]:
        """Delete records with all that belongs to them; each leaves a tombstone."""
        with self._store.writing() as tables:
            return [forget(tables, known) for known in payload_ids]

    def note(self, events: Sequence[WorkflowEvent], receipts: Sequence[str] = ()) -> None:
        """Record events that change no record, and settle the messages that they are about."""
        with self._store.writing() as tables:
            self._write_events(tables, events)
            _settle(tables, receipts)

    def _write_events(self, tables: Tables, events: Sequence[WorkflowEvent]) -> None:
        for event in events:
            tables.told += 1
            tables.events[tables.told] = event
            for target in self._subscriptions.events:
                body = encode(event.body())
                tables.outbox[tables.number()] = Outgoing(target, "event", event.payload_id, body)


def forget(tables: Tables, payload_id: str) -> bool:
    """Delete a record that does not run, with all that belongs to it, and leave its tombstone."""
    record = tables.records.get(payload_id)
    if record is None or record.state in RUNNING:
        return False
    tables.tombstones[payload_id] = (*tables.tombstones.get(payload_id, ()), *record.executions)
    gone = {name for name, one in tables.executions.items() if one.payload_id == payload_id}
    del tables.records[payload_id]
    for name in gone:
        del tables.executions[name]
        tables.owned.pop(name, None)
        tables.cancels.pop(name, None)
    tables.entries = {key: one for key, one in tables.entries.items() if key[0] not in gone}
    tables.logs = {key: one for key, one in tables.logs.items() if key[0] not in gone}
    tables.items = {key: None for key in tables.items if key[2] not in gone}
    tables.events = {n: one for n, one in tables.events.items() if one.payload_id != payload_id}
    return True


def _unchanged(current: Record | None, previous: Record | None) -> bool:
    if current is None or previous is None:
        return current is previous
    same = (current.state, current.execution_id) == (previous.state, previous.execution_id)
    return same and current.state not in RUNNING


def _current(tables: Tables, payload_id: str, execution_id: str) -> Record | None:
    record = tables.records.get(payload_id)
    return record if record is not None and record.execution_id == execution_id else None


def _failures(kind: FailureKind, records: list[Record]) -> Failures:
    first, last = (pick(records, key=lambda record: record.updated) for pick in (min, max))
    return Failures(kind, len(records), first.updated, last.updated, last.payload_id)


def _use(tables: Tables, item: ItemRef, made: bool, execution_id: str) -> ItemUse:
    payload_id = tables.executions[execution_id].payload_id
    current = tables.records[payload_id].execution_id == execution_id
    return ItemUse(item, made, payload_id, execution_id, current)


def _settle(tables: Tables, receipts: Iterable[str]) -> None:
    for receipt in receipts:
        tables.messages.pop(int(receipt), None)
