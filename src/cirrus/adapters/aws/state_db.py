"""The state database port on DynamoDB.

Claims and starts are conditional statements, 25 to a call, each granted or refused on its own. Ends are transactions
of the record and its outbox rows, as many to a call as fit. The reply to a write may be lost: a claim that is refused
is read back, and is granted after all where the row holds its token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from cirrus.adapters.aws import attributes as at
from cirrus.adapters.aws.attributes import Row, Vocabulary
from cirrus.adapters.aws.outbox import DynamoOutbox, Outgoing
from cirrus.adapters.aws.paging import Walk
from cirrus.adapters.aws.tables import Statement, Tables
from cirrus.core.event import WorkflowEvent
from cirrus.core.execution_id import Arns, from_arn
from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.core.keys import input_key, output_key, oversized_key
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.errors import ConfigError
from cirrus.ports.engine import Engine
from cirrus.ports.outbox import Subscriptions
from cirrus.ports.payloads import Payloads
from cirrus.ports.state_db import Claim, Conclusion, Execution, Page, Query, Start

QUEUE = "queue"
_MOST_ACTIONS = 96
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

    `chance` gives 63 random bits. Events of claims, starts and skips go to the outbox, which may hold them in memory.
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
        root: str = "cirrus",
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
        self._vocabulary = vocabulary or Vocabulary()
        self._metrics = metrics or NoMetrics()
        self._root = root

    # ---------------------------------------------------------------- reading

    def get(self, payload_ids: Sequence[str]) -> dict[str, Record]:
        """The records of these ids; one that is missing in the answer does not exist."""
        return {record.payload_id: record for record in map(at.record, self._rows(payload_ids).values())}

    def _rows(self, payload_ids: Sequence[str]) -> dict[str, Row]:
        keys = [at.key(known) for known in dict.fromkeys(payload_ids)]
        return {at.payload_id_of(row): row for row in self._tables.get(self._table, keys)}

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records; the token stays valid whatever is written in between. ValueError on a bad token."""
        return self.walk().page(query, limit, token)

    def walk(self) -> Walk:
        """Ranges of the table's indexes."""
        return Walk(self._tables, self._table)

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""
        return self.walk().count(query)

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, as the metrics of the functions tell."""
        return self._metrics.transitions(since, until)

    def execution(self, execution_id: str, payload_id: str | None = None) -> Execution | None:
        """One execution, as Step Functions tells of it: by its ARN, or by its id and whose it is.

        Its bodies are those of the payload store where Step Functions has only URLs of them.
        """
        arn = execution_id
        if not execution_id.startswith("arn:"):
            if payload_id is None:
                raise ConfigError("AWS", [f"execution {execution_id!r}: its ARN is expected, or also its payload id"])
            arn = at.arn_of(self._arns, payload_id, execution_id)
        found = None if self._engine is None else self._engine.describe(arn)
        if found is None:
            return None
        row = self._rows([found.payload_id]).get(found.payload_id) if found.payload_id else None
        known = [from_arn(one) for one in at.arns(row)] if row else []
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
        """ConfigError: on AWS events are sent to a topic and not kept."""
        raise ConfigError(
            "AWS", ["events are sent to the topic of the deployment and not kept: subscribe a queue to it to see them"]
        )

    # ---------------------------------------------------------------- claims

    def claim(self, claims: Sequence[Claim]) -> list[bool]:
        """Grant each claim whose record is as it was read; of any number that try at once exactly one wins."""
        granted: dict[int, bool] = {}
        for round_ in _rounds([claim.payload_id for claim in claims]):
            granted |= self._claim({n: claims[n] for n in round_})
        for n, claim in enumerate(claims):
            if granted[n]:
                key = input_key(self._root, claim.payload_id, claim.execution_id)
                self._payloads.put(key, claim.input)
                self._announce(claim.events)
        self._queue.settle([one.receipt for n, one in enumerate(claims) if granted[n] and one.receipt])
        return [granted[n] for n in range(len(claims))]

    def _claim(self, claims: Mapping[int, Claim]) -> dict[int, bool]:
        possible = {n: one for n, one in claims.items() if one.previous is None or one.previous.state not in RUNNING}
        tokens = {n: f"{self._chance():016x}" for n in possible}
        statements = [self._claiming(claim, tokens[n]) for n, claim in possible.items()]
        answers = dict(zip(possible, self._tables.execute("claim payloads", statements), strict=True))
        refused = [n for n, done in answers.items() if not done]
        if refused:
            rows = self._rows([possible[n].payload_id for n in refused])
            for n in refused:
                row = rows.get(possible[n].payload_id, {})
                answers[n] = row.get("claim_token", {}).get("S") == tokens[n]
        return {n: answers.get(n, False) for n in claims}

    def _claiming(self, claim: Claim, token: str) -> Statement:
        state = at.state_updated(self._vocabulary, State.PROCESSING if claim.owner else State.CLAIMED, claim.at)
        arn = at.arn_of(self._arns, claim.payload_id, claim.execution_id)
        if claim.previous is None:
            row = at.fresh(claim.payload_id, state, claim.at, arn, token)
            members = ",".join(f"'{name}':?" for name in row)
            return f'INSERT INTO "{self._table}" VALUE {{{members}}}', list(row.values())
        return self._advance(claim, claim.previous, state, arn, token)

    def _advance(self, claim: Claim, previous: Record, state: Row, arn: str, token: str) -> Statement:
        now, runs = at.text(iso(claim.at)), len(previous.executions)
        grown = "list_append(executions, ?)" if runs else "?"
        values = [at.texts([arn]), at.text(arn), at.number(runs + 1), at.text(token), state, now, now]
        where, fenced = "", []
        if previous.execution_id is None:
            where = " AND (executions IS MISSING OR size(executions) = 0)"
        else:
            where = f" AND executions[{runs - 1}] = ? AND size(executions) = ?"
            fenced = [at.text(at.arn_of(self._arns, claim.payload_id, previous.execution_id)), at.number(runs)]
        known = at.words(previous.state)
        where += f" AND ({' OR '.join(['begins_with(state_updated, ?)'] * len(known))})"
        fenced += [at.text(f"{word}_") for word in known]
        keys = at.key(claim.payload_id)
        return (
            f'UPDATE "{self._table}" SET executions = {grown} SET execution = ? SET runs = ? SET claim_token = ?'
            " SET state_updated = ? SET updated = ? SET claimed_at = ?"
            " REMOVE last_error REMOVE outputs REMOVE output_collections"
            f" WHERE collections_workflow = ? AND itemids = ?{where}",
            [*values, keys["collections_workflow"], keys["itemids"], *fenced],
        )

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
        fences = {n: _fence(self._arn(start)) for n, start in starts.items()}
        answers = self._started(starts, tokens, fences)
        refused = {n: starts[n] for n, done in answers.items() if not done}
        rows = self._rows([one.payload_id for one in refused.values()]) if refused else {}
        again: dict[int, tuple[str, list[Row]]] = {}
        for n, start in refused.items():
            row = rows.get(start.payload_id, {})
            answers[n] = row.get("start_token", {}).get("S") == tokens[n]
            if not answers[n] and _unfenced(row, self._arn(start)):
                again[n] = _read_fence(row)
        if again:
            answers |= self._started({n: starts[n] for n in again}, tokens, again)
        return answers

    def _started(
        self, starts: Mapping[int, Start], tokens: Mapping[int, str], fences: Mapping[int, tuple[str, list[Row]]]
    ) -> dict[int, bool]:
        statements = []
        for n in fences:
            start, (where, values) = starts[n], fences[n]
            keys = at.key(start.payload_id)
            now, state = at.text(iso(start.at)), at.state_updated(self._vocabulary, State.PROCESSING, start.at)
            sql = (
                f'UPDATE "{self._table}" SET state_updated = ? SET updated = ? SET start_token = ?'
                f" WHERE collections_workflow = ? AND itemids = ? AND begins_with(state_updated, ?) AND {where}"
            )
            known = [keys["collections_workflow"], keys["itemids"], at.text("CLAIMED_")]
            statements.append((sql, [state, now, at.text(tokens[n]), *known, *values]))
        return dict(zip(fences, self._tables.execute("record starts", statements), strict=True))

    def _arn(self, one: Start | Conclusion) -> str:
        return at.arn_of(self._arns, one.payload_id, one.execution_id)

    # ---------------------------------------------------------------- ends

    def conclude(self, conclusions: Sequence[Conclusion]) -> list[bool]:
        """Record ends; refused unless the execution is the current one of its record and has not ended."""
        granted: dict[int, bool] = {}
        for end in conclusions:
            if end.output is not None:
                self._payloads.put(_output_key(self._root, end), end.output)
        for round_ in _rounds([end.payload_id for end in conclusions]):
            ends = {n: (conclusions[n], self._deliveries(conclusions[n])) for n in round_}
            for chunk in _chunks(ends):
                granted |= self._conclude({n: ends[n] for n in chunk})
        return [granted[n] for n in range(len(conclusions))]

    def _conclude(self, ends: Mapping[int, tuple[Conclusion, list[Outgoing]]]) -> dict[int, bool]:
        """Try all at once; those whose condition does not hold are looked at, and the rest is tried again."""
        left = dict(ends)
        fences = {n: _fence(self._arn(end)) for n, (end, _) in ends.items()}
        granted: dict[int, bool] = {}
        while left:
            actions, places = [], []
            for n, (end, rows) in left.items():
                places.append(n)
                actions.append(self._ending(end, fences[n]))
                for put in filter(None, map(self._outbox.putting, rows)):
                    places.append(n)
                    actions.append(put)
            could = self._tables.transact("record ends", actions, f"{self._chance():016x}{self._chance():016x}")
            if not could:
                for n, (_, rows) in left.items():
                    granted[n] = True
                    self._outbox.hold_fresh(rows)
                return granted
            failed = {n for n, one in zip(places, could, strict=True) if not one}
            looked = self._rows([left[n][0].payload_id for n in failed])
            for n in failed:
                end = left[n][0]
                row = looked.get(end.payload_id, {})
                if _unfenced(row, self._arn(end)) and fences[n] == _fence(self._arn(end)) and _runs(row):
                    fences[n] = _read_fence(row)
                else:
                    granted[n] = False
                    del left[n]
        return granted

    def _ending(self, end: Conclusion, fence: tuple[str, list[Row]]) -> Row:
        where, values = fence
        expression = "SET state_updated = :state, updated = :now"
        given: Row = {
            ":state": at.state_updated(self._vocabulary, end.state, end.at),
            ":now": at.text(iso(end.at)),
            ":claimed": at.text("CLAIMED_"),
            ":processing": at.text("PROCESSING_"),
        }
        kept = {"last_error": end.last_error, "outputs": end.outputs, "output_collections": end.output_collections}
        removed = [name for name, value in kept.items() if not value]
        if end.last_error:
            expression += ", last_error = :error"
            given[":error"] = at.text(end.last_error)
        if end.outputs:
            expression += ", outputs = :outputs"
            given[":outputs"] = at.texts(at.bounded(end.outputs))
        if end.output_collections:
            expression += ", output_collections = :collections"
            given[":collections"] = at.texts(at.bounded(end.output_collections))
        expression += f" REMOVE {', '.join(removed)}" if removed else ""
        for n, value in enumerate(values):
            where = where.replace("?", f":fence{n}", 1)
            given[f":fence{n}"] = value
        running = "(begins_with(state_updated, :claimed) OR begins_with(state_updated, :processing))"
        return {
            "Update": {
                "TableName": self._table,
                "Key": at.key(end.payload_id),
                "UpdateExpression": expression,
                "ConditionExpression": f"{where} AND {running}",
                "ExpressionAttributeValues": given,
            }
        }

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


def _fence(arn: str) -> tuple[str, list[Row]]:
    """The condition under which an execution is its row's current one, for rows that we claimed."""
    return "execution = ? AND size(executions) = runs", [at.text(arn)]


def _read_fence(row: Row) -> tuple[str, list[Row]]:
    """The same for a row that others claimed and that was read."""
    known = at.arns(row)
    return f"executions[{len(known) - 1}] = ? AND size(executions) = ?", [at.text(known[-1]), at.number(len(known))]


def _unfenced(row: Row, arn: str) -> bool:
    """Whether a row's current execution is this one, but the row does not say so in our way."""
    known = at.arns(row)
    ours = row.get("execution", {}).get("S") == arn and row.get("runs", {}).get("N") == str(len(known))
    return bool(known) and from_arn(known[-1]) == from_arn(arn) and not ours


def _runs(row: Row) -> bool:
    return at.record(row).state in RUNNING


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


def _chunks(ends: Mapping[int, tuple[Conclusion, list[Outgoing]]]) -> Iterator[list[int]]:
    """Numbers of ends that fit into one transaction."""
    chunk: list[int] = []
    actions = size = 0
    for n, (end, rows) in ends.items():
        more = 1 + len(rows)
        bytes_ = len(str(end.outputs)) + len(end.last_error or "") + sum(one.size for one in rows)
        if chunk and (actions + more > _MOST_ACTIONS or size + bytes_ > _MOST_BYTES):
            yield chunk
            chunk, actions, size = [], 0, 0
        chunk.append(n)
        actions += more
        size += bytes_
    if chunk:
        yield chunk
