"""The state database port on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cirrus.adapters.sqlite import event_rows
from cirrus.adapters.sqlite.columns import NUMBER, STATE, pack, unpack
from cirrus.adapters.sqlite.database import Database, digest_of
from cirrus.adapters.sqlite.failures import failures
from cirrus.adapters.sqlite.forget import earlier, forget
from cirrus.adapters.sqlite.lanes import insert
from cirrus.adapters.sqlite.narrowing import conditions, groups
from cirrus.adapters.sqlite.paging import page
from cirrus.core.event import UNKNOWN, WorkflowEvent
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import id_key
from cirrus.core.payload_id import lane
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.state_db import SLOT, Claim, Conclusion, Execution, Failures, ItemRef, ItemUse, Page, Query, Start

_CLAIMED, _PROCESSING = NUMBER[State.CLAIMED], NUMBER[State.PROCESSING]
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
        self._event_rows = event_rows.EventRows(database)

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

    def execution(self, execution_id: str, payload_id: str | None = None) -> Execution | None:
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
        sql = f"{event_rows.SELECT} WHERE e.id > ?"
        values: list[Any] = [after]
        if payload_id is not None:
            sql += " AND (e.record = (SELECT id FROM records WHERE key = ?)"
            sql += " OR e.record IS NULL AND json_extract(e.rest, '$.payload_id') = ?)"
            values += [id_key(payload_id), payload_id]
        rows = self._db.rows(f"{sql} ORDER BY e.id LIMIT ?", [*values, limit])
        return [event_rows.read(row) for row in rows]

    # ---------------------------------------------------------------- writing

    def claim(self, claims: Sequence[Claim]) -> list[bool]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins."""
        with self._db.group():
            numbered = list(enumerate(claims, self._db.next_id("executions")))
            records = self._made([one for one in numbered if one[1].previous is None])
            records |= {n: self._advance(claim, n, claim.previous) for n, claim in numbered if claim.previous}
            granted = [(n, claim, record) for n, claim in numbered if (record := records[n]) is not None]
            self._db.insert(_NEW_EXECUTION, [self._execution(*one) for one in granted])
            self._db.entered(_CLAIMED, [claim.at for _, claim, _ in granted])
            self._db.entered(_PROCESSING, [claim.at for _, claim, _ in granted if claim.owner])
            self._write_items([(item, 0, number) for number, claim, _ in granted for item in claim.items])
            self._write_events([(event, record, n) for n, claim, record in granted for event in claim.events])
            self._settle([claim.receipt for _, claim, _ in granted if claim.receipt])
        return [records[n] is not None for n, _ in numbered]

    def _execution(self, number: int, claim: Claim, record: int) -> tuple[Any, ...]:
        name = pack(claim.execution_id)
        self._db.remember(claim.execution_id, number, name)
        if claim.owner:
            self._db.standing.began(claim.execution_id, claim.owner, id_key(claim.payload_id), record, number)
        return (
            number,
            bytearray(name),
            record,
            _attempt(claim),
            "RUNNING",
            self._db.body_id(claim.input),
            self._db.body_id(claim.definition) if claim.definition else None,
            claim.at,
            claim.owner,
            claim.priority,
        )

    def _made(self, claims: Sequence[tuple[int, Claim]]) -> dict[int, int | None]:
        """The number of the record made for each claim, by the execution's; None where there was one already."""
        first = self._db.next_id("records")
        rows = [self._new_record(number, *one) for number, one in enumerate(claims, first)]
        made: dict[int, int | None] = {execution: row[0] for row, (execution, _) in zip(rows, claims, strict=True)}
        if self._db.insert(_NEW_RECORD, rows) == len(rows):
            return made
        there = {number for (number,) in self._db.rows("SELECT id FROM records WHERE id >= ?", (first,))}
        return {execution: number if number in there else None for execution, number in made.items()}

    def _new_record(self, number: int, execution: int, claim: Claim) -> tuple[Any, ...]:
        """The values of _NEW_RECORD."""
        key = id_key(claim.payload_id)
        return (
            number,
            self._db.group_id("_".join(lane(claim.payload_id))),
            key,
            None if key == claim.payload_id else claim.payload_id,
            _begins_as(claim),
            claim.at,
            claim.at,
            claim.at,
            execution,
            _attempt(claim),
        )

    def _advance(self, claim: Claim, execution: int, previous: Record) -> int | None:
        row = self._db.row(
            "SELECT r.id, r.state, e.name FROM records r LEFT JOIN executions e ON e.id = r.execution WHERE r.key = ?",
            (id_key(claim.payload_id),),
        )
        if row is None or STATE[row[1]] is not previous.state or previous.state in RUNNING:
            return None
        if (unpack(row[2]) if row[2] else None) != previous.execution_id:
            return None
        self._db.run(
            "UPDATE records SET state = ?, updated = ?, claimed_at = ?, execution = ?, attempts = ?, last_error = NULL,"
            " outputs = NULL, output_collections = NULL, failure = NULL WHERE id = ?",
            (_begins_as(claim), claim.at, claim.at, execution, _attempt(claim), row[0]),
        )
        return int(row[0])

    def start(self, starts: Sequence[Start]) -> list[bool]:
        """Mark claimed executions as running; refused where the record has moved on."""
        with self._db.group():
            return [self._start(start) for start in starts]

    def _start(self, start: Start) -> bool:
        current = self._current(start.payload_id, start.execution_id, (_CLAIMED,))
        if current is None:
            return False
        record, execution_row = current
        self._db.run(
            "UPDATE records SET state = ?, updated = ? WHERE id = ?",
            (_PROCESSING, start.at, record),
        )
        self._db.run(
            "UPDATE executions SET owner = ?, started = ? WHERE id = ?",
            (start.owner, start.at, execution_row),
        )
        self._db.entered(_PROCESSING, [start.at])
        self._write_events([(event, record, execution_row) for event in start.events])
        return True

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""
        with self._db.group():
            current = self._running([end.execution_id for end in conclusions])
            rows = [self._granted(end, current) for end in conclusions]
            granted = [(end, *numbers) for end, numbers in zip(conclusions, rows, strict=True) if numbers is not None]
            for state in {end.state for end, *_ in granted}:
                self._db.entered(NUMBER[state], [end.at for end, *_ in granted if end.state is state])
            standing = self._db.standing
            for end, *_ in granted:
                standing.ended(end.execution_id)
            plain = [one for one in granted if _is_plain(one[0])]
            others = [one for one in granted if not _is_plain(one[0])]
            self._db.run_many(_PLAIN_END_RECORD, [_plain_record(end, record) for end, record, _, _ in plain])
            ended = [(_status(end), end.at, output, number) for end, _, number, output in plain]
            self._db.run_many(_PLAIN_END_EXECUTION, ended)
            self._db.run_many(_END_RECORD, [self._ended_record(end, record) for end, record, _, _ in others])
            self._db.run_many(_END_EXECUTION, [_ended_execution(end, one, output) for end, _, one, output in others])
            self._write_items([(item, 1, one) for end, _, one, _ in granted for item in end.items])
            self._write_events([(event, record, one) for end, record, one, _ in granted for event in end.events])
            for end, _, execution, output in granted:
                self._follow(end, execution, output)
        return [numbers is not None for numbers in rows]

    def _granted(self, end: Conclusion, current: dict[str, tuple[str, int, int]]) -> tuple[int, int, int | None] | None:
        """The numbers of record, execution and output of an end that counts, which is then no longer current."""
        key, record, execution = current.get(end.execution_id, ("", 0, 0))
        if key != id_key(end.payload_id):
            return None
        del current[end.execution_id]
        return record, execution, None if end.output is None else self._db.body_id(end.output)

    def _ended_record(self, end: Conclusion, record: int) -> tuple[Any, ...]:
        """The values of _END_RECORD."""
        failure = None if end.kind is None else self._db.failure_id(end.kind)
        return NUMBER[end.state], end.at, end.last_error, *_outputs(end), failure, record

    def _follow(self, end: Conclusion, execution: int, output: int | None) -> None:
        """What goes with the end of an execution."""
        if end.state is State.ABORTED:
            self._db.run("INSERT OR IGNORE INTO cancels (execution) VALUES (?)", (execution,))
        if end.published and output is not None:
            self._publish(end, output)
        if end.next:
            priority = self._db.row("SELECT priority FROM executions WHERE id = ?", (execution,))[0]
            insert(self._db, [(message, priority, digest_of(message.body)) for message in end.next], end.at)

    def _running(self, execution_ids: Sequence[str]) -> dict[str, tuple[str, int, int]]:
        """Key of the record, its number and the execution's, of those that are current and have not ended."""
        known = self._db.standing.current
        found = {one: known[one] for one in execution_ids if one in known}
        rows = self._db.executions(f"{_CURRENT} WHERE {{}}", [one for one in execution_ids if one not in found])
        for one, (number, _, key, record, state) in rows.items():
            if state in _RUNNING:
                found[one] = key, record, number
        return found

    def _current(self, payload_id: str, execution_id: str, states: tuple[int, ...]) -> tuple[int, int] | None:
        row = self._db.executions(f"{_CURRENT} WHERE {{}}", [execution_id]).get(execution_id)
        if row is None or row[2] != id_key(payload_id) or row[4] not in states:
            return None
        return row[3], row[0]

    def forget(self, payload_ids: Sequence[str], at: int) -> list[bool]:
        """Delete records with all that belongs to them; each leaves a tombstone."""
        with self._db.group():
            return [forget(self._db, "key = ?", (id_key(known),), at) for known in payload_ids]

    def note(self, events: Sequence[WorkflowEvent], receipts: Sequence[str] = ()) -> None:
        """Record events that change no record, and settle the messages that they are about."""
        keys = {id_key(event.payload_id) for event in events if event.payload_id != UNKNOWN}
        with self._db.group():
            rows = dict(self._db.rows_of("SELECT key, id FROM records WHERE key IN ({})", keys))
            executions = event_rows.numbers(self._db, events)
            self._write_events(
                [
                    (event, rows.get(id_key(event.payload_id)), executions.get(event_rows.execution_of(event)))
                    for event in events
                ]
            )
            self._settle(receipts)

    def _settle(self, receipts: Iterable[str]) -> None:
        self._db.run_of("DELETE FROM messages WHERE id IN ({})", [int(receipt) for receipt in receipts])

    def _write_events(self, events: Sequence[event_rows.About]) -> None:
        """Keep events, each with the numbers of the record and the execution that it is about."""
        self._event_rows.write(events)
        for target in self._subscriptions.events:
            for event, _, _ in events:
                self._queue_delivery(target, "event", event.payload_id, encode(event.body()))

    def _write_items(self, items: Sequence[tuple[ItemRef, int, int]]) -> None:
        """Keep which Items went into an execution, or were made by it."""
        sql = "INSERT OR IGNORE INTO items (item, made, execution, collection)"
        self._db.insert(sql, [(item.id, made, number, item.collection) for item, made, number in items])

    def _publish(self, end: Conclusion, output: int) -> None:
        for target in self._subscriptions.items:
            self._db.run(
                "INSERT INTO outbox (target, kind, payload_id, body) VALUES (?, 'items', ?, ?)",
                (target, end.payload_id, output),
            )

    def _queue_delivery(self, target: str, kind: str, payload_id: str, body: bytes) -> None:
        self._db.run(
            "INSERT INTO outbox (target, kind, payload_id, body) VALUES (?, ?, ?, ?)",
            (target, kind, payload_id, self._db.body_id(body)),
        )


_NEW_RECORD = (
    "INSERT OR IGNORE INTO records (id, grp, key, full_id, state, created, updated, claimed_at, execution, attempts)"
)
_NEW_EXECUTION = "INSERT INTO executions (id, name, record, n, status, input, definition, started, owner, priority)"
_OUTPUTS = "outputs = nullif(?, ''), output_collections = nullif(?, '')"
_END_RECORD = f"UPDATE records SET state = ?, updated = ?, last_error = ?, {_OUTPUTS}, failure = ? WHERE id = ?"
_END_EXECUTION = "UPDATE executions SET status = ?, stopped = ?, output = ?, error = ?, cause = ? WHERE id = ?"
# The same where there is no error: sqlite3 takes long to adapt None, so that it is no parameter of what happens most.
_PLAIN_END_RECORD = f"UPDATE records SET state = ?, updated = ?, {_OUTPUTS} WHERE id = ?"
_PLAIN_END_EXECUTION = "UPDATE executions SET status = ?, stopped = ?, output = ? WHERE id = ?"
_CURRENT = (
    "SELECT e.id, e.name, r.key, r.id, r.state FROM executions e JOIN records r ON r.id = e.record"
    " AND r.execution = e.id"
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


def _begins_as(claim: Claim) -> int:
    return _PROCESSING if claim.owner else _CLAIMED


def _attempt(claim: Claim) -> int:
    return 1 if claim.previous is None else 1 + len(claim.previous.executions)


def _is_plain(end: Conclusion) -> bool:
    """Whether it is an end without any error."""
    return end.last_error is None and end.error is None and end.cause is None and end.kind is None


def _outputs(end: Conclusion) -> tuple[str, str]:
    """JSON of what the Items that were made are called, and of their Collections; empty for none."""
    outputs = encode(end.outputs).decode() if end.outputs else ""
    return outputs, encode(end.output_collections).decode() if end.output_collections else ""


def _plain_record(end: Conclusion, record: int) -> tuple[Any, ...]:
    """The values of _PLAIN_END_RECORD."""
    return NUMBER[end.state], end.at, *_outputs(end), record


def _ended_execution(end: Conclusion, execution: int, output: int | None) -> tuple[Any, ...]:
    """The values of _END_EXECUTION."""
    return _status(end), end.at, output, end.error, end.cause, execution


def _status(end: Conclusion) -> str:
    return _STATUS.get(end.state, "FAILED")


def _chunks(values: list[Any]) -> Iterable[list[Any]]:
    return (values[n : n + _CHUNK] for n in range(0, len(values), _CHUNK))
