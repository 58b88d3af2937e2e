"""What is said to DynamoDB about a row: claims, starts, ends, deletions, each with its condition.

A condition names the execution that must be the row's last. Rows that we claimed say so themselves (`execution`,
`runs`); of rows that others claimed the list of executions is held against what was read of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws.attributes import Row, Vocabulary
from cirrus.adapters.aws.tables import Statement
from cirrus.core.execution_id import Arns, from_arn
from cirrus.core.instant import SECOND, iso
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.ports.state_db import Claim, Conclusion, Start

Fence = tuple[str, list[Row]]
_FORGOTTEN = (
    "REMOVE last_error REMOVE outputs REMOVE output_collections REMOVE fingerprint REMOVE failure REMOVE expires"
    " REMOVE attention"
)


class Statements:
    """Statements about the rows of one table; ends in one of the states `attention` go into its sparse index."""

    def __init__(
        self,
        table: str,
        arns: Arns,
        vocabulary: Vocabulary,
        ages: Mapping[State, int] = MappingProxyType({}),
        attention: Collection[State] = (),
    ) -> None:
        self._table = table
        self._arns = arns
        self._vocabulary = vocabulary
        self._ages = ages
        self._attention = attention

    def claim(self, claim: Claim, token: str, slots: Sequence[str] = ()) -> Statement:
        """Make a row, or let it begin its next execution, if it is as it was read; it counts in these limits."""
        state = rows_of.state_updated(self._vocabulary, State.PROCESSING if claim.owner else State.CLAIMED, claim.at)
        arn = rows_of.arn_of(self._arns, claim.payload_id, claim.execution_id)
        if claim.redrive and claim.previous is not None:
            return self._redrive(claim, claim.previous, state, arn, token, slots)
        if claim.previous is None:
            row = rows_of.fresh(claim.payload_id, state, claim.at, arn, token, claim.priority, claim.receipt, slots)
            members = ",".join(f"'{name}':?" for name in row)
            return f'INSERT INTO "{self._table}" VALUE {{{members}}}', list(row.values())
        return self._advance(claim, claim.previous, state, arn, token, slots)

    def _redrive(
        self, claim: Claim, previous: Record, state: Row, arn: str, token: str, slots: Sequence[str]
    ) -> Statement:
        """Let the last execution go on, if it has not since the row was read."""
        now, known = rows_of.text(iso(claim.at)), rows_of.words(previous.state)
        where = f"({' OR '.join(['begins_with(state_updated, ?)'] * len(known))})"
        fenced = [rows_of.text(f"{word}_") for word in known]
        where += f" AND executions[{len(previous.executions) - 1}] = ? AND size(executions) = ?"
        fenced += [rows_of.text(arn), rows_of.number(len(previous.executions))]
        if previous.redrives:
            where += " AND redriven = ?"
            fenced += [rows_of.redriven(arn, previous.redrives)]
        else:
            where += " AND (redriven IS MISSING OR redriven[0] <> ?)"
            fenced += [rows_of.text(arn)]
        keys = rows_of.key(claim.payload_id)
        return (
            f'UPDATE "{self._table}" SET redriven = ? SET execution = ? SET runs = ? SET claim_token = ?'
            " SET state_updated = ? SET updated = ? SET claimed_at = ?"
            f"{' SET claimed_for = ?' if claim.receipt else ' REMOVE claimed_for'}"
            f"{' SET slots = ?' if slots else ' REMOVE slots'}"
            f" {_FORGOTTEN} WHERE collections_workflow = ? AND itemids = ? AND {where}",
            [
                rows_of.redriven(arn, claim.redrive),
                rows_of.text(arn),
                rows_of.number(len(previous.executions)),
                rows_of.text(token),
                state,
                now,
                now,
                *([rows_of.text(claim.receipt)] if claim.receipt else []),
                *([rows_of.texts(slots)] if slots else []),
                keys["collections_workflow"],
                keys["itemids"],
                *fenced,
            ],
        )

    def _advance(
        self, claim: Claim, previous: Record, state: Row, arn: str, token: str, slots: Sequence[str]
    ) -> Statement:
        now, runs = rows_of.text(iso(claim.at)), len(previous.executions)
        grown = "list_append(executions, ?)" if runs else "?"
        values = [
            rows_of.texts([arn]),
            rows_of.text(arn),
            rows_of.number(runs + 1),
            rows_of.text(token),
            state,
            now,
            now,
        ]
        values += [rows_of.number(claim.priority)] if claim.priority else []
        values += [rows_of.text(claim.receipt)] if claim.receipt else []
        values += [rows_of.texts(slots)] if slots else []
        where, fenced = "", []
        if previous.execution_id is None:
            where = " AND (executions IS MISSING OR size(executions) = 0)"
        else:
            where = f" AND executions[{runs - 1}] = ? AND size(executions) = ?"
            fenced = [
                rows_of.text(rows_of.arn_of(self._arns, claim.payload_id, previous.execution_id)),
                rows_of.number(runs),
            ]
        known = rows_of.words(previous.state)
        where += f" AND ({' OR '.join(['begins_with(state_updated, ?)'] * len(known))})"
        fenced += [rows_of.text(f"{word}_") for word in known]
        keys = rows_of.key(claim.payload_id)
        return (
            f'UPDATE "{self._table}" SET executions = {grown} SET execution = ? SET runs = ? SET claim_token = ?'
            " SET state_updated = ? SET updated = ? SET claimed_at = ?"
            f"{' SET priority = ?' if claim.priority else ' REMOVE priority'}"
            f"{' SET claimed_for = ?' if claim.receipt else ' REMOVE claimed_for'}"
            f"{' SET slots = ?' if slots else ' REMOVE slots'}"
            f" {_FORGOTTEN} REMOVE redriven WHERE collections_workflow = ? AND itemids = ?{where}",
            [*values, keys["collections_workflow"], keys["itemids"], *fenced],
        )

    def revive(self, claim: Claim, token: str, slots: Sequence[str] = ()) -> Statement:
        """A record in the place of its tombstone, whose earlier executions stay."""
        state = rows_of.state_updated(self._vocabulary, State.PROCESSING if claim.owner else State.CLAIMED, claim.at)
        arn = rows_of.arn_of(self._arns, claim.payload_id, claim.execution_id)
        row = rows_of.fresh(claim.payload_id, state, claim.at, arn, token, claim.priority, claim.receipt, slots)
        keys = rows_of.key(claim.payload_id)
        changed = {name: value for name, value in row.items() if name not in keys}
        sets = " ".join(f"SET {name} = ?" for name in changed)
        where = "collections_workflow = ? AND itemids = ? AND begins_with(state_updated, ?)"
        values = [*changed.values(), keys["collections_workflow"], keys["itemids"], rows_of.text(rows_of.DELETED)]
        return f'UPDATE "{self._table}" {sets} WHERE {where}', values

    def start(self, start: Start, token: str, fence: Fence) -> Statement:
        """Let a claimed row run, if the execution is its current one."""
        where, values = fence
        keys = rows_of.key(start.payload_id)
        state = rows_of.state_updated(self._vocabulary, State.PROCESSING, start.at)
        return (
            f'UPDATE "{self._table}" SET state_updated = ? SET updated = ? SET start_token = ?'
            f" WHERE collections_workflow = ? AND itemids = ? AND begins_with(state_updated, ?) AND {where}",
            [
                state,
                rows_of.text(iso(start.at)),
                rows_of.text(token),
                keys["collections_workflow"],
                keys["itemids"],
                rows_of.text("CLAIMED_"),
                *values,
            ],
        )

    def end(self, end: Conclusion, fence: Fence, made: str | None = None, slots: Sequence[str] = ()) -> Row:
        """The part of a transaction that ends an execution, if it is the current one, runs, and counts in these limits.

        `made` is the token of what it made, where that is kept.
        """
        where, values = fence
        expression = "SET state_updated = :state, updated = :now"
        given: Row = {
            ":state": rows_of.state_updated(self._vocabulary, end.state, end.at),
            ":now": rows_of.text(iso(end.at)),
            ":claimed": rows_of.text("CLAIMED_"),
            ":processing": rows_of.text("PROCESSING_"),
        }
        kept: dict[str, object] = {
            "last_error": end.last_error,
            "outputs": end.outputs,
            "output_collections": end.output_collections,
        }
        kept |= {"fingerprint": end.kind, "failure": end.kind}
        kept["attention"] = end.state in self._attention
        removed = [name for name, value in kept.items() if not value]
        if end.last_error:
            expression += ", last_error = :error"
            given[":error"] = rows_of.text(end.last_error)
        if end.outputs:
            expression += ", outputs = :outputs"
            given[":outputs"] = rows_of.texts(rows_of.bounded(end.outputs))
        if end.output_collections:
            expression += ", output_collections = :collections"
            given[":collections"] = rows_of.texts(rows_of.bounded(end.output_collections))
        if end.kind:
            expression += ", fingerprint = :fingerprint, failure = :failure"
            given[":fingerprint"] = rows_of.text(end.kind.fingerprint)
            given[":failure"] = rows_of.texts([end.kind.workflow, end.kind.step, end.kind.message])
        if kept["attention"]:
            expression += ", attention = :attention"
            given[":attention"] = rows_of.text(str(end.state))
        if made is not None:
            expression += ", made = :made"
            given[":made"] = rows_of.text(made)
        if end.state in self._ages:
            expression += ", expires = :expires"
            given[":expires"] = rows_of.number((end.at + self._ages[end.state]) // SECOND)
        if slots:
            given[":slots"] = rows_of.texts(slots)
            removed.append("slots")
        where += " AND slots = :slots" if slots else " AND attribute_not_exists(slots)"
        expression += f" REMOVE {', '.join(removed)}" if removed else ""
        for n, value in enumerate(values):
            where = where.replace("?", f":fence{n}", 1)
            given[f":fence{n}"] = value
        running = "(begins_with(state_updated, :claimed) OR begins_with(state_updated, :processing))"
        if end.redrives is not None:
            running += " AND (attribute_not_exists(redriven) OR redriven[0] <> :arn OR redriven[1] <= :redrives)"
            given[":arn"] = rows_of.text(rows_of.arn_of(self._arns, end.payload_id, end.execution_id))
            given[":redrives"] = rows_of.number(end.redrives)
        return {
            "Update": {
                "TableName": self._table,
                "Key": rows_of.key(end.payload_id),
                "UpdateExpression": expression,
                "ConditionExpression": f"{where} AND {running}",
                "ExpressionAttributeValues": given,
            }
        }

    def adopt(self, row: Row, slots: Sequence[str]) -> Statement:
        """Let a row that runs count in these limits, if it is as it was read."""
        keys = [row["collections_workflow"], row["itemids"]]
        before = [row["slots"]] if "slots" in row else []
        sets = "SET slots = ?" if slots else "REMOVE slots"
        same = "state_updated = ? AND executions = ? AND " + ("slots = ?" if before else "slots IS MISSING")
        return (
            f'UPDATE "{self._table}" {sets} WHERE collections_workflow = ? AND itemids = ? AND {same}',
            [*([rows_of.texts(slots)] if slots else []), *keys, row["state_updated"], row["executions"], *before],
        )

    def bury(self, payload_id: str, row: Row, now: int) -> Statement:
        """Turn a row, as it was read, into a tombstone."""
        keys, record = rows_of.key(payload_id), rows_of.record(row)
        earlier = [*rows_of.listed(row, "earlier"), *record.executions]
        gone = set(row) - set(keys) - {"created", "updated", "state_updated", "executions", "payload_id", "earlier"}
        removes = " ".join(f"REMOVE {name}" for name in sorted(gone))
        return (
            f'UPDATE "{self._table}" SET state_updated = ? SET updated = ? SET executions = ? SET earlier = ? {removes}'
            " WHERE collections_workflow = ? AND itemids = ? AND state_updated = ? AND size(executions) = ?",
            [
                rows_of.text(f"{rows_of.DELETED}{iso(now)}"),
                rows_of.text(iso(now)),
                rows_of.texts(()),
                rows_of.texts(earlier),
                keys["collections_workflow"],
                keys["itemids"],
                row["state_updated"],
                rows_of.number(len(record.executions)),
            ],
        )


def fence(arn: str) -> Fence:
    """The condition under which an execution is its row's current one, for rows that we claimed."""
    return "execution = ? AND size(executions) = runs", [rows_of.text(arn)]


def read_fence(row: Row) -> Fence:
    """The same for a row that others claimed and that was read."""
    known = rows_of.arns(row)
    return f"executions[{len(known) - 1}] = ? AND size(executions) = ?", [
        rows_of.text(known[-1]),
        rows_of.number(len(known)),
    ]


def unfenced(row: Row, arn: str) -> bool:
    """Whether a row's current execution is this one, but the row does not say so in our way."""
    known = rows_of.arns(row)
    ours = row.get("execution", {}).get("S") == arn and row.get("runs", {}).get("N") == str(len(known))
    return bool(known) and from_arn(known[-1]) == from_arn(arn) and not ours
