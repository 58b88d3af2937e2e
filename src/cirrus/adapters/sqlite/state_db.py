"""The state database port on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cirrus.adapters.sqlite.columns import NUMBER, STATE, pack, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.failures import failures
from cirrus.adapters.sqlite.forget import earlier, forget
from cirrus.adapters.sqlite.lanes import insert
from cirrus.adapters.sqlite.narrowing import conditions, groups
from cirrus.adapters.sqlite.paging import page
from cirrus.core.event import UNKNOWN, EventType, WorkflowEvent
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import id_key
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.state_db import SLOT, Claim, Conclusion, Execution, Failures, ItemRef, ItemUse, Page, Query, Start

_RUNNING = tuple(sorted(NUMBER[state] for state in RUNNING))
_STATUS = {State.COMPLETED: "SUCCEEDED", State.ABORTED: "ABORTED"}
COLUMNS = "id, key, full_id, state, created, updated, claimed_at, last_error, outputs, output_collections, failure"
_CHUNK = 500


class SqliteStateDb:
    """Records, executions and events in a Database."""

    def __init__(self, database: Database, subscriptions: Subscriptions | None = None) -> None:
        self._db = database
        self._subscriptions = subscriptions or Subscriptions()
        self._fingerprints: dict[int, str | None] = {}

    # ---------------------------------------------------------------- reading

    def get(self, payload_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids; one that is missing in the answer does not exist."""
        found: dict[str, Record] = {}
        for chunk in _chunks(list(dict.fromkeys(payload_ids))):
            marks = ",".join("?" * len(chunk))
            rows = self._db.rows(f"SELECT {COLUMNS} FROM records WHERE key IN ({marks})", [id_key(i) for i in chunk])
            found |= {record.payload_id: record for record in self.records(rows)}
        return found

    def records(self, rows: Sequence[Any]) -> list[Record]:
        """The records of rows of COLUMNS, each with its executions."""
        executions: dict[int, list[str]] = {row[0]: [] for row in rows}
        for chunk in _chunks(list(executions)):
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT record, name FROM executions WHERE record IN ({marks}) ORDER BY record, n"
            for record, name in self._db.rows(sql, chunk):
                executions[record].append(unpack(name))
        return [_record(row, executions[row[0]], self._fingerprint(row[-1])) for row in rows]

    def _fingerprint(self, failure: int | None) -> str | None:
        if failure is not None and failure not in self._fingerprints:
            found = self._db.row("SELECT fingerprint FROM failures WHERE id = ?", (failure,))
            self._fingerprints[failure] = found[0] if found else None
        return None if failure is None else self._fingerprints[failure]

    def earlier(self, payload_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids of the executions that deleted records of these payloads had, oldest first."""
        found: dict[str, tuple[str, ...]] = {}
        for chunk in _chunks(list(payload_ids)):
            found |= earlier(self._db, chunk)
        return found

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records; the token stays valid whatever is written in between. ValueError on a bad token."""
        rows, after = page(self._db, query, limit, token)
        return Page(tuple(self.records(rows)), after)

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""
        where, values = conditions(self._db, query or Query())
        sql = f"SELECT r.grp, r.state, count(*) FROM records r WHERE true{where} GROUP BY r.grp, r.state"
        rows = self._db.rows(sql, values)
        names = dict(groups(self._db, query or Query()))
        counts: dict[str, dict[State, int]] = {}
        for group, state, number in sorted(rows, key=lambda row: names[row[0]]):
            counts.setdefault(names[group], {})[STATE[state]] = number
        return counts

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, in slots of SLOT microseconds."""
        counts: dict[int, dict[State, int]] = {}
        sql = "SELECT slot, state, n FROM transitions WHERE slot >= ? AND slot < ? ORDER BY slot"
        for slot, state, number in self._db.rows(sql, (since - since % SLOT, until)):
            counts.setdefault(slot, {})[STATE[state]] = number
        return counts

    def failures(self, query: Query) -> list[Failures]:
        """The records of a query that have a kind of failure, grouped by it, the most frequent kind first."""
        return failures(self._db, query)

    def execution(self, execution_id: str) -> Execution | None:
        """One execution with its bodies, None if there is none of that id."""
        row = self._db.row(f"{EXECUTION} WHERE e.name = ?", (pack(execution_id),))
        return execution(row) if row else None

    def uses(self, item_id: str, *, made: bool, limit: int = 100) -> list[ItemUse]:
        """The executions that made an Item of this id, or that were given it; the latest first."""
        sql = (
            "SELECT i.collection, coalesce(r.full_id, r.key), e.name, r.execution = e.id FROM items i"
            " JOIN executions e ON e.id = i.execution JOIN records r ON r.id = e.record"
            " WHERE i.item = ? AND i.made = ? ORDER BY i.execution DESC, i.collection LIMIT ?"
        )
        rows = self._db.rows(sql, (item_id, int(made), limit))
        return [
            ItemUse(ItemRef(item_id, collection), made, known, unpack(name), bool(current))
            for collection, known, name, current in rows
        ]

    def events(
        self, *, payload_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, WorkflowEvent]]:
        """Events in the order in which they happened, each with its number; those after number `after`."""
        sql = "SELECT e.id, e.at, e.type, e.rest, coalesce(r.full_id, r.key) FROM events e"
        sql += " LEFT JOIN records r ON r.id = e.record WHERE e.id > ?"
        values: list[Any] = [after]
        if payload_id is not None:
            sql += " AND (e.record = (SELECT id FROM records WHERE key = ?)"
            sql += " OR e.record IS NULL AND json_extract(e.rest, '$.payload_id') = ?)"
            values += [id_key(payload_id), payload_id]
        rows = self._db.rows(f"{sql} ORDER BY e.id LIMIT ?", [*values, limit])
        return [(row[0], _event(*row[1:])) for row in rows]

    # ---------------------------------------------------------------- writing

    def claim(self, claims: Sequence[Claim]) -> list[bool]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins."""
        with self._db.group():
            return [self._claim(claim) for claim in claims]

    def _claim(self, claim: Claim) -> bool:
        state = State.PROCESSING if claim.owner else State.CLAIMED
        record = self._insert(claim, state) if claim.previous is None else self._advance(claim, state, claim.previous)
        if record is None:
            return False
        attempt = 1 + (len(claim.previous.executions) if claim.previous else 0)
        made = self._db.run(
            "INSERT INTO executions (name, record, n, status, input, definition, started, owner, priority)"
            " VALUES (?, ?, ?, 'RUNNING', ?, ?, ?, ?, ?)",
            (
                pack(claim.execution_id),
                record,
                attempt,
                self._db.body_id(claim.input),
                self._db.body_id(claim.definition) if claim.definition else None,
                claim.at,
                claim.owner,
                claim.priority,
            ),
        )
        assert made.lastrowid is not None
        self._db.run("UPDATE records SET execution = ?, attempts = ? WHERE id = ?", (made.lastrowid, attempt, record))
        self._db.entered(NUMBER[State.CLAIMED], claim.at)
        if claim.owner:
            self._db.entered(NUMBER[State.PROCESSING], claim.at)
        self._write_items(claim.items, 0, made.lastrowid)
        self._write_events(claim.events, record)
        self._settle([claim.receipt] if claim.receipt else [])
        return True

    def _insert(self, claim: Claim, state: State) -> int | None:
        key = id_key(claim.payload_id)
        made = self._db.run(
            "INSERT OR IGNORE INTO records (grp, key, full_id, state, created, updated, claimed_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                self._db.group_id(parse(claim.payload_id).collections_workflow),
                key,
                None if key == claim.payload_id else claim.payload_id,
                NUMBER[state],
                claim.at,
                claim.at,
                claim.at,
            ),
        )
        return made.lastrowid if made.rowcount else None

    def _advance(self, claim: Claim, state: State, previous: Record) -> int | None:
        row = self._db.row(
            "SELECT r.id, r.state, e.name FROM records r LEFT JOIN executions e ON e.id = r.execution WHERE r.key = ?",
            (id_key(claim.payload_id),),
        )
        if row is None or STATE[row[1]] is not previous.state or previous.state in RUNNING:
            return None
        if (unpack(row[2]) if row[2] else None) != previous.execution_id:
            return None
        self._db.run(
            "UPDATE records SET state = ?, updated = ?, claimed_at = ?, last_error = NULL, outputs = NULL,"
            " output_collections = NULL, failure = NULL WHERE id = ?",
            (NUMBER[state], claim.at, claim.at, row[0]),
        )
        return int(row[0])

    def start(self, starts: Sequence[Start]) -> list[bool]:
        """Mark claimed executions as running; refused where the record has moved on."""
        with self._db.group():
            return [self._start(start) for start in starts]

    def _start(self, start: Start) -> bool:
        current = self._current(start.payload_id, start.execution_id, (NUMBER[State.CLAIMED],))
        if current is None:
            return False
        record, execution_row = current
        self._db.run(
            "UPDATE records SET state = ?, updated = ? WHERE id = ?",
            (NUMBER[State.PROCESSING], start.at, record),
        )
        self._db.run(
            "UPDATE executions SET owner = ?, started = ? WHERE id = ?",
            (start.owner, start.at, execution_row),
        )
        self._db.entered(NUMBER[State.PROCESSING], start.at)
        self._write_events(start.events, record)
        return True

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""
        with self._db.group():
            return [self._conclude(conclusion) for conclusion in conclusions]

    def _conclude(self, end: Conclusion) -> bool:
        current = self._current(end.payload_id, end.execution_id, _RUNNING)
        if current is None:
            return False
        record, execution_row = current
        output = None if end.output is None else self._db.body_id(end.output)
        self._db.run(
            "UPDATE records SET state = ?, updated = ?, last_error = ?, outputs = ?, output_collections = ?,"
            " failure = ? WHERE id = ?",
            (
                NUMBER[end.state],
                end.at,
                end.last_error,
                encode(end.outputs).decode() if end.outputs else None,
                encode(end.output_collections).decode() if end.output_collections else None,
                None if end.kind is None else self._db.failure_id(end.kind),
                record,
            ),
        )
        self._db.run(
            "UPDATE executions SET status = ?, stopped = ?, output = ?, error = ?, cause = ? WHERE id = ?",
            (_STATUS.get(end.state, "FAILED"), end.at, output, end.error, end.cause, execution_row),
        )
        self._db.entered(NUMBER[end.state], end.at)
        if end.state is State.ABORTED:
            self._db.run("INSERT OR IGNORE INTO cancels (execution) VALUES (?)", (execution_row,))
        self._write_items(end.items, 1, execution_row)
        self._write_events(end.events, record)
        if end.published and output is not None:
            self._publish(end, output)
        if end.next:
            priority = self._db.row("SELECT priority FROM executions WHERE id = ?", (execution_row,))[0]
            for message in end.next:
                insert(self._db, message, priority, end.at)
        return True

    def _current(self, payload_id: str, execution_id: str, states: tuple[int, ...]) -> tuple[int, int] | None:
        row = self._db.row(
            "SELECT r.id, e.id, e.name, r.state FROM records r JOIN executions e ON e.id = r.execution WHERE r.key = ?",
            (id_key(payload_id),),
        )
        if row is None or row[2] != pack(execution_id) or row[3] not in states:
            return None
        return row[0], row[1]

    def forget(self, payload_ids: Sequence[str], at: int) -> list[bool]:
        """Delete records with all that belongs to them; each leaves a tombstone."""
        with self._db.group():
            return [forget(self._db, "key = ?", (id_key(known),), at) for known in payload_ids]

    def note(self, events: Sequence[WorkflowEvent], receipts: Sequence[str] = ()) -> None:
        """Record events that change no record, and settle the messages that they are about."""
        with self._db.group():
            for event in events:
                row = None
                if event.payload_id != UNKNOWN:
                    row = self._db.row("SELECT id FROM records WHERE key = ?", (id_key(event.payload_id),))
                self._write_events([event], row[0] if row else None)
            self._settle(receipts)

    def _settle(self, receipts: Iterable[str]) -> None:
        for receipt in receipts:
            self._db.run("DELETE FROM messages WHERE id = ?", (int(receipt),))

    def _write_events(self, events: Sequence[WorkflowEvent], record: int | None) -> None:
        for event in events:
            rest = {name: value for name, value in _rest(event).items() if value is not None}
            if record is None:
                rest["payload_id"] = event.payload_id
            self._db.run(
                "INSERT INTO events (at, type, record, rest) VALUES (?, ?, ?, ?)",
                (event.at, str(event.type), record, encode(rest).decode() if rest else None),
            )
            for target in self._subscriptions.events:
                self._queue_delivery(target, "event", event.payload_id, event.at, encode(event.body()))

    def _write_items(self, items: Sequence[ItemRef], made: int, execution_row: int) -> None:
        for item in items:
            self._db.run(
                "INSERT OR IGNORE INTO items (item, made, execution, collection) VALUES (?, ?, ?, ?)",
                (item.id, made, execution_row, item.collection),
            )

    def _publish(self, end: Conclusion, output: int) -> None:
        for target in self._subscriptions.items:
            self._db.run(
                "INSERT INTO outbox (target, kind, payload_id, body, due) VALUES (?, 'items', ?, ?, ?)",
                (target, end.payload_id, output, end.at),
            )

    def _queue_delivery(self, target: str, kind: str, payload_id: str, at: int, body: bytes) -> None:
        self._db.run(
            "INSERT INTO outbox (target, kind, payload_id, body, due) VALUES (?, ?, ?, ?, ?)",
            (target, kind, payload_id, self._db.body_id(body), at),
        )


EXECUTION = (
    "SELECT e.name, coalesce(r.full_id, r.key), e.n, e.status, e.started, e.stopped, e.error, e.cause, i.body, o.body,"
    " d.body FROM executions e JOIN records r ON r.id = e.record JOIN bodies i ON i.id = e.input"
    " LEFT JOIN bodies o ON o.id = e.output LEFT JOIN bodies d ON d.id = e.definition"
)


def execution(row: Any) -> Execution:
    """The execution of a row of EXECUTION."""
    return Execution(*(unpack(row[0]), *row[1:10], row[10] or b""))


def _record(row: Any, executions: list[str], fingerprint: str | None) -> Record:
    _, key, full_id, state, created, updated, claimed_at, last_error, outputs, output_collections, _ = row
    return Record(
        payload_id=full_id or key,
        state=STATE[state],
        created=created,
        updated=updated,
        claimed_at=claimed_at,
        executions=tuple(executions),
        last_error=last_error,
        outputs=tuple(decode(outputs)) if outputs else (),
        output_collections=tuple(decode(output_collections)) if output_collections else (),
        fingerprint=fingerprint,
    )


def _rest(event: WorkflowEvent) -> dict[str, str | None]:
    return {
        "input_payload_url": event.input_payload_url,
        "output_payload_url": event.output_payload_url,
        "execution": event.execution,
        "error": event.error,
    }


def _event(at: int, kind: str, rest: str | None, payload_id: str | None) -> WorkflowEvent:
    fields = decode(rest) if rest else {}
    known = fields.pop("payload_id", None) or payload_id or UNKNOWN
    return WorkflowEvent(EventType(kind), known, at, **fields)


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    return (values[n : n + _CHUNK] for n in range(0, len(values), _CHUNK))
