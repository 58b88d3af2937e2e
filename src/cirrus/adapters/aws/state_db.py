"""The state database port on DynamoDB.

Claims and starts are conditional statements, 25 to a call, each granted or refused on its own. Ends are transactions
of the record and its outbox rows, as many to a call as fit. The reply to a write may be lost: a claim that is refused
is read back, and is granted after all where the row holds its token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws.attention import STATES, Attention
from cirrus.adapters.aws.attributes import Row, Said, Vocabulary
from cirrus.adapters.aws.counting import Counting
from cirrus.adapters.aws.delivery_row import Outgoing
from cirrus.adapters.aws.kept_events import KeptEvents
from cirrus.adapters.aws.limited_claims import LimitedClaims, Waiting
from cirrus.adapters.aws.outbox import QUEUE, DynamoOutbox
from cirrus.adapters.aws.paging import Walk
from cirrus.adapters.aws.slots import Slots, slots_of
from cirrus.adapters.aws.statements import Statements, fence, read_fence, unfenced
from cirrus.adapters.aws.tables import Tables
from cirrus.adapters.aws.uses import ItemUses
from cirrus.core.event import WorkflowEvent
from cirrus.core.execution_id import Arns, from_arn
from cirrus.core.jsontext import encode
from cirrus.core.keys import input_key, output_key, oversized_key
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.core.throttle import Throttle
from cirrus.errors import ConfigError
from cirrus.ports.engine import Engine
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.payloads import Payloads
from cirrus.ports.state_db import Claim, Conclusion, Execution, Failures, ItemUse, Page, Query, Start

_MOST_ENDS = 80
_MOST_ENDS_LIMITED = 25  # each may count in two limits of its own
_MOST_DELIVERIES = 900  # in ten bundles, and as many again where bytes fill them
_MOST_BYTES = 3_000_000
_INLINE = 60_000


class Transitions(Protocol):
    """Counts of what happened, by time."""

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, in slots of SLOT microseconds."""


class NoMetrics:
    """A deployment without metrics."""

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """ConfigError: nothing counts them."""
        raise ConfigError("AWS", ["this deployment names no metrics: set CIRRUS_WORKFLOW_METRIC_NAMESPACE"])


class Settling(Protocol):
    """What settles messages: the queue port's part that the state database needs."""

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""


class DynamoStateDb:
    """Records in one table; what follows from ends in another; bodies in the payload store.

    `remove` removes bodies by their keys; `chance` gives 63 random bits; `ages` says for how many microseconds records
    are kept after their end, by end state: then DynamoDB removes them, for nothing. Events of claims, starts and
    skips go to the outbox, which may hold them in memory.
    """

    def __init__(
        self,
        tables: Tables,
        table: str,
        outbox: DynamoOutbox,
        payloads: Payloads,
        queue: Settling,
        *,
        engine: Engine | None,
        arns: Arns,
        chance: Callable[[], int],
        subscriptions: Subscriptions | None = None,
        vocabulary: Vocabulary | None = None,
        metrics: Transitions | None = None,
        remove: Callable[[Sequence[str]], None] | None = None,
        root: str = "cirrus",
        ages: Mapping[State, int] | None = None,
        uses: ItemUses | None = None,
        attention: Attention | None = None,
        kept: KeptEvents | None = None,
        slots: Slots | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._tables = tables
        self._table = table
        self._outbox = outbox
        self._payloads = payloads
        self._queue = queue
        self._engine = engine
        self._arns = arns
        self._chance = chance
        self._subscriptions = subscriptions or Subscriptions()
        indexed = STATES if attention is not None and attention.on else ()
        self._say = Statements(table, arns, vocabulary or Said(), ages or {}, indexed)
        self._attention = attention
        self._kept = kept
        self._slots = slots if slots is not None else Slots(tables, None, Throttle())
        self._waiting = waiting
        self.freed: set[str] = set()
        self._metrics = metrics or NoMetrics()
        self._remove = remove or (lambda _: None)
        self._root = root
        self._uses = uses
        self._buried: dict[str, tuple[str, ...]] = {}

    # ---------------------------------------------------------------- reading

    def get(self, payload_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids; one that is missing in the answer does not exist."""
        rows = self._rows(payload_ids)
        self._buried = {known: tuple(rows_of.listed(rows.get(known, {}), "earlier")) for known in payload_ids}
        return {known: rows_of.record(row) for known, row in rows.items() if rows_of.alive(row)}

    def earlier(self, payload_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The ids of the executions that deleted records of these payloads had, oldest first: their tombstones.

        For payloads whose records were read just before, this costs no call.
        """
        if not self._buried.keys() >= set(payload_ids):
            self.get(payload_ids)
        found, self._buried = self._buried, {}
        return {known: found[known] for known in payload_ids if found[known]}

    def _rows(self, payload_ids: Sequence[str]) -> dict[str, Row]:
        keys = [rows_of.key(known) for known in dict.fromkeys(payload_ids)]
        return {rows_of.payload_id_of(row): row for row in self._tables.get(self._table, keys)}

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records; the token stays valid whatever is written in between. ValueError on a bad token."""
        return self.walk().page(query, limit, token)

    def walk(self) -> Walk:
        """Ranges of the table's indexes."""
        return Walk(self._tables, self._table, self._attention)

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""
        return self.walk().count(query)

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, as the metrics of the functions tell."""
        return self._metrics.transitions(since, until)

    def failures(self, query: Query) -> list[Failures]:
        """The records of a query that have a kind of failure, grouped by it, the most frequent kind first."""
        groups: dict[str, list[Record]] = {}
        failed = query if query.states else replace(query, states=(State.FAILED, State.INVALID))
        for record in self.walk().records(failed):
            if record.fingerprint is not None:
                groups.setdefault(record.fingerprint, []).append(record)
        samples = {name: max(found, key=lambda one: one.updated) for name, found in groups.items()}
        rows = self._rows([one.payload_id for one in samples.values()])
        kinds = {name: rows[one.payload_id] for name, one in samples.items() if "failure" in rows[one.payload_id]}
        found = [
            Failures(
                rows_of.kind(row),
                len(groups[name]),
                min(one.updated for one in groups[name]),
                samples[name].updated,
                samples[name].payload_id,
            )
            for name, row in kinds.items()
        ]
        return sorted(found, key=lambda one: (-one.count, -one.last, one.kind.fingerprint))

    def uses(self, item_id: str, *, made: bool, limit: int = 100) -> list[ItemUse]:
        """The executions that made an Item of this id, or that were given it; the latest first.

        ConfigError where the deployment does not keep that.
        """
        if self._uses is None:
            told = "which executions had an Item is not kept: say `lineage = true` of the deployment and deploy it"
            raise ConfigError("AWS", [f"{told} again, or query records by --item {item_id}"])
        return self._uses.read(item_id, made=made, limit=limit, rows=self._rows)

    def priorities(self, payload_ids: Sequence[str]) -> dict[str, int]:
        """The priorities with which payloads were claimed, where they had any."""
        rows = self._rows(payload_ids)
        return {known: int(row["priority"]["N"]) for known, row in rows.items() if "priority" in row}

    def execution(self, execution_id: str, payload_id: str | None = None) -> Execution | None:
        """One execution, as Step Functions tells of it: by its ARN, or by its id and whose it is.

        Its bodies are those of the payload store where Step Functions has only URLs of them.
        """
        arn = execution_id
        if not execution_id.startswith("arn:"):
            if payload_id is None:
                raise ConfigError("AWS", [f"execution {execution_id!r}: its ARN is expected, or also its payload id"])
            arn = rows_of.arn_of(self._arns, payload_id, execution_id)
        found = None if self._engine is None else self._engine.describe(arn)
        if found is None:
            return None
        row = self._rows([found.payload_id]).get(found.payload_id) if found.payload_id else None
        known = [from_arn(one) for one in rows_of.arns(row)] if row else []
        number = known.index(found.execution_id) + 1 if found.execution_id in known else 1
        return Execution(
            execution_id=found.execution_id,
            payload_id=found.payload_id,
            attempt=number,
            status=found.status,
            started=found.started,
            stopped=found.stopped,
            error=found.error,
            cause=found.cause,
            input=found.input,
            output=found.output,
        )

    def events(
        self, *, payload_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, WorkflowEvent]]:
        """Events in the order in which they were kept, those after number `after`; ConfigError where none are."""
        if self._kept is None:
            told = (
                "events are sent to the topic of the deployment and not kept: say `keep_events = true` of it and deploy"
            )
            raise ConfigError("AWS", [f"{told} it again, or subscribe a queue to the topic to see them"])
        return self._kept.read(payload_id, after, limit)

    # ---------------------------------------------------------------- claims

    def claim(self, claims: Sequence[Claim]) -> list[bool | None]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins.

        None for one that is over a limit: its message waits until there is room.
        """
        granted: dict[int, bool | None] = {}
        if self._uses is not None:
            self._uses.write(
                [ItemUse(item, False, one.payload_id, one.execution_id, True) for one in claims for item in one.items]
            )
        for round_ in _rounds([claim.payload_id for claim in claims]):
            limited = [n for n in round_ if self._waiting is not None and self._slots.names(claims[n].payload_id)]
            granted |= self._claim({n: claims[n] for n in round_ if n not in limited})
            if self._waiting is not None and limited:
                within = LimitedClaims(self._slots, self._waiting, self._tables, self._say, self._rows, self._chance)
                granted |= within.claim({n: claims[n] for n in limited})
        for n, claim in enumerate(claims):
            if granted[n]:
                if not claim.redrive:
                    key = input_key(self._root, claim.payload_id, claim.execution_id)
                    self._payloads.put(key, claim.input)
                self._announce(claim.events)
        self._queue.settle([one.receipt for n, one in enumerate(claims) if granted[n] and one.receipt])
        return [granted[n] for n in range(len(claims))]

    def _claim(self, claims: Mapping[int, Claim]) -> dict[int, bool]:
        possible = {n: one for n, one in claims.items() if one.previous is None or one.previous.state not in RUNNING}
        tokens = {n: f"{self._chance():016x}" for n in possible}
        statements = [self._say.claim(claim, tokens[n]) for n, claim in possible.items()]
        answers = dict(zip(possible, self._tables.execute("claim payloads", statements), strict=True))
        refused = [n for n, done in answers.items() if not done]
        if refused:
            rows = self._rows([possible[n].payload_id for n in refused])
            for n in refused:
                row = rows.get(possible[n].payload_id, {})
                answers[n] = row.get("claim_token", {}).get("S") == tokens[n]
                if possible[n].previous is None and row and not rows_of.alive(row):
                    answers[n] = self._tables.execute("claim payloads", [self._say.revive(possible[n], tokens[n])]) == [
                        True
                    ]
        return {n: answers.get(n, False) for n in claims}

    def keep_limits(self, now: int) -> int:
        """Let what runs count in the limits that there are, and set right what is counted wrongly; gives how many.

        For sweeps.
        """
        return Counting(self._slots, self._tables, self._say, self.walk(), self._rows, self._chance).keep(now)

    def forget(self, payload_ids: Sequence[str], at: int) -> list[bool]:
        """Delete records with their bodies; each leaves a tombstone, its row without anything but old executions.

        Refused, on its own, where there is no record or it is running. Histories and logs end with their services.
        """
        self._buried = {}
        rows = self._rows(payload_ids)
        done: list[bool] = []
        for known in payload_ids:
            row = rows.get(known)
            ended = row is not None and rows_of.alive(row) and rows_of.record(row).state not in RUNNING
            buried = ended and self._tables.execute("delete a record", [self._say.bury(known, row or {}, at)]) == [True]
            if row is not None and buried:
                ids = rows_of.record(row).executions
                self._remove([key(self._root, known, one) for one in ids for key in (input_key, output_key)])
                if self._kept is not None:
                    self._kept.forget(known)
            done.append(buried)
            rows.pop(known, None)
        return done

    # ---------------------------------------------------------------- starts

    def start(self, starts: Sequence[Start]) -> list[bool]:
        """Mark claimed executions as running; refused where the record has moved on."""
        granted: dict[int, bool] = {}
        for round_ in _rounds([start.payload_id for start in starts]):
            granted |= self._start({n: starts[n] for n in round_})
        for n, start in enumerate(starts):
            if granted[n]:
                self._announce(start.events)
        return [granted[n] for n in range(len(starts))]

    def _start(self, starts: Mapping[int, Start]) -> dict[int, bool]:
        tokens = {n: f"{self._chance():016x}" for n in starts}
        fences = {n: fence(self._arn(start)) for n, start in starts.items()}
        answers = self._started(starts, tokens, fences)
        refused = {n: starts[n] for n, done in answers.items() if not done}
        rows = self._rows([one.payload_id for one in refused.values()]) if refused else {}
        again: dict[int, tuple[str, list[Row]]] = {}
        for n, start in refused.items():
            row = rows.get(start.payload_id, {})
            answers[n] = row.get("start_token", {}).get("S") == tokens[n]
            if not answers[n] and unfenced(row, self._arn(start)):
                again[n] = read_fence(row)
        if again:
            answers |= self._started({n: starts[n] for n in again}, tokens, again)
        return answers

    def _started(
        self, starts: Mapping[int, Start], tokens: Mapping[int, str], fences: Mapping[int, tuple[str, list[Row]]]
    ) -> dict[int, bool]:
        statements = [self._say.start(starts[n], tokens[n], fences[n]) for n in fences]
        return dict(zip(fences, self._tables.execute("record starts", statements), strict=True))

    def _arn(self, one: Start | Conclusion) -> str:
        return rows_of.arn_of(self._arns, one.payload_id, one.execution_id)

    # ---------------------------------------------------------------- ends

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""
        granted: dict[int, bool] = {}
        for end in conclusions:
            if end.output is not None:
                self._payloads.put(_output_key(self._root, end), end.output)
        made = {n: self._made(end) for n, end in enumerate(conclusions)}
        for round_ in _rounds([end.payload_id for end in conclusions]):
            ends = {n: (conclusions[n], self._deliveries(conclusions[n])) for n in round_}
            for chunk in _chunks(ends, _MOST_ENDS_LIMITED if self._slots else _MOST_ENDS):
                granted |= self._conclude({n: ends[n] for n in chunk}, made)
        return [granted[n] for n in range(len(conclusions))]

    def _made(self, end: Conclusion) -> str | None:
        """The token of what an end has made, which is written first; None where nothing is kept of it."""
        if self._uses is None or not end.items:
            return None
        token = f"{self._chance():016x}"
        uses = [ItemUse(item, True, end.payload_id, end.execution_id, True) for item in end.items]
        self._uses.write(uses, token)
        return token

    def _conclude(
        self, ends: Mapping[int, tuple[Conclusion, list[Outgoing]]], made: Mapping[int, str | None]
    ) -> dict[int, bool]:
        """Try all at once; those whose condition does not hold are looked at, and the rest is tried again."""
        left = dict(ends)
        fences = {n: fence(self._arn(end)) for n, (end, _) in ends.items()}
        slots = {n: self._slots.names(end.payload_id) for n, (end, _) in ends.items()}
        granted: dict[int, bool] = {}
        while left:
            puts, written = self._outbox.writing([one for _, rows in left.values() for one in rows])
            freed = [name for n in left for name in slots[n]]
            given = self._slots.give(freed, max(end.at for end, _ in left.values())) if freed else []
            said = (self._say.end(end, fences[n], made[n], slots[n]) for n, (end, _) in left.items())
            actions = [*said, *puts, *given]
            could = self._tables.transact("record ends", actions, f"{self._chance():016x}{self._chance():016x}")
            if not could:
                self._outbox.hold_fresh(written)
                self.freed |= set(freed)
                return granted | dict.fromkeys(left, True)
            failed = {n for n, one in zip(left, could, strict=False) if not one}  # puts have no condition
            looked = self._rows([left[n][0].payload_id for n in failed])
            for n in failed:
                end = left[n][0]
                row = looked.get(end.payload_id, {})
                if unfenced(row, self._arn(end)) and fences[n] == fence(self._arn(end)) and _runs(row):
                    fences[n] = read_fence(row)
                elif self._counts_otherwise(row, end, slots[n]):
                    slots[n] = slots_of(row)
                else:
                    granted[n] = False
                    del left[n]
        return granted

    def _counts_otherwise(self, row: Row, end: Conclusion, slots: tuple[str, ...]) -> bool:
        """Whether a record runs this execution, but began when there were other limits, or none."""
        current = bool(row) and _runs(row) and rows_of.arns(row)[-1:] == [self._arn(end)]
        return current and slots_of(row) != slots

    def _deliveries(self, end: Conclusion) -> list[Outgoing]:
        known, row = end.payload_id, self._outbox.row
        told = [encode(one.body()) for one in end.events]
        made = [row(target, "event", known, body, end.at) for body in told for target in self._subscriptions.events]
        if end.published and end.output is not None:
            pointer = encode({"url": self._payloads.url(_output_key(self._root, end))})
            made += [row(one, "items", known, end.output, end.at, pointer) for one in self._subscriptions.items]
        return [*made, *(row(QUEUE, "payload", known, self._carried(one.body), end.at) for one in end.next)]

    def _carried(self, text: bytes) -> bytes:
        """A payload as the outbox and the queue carry it: itself, or where it stands."""
        if len(text) <= _INLINE:
            return text
        name = f"{self._chance():016x}{self._chance():016x}"
        return encode({"url": self._payloads.put(oversized_key(self._root, name), text)})

    # ---------------------------------------------------------------- events

    def note(self, events: Sequence[WorkflowEvent], receipts: Sequence[str] = ()) -> None:
        """Record events that change no record, and settle the messages that they are about."""
        self._announce(events)
        self._queue.settle(receipts)

    def _announce(self, events: Sequence[WorkflowEvent]) -> None:
        for event in events:
            for target in self._subscriptions.events:
                self._outbox.announce(target, "event", event.payload_id, encode(event.body()), event.at)


def _output_key(root: str, end: Conclusion) -> str:
    return output_key(root, end.payload_id, end.execution_id)


def _runs(row: Row) -> bool:
    return rows_of.record(row).state in RUNNING


def _rounds(payload_ids: Sequence[str]) -> Iterator[list[int]]:
    """Numbers of entries in as many lists as needed for no payload to stand twice in one."""
    left = list(range(len(payload_ids)))
    while left:
        seen: set[str] = set()
        round_: list[int] = []
        later: list[int] = []
        for n in left:
            (later if payload_ids[n] in seen else round_).append(n)
            seen.add(payload_ids[n])
        yield round_
        left = later


def _chunks(ends: Mapping[int, tuple[Conclusion, list[Outgoing]]], most: int) -> Iterator[list[int]]:
    """Numbers of ends that fit into one transaction."""
    chunk: list[int] = []
    made = size = 0
    for n, (end, rows) in ends.items():
        bytes_ = len(str(end.outputs)) + len(end.last_error or "") + sum(one.size for one in rows)
        full = len(chunk) >= most or made + len(rows) > _MOST_DELIVERIES or size + bytes_ > _MOST_BYTES
        if chunk and full:
            yield chunk
            chunk, made, size = [], 0, 0
        chunk.append(n)
        made += len(rows)
        size += bytes_
    if chunk:
        yield chunk
