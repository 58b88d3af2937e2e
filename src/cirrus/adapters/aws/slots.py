"""Limits of workflows and collections: what runs is counted in rows of the outbox table, one for each limit.

A row changes in the transaction of the claim and in that of the end, so it is as exact as the records: a record names
the limits that it counts in (`slots`), and its end gives back just these. `changes` grows with every transaction, so
that a count of the records can be written in the place of the number if nothing has happened meanwhile. A rate's debt
is written as it was read. A limit holds once a sweep has let what runs already count in it; until then nothing of its
scope begins.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws import delivery_row
from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.tables import Statement, Tables
from cirrus.core.instant import SECOND
from cirrus.core.payload_id import parse
from cirrus.core.throttle import Limit, Throttle, write_limits

TARGET = "limits"
BURST = 10 * SECOND
_MARK = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A limit's row as it was read: `waiting` is a token while messages wait for room in it."""

    name: str
    running: int = 0
    changes: int = 0
    touched: int = 0
    debt: int | None = None
    waiting: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """The limits that records are known to count in, and since when."""

    text: str = ""
    since: int = 0


class Slots:
    """The limits of one deployment, and their rows; `table` is None where there is no table to keep them in."""

    def __init__(self, tables: Tables, table: str | None, throttle: Throttle) -> None:
        self._tables = tables
        self._table = table
        self._throttle = throttle
        self.text = write_limits(throttle)

    def __bool__(self) -> bool:
        """Whether there is anything to keep, and where."""
        return self._table is not None and bool(self._throttle)

    @property
    def kept(self) -> bool:
        """Whether there is a table for limits, though there may be none now."""
        return self._table is not None

    def names(self, payload_id: str) -> tuple[str, ...]:
        """The limits that an execution of a payload counts in."""
        return tuple(name for name, _ in self._of(payload_id)) if self else ()

    def _of(self, payload_id: str) -> Iterator[tuple[str, Limit]]:
        parts = parse(payload_id)
        yield from self._throttle.of(parts.collections, parts.workflow)

    # ---------------------------------------------------------------- rows

    def read(self, names: Iterable[str]) -> tuple[Mark, dict[str, Seen]]:
        """The rows of these limits, made where they are missing, and what records count in; one call."""
        wanted = sorted(set(names))
        rows = self._tables.get(self._name, [_key(name) for name in wanted] + [delivery_row.key(TARGET, _MARK)])
        found = {row["limit_name"]["S"]: _seen(row) for row in rows if "limit_name" in row}
        marks = [row for row in rows if "limit_name" not in row]
        missing = [name for name in wanted if name not in found]
        if missing:
            self._tables.execute("make rows of limits", [self._made(name) for name in missing])
        mark = Mark(marks[0]["limits"]["S"], int(marks[0]["since"]["N"])) if marks else Mark()
        return mark, found | {name: Seen(name) for name in missing}

    def all(self) -> list[Seen]:
        """The rows of all limits that there are."""
        rows = self._tables.query(
            self._name,
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": text(TARGET)},
            ConsistentRead=True,
        )
        return [_seen(row) for row in rows if "limit_name" in row]

    def _made(self, name: str) -> Statement:
        row = _key(name) | {"limit_name": text(name)}
        row |= {one: number(0) for one in ("running", "changes", "touched")}
        members = ",".join(f"'{one}':?" for one in row)
        return f'INSERT INTO "{self._name}" VALUE {{{members}}}', list(row.values())

    def write_mark(self, mark: Mark) -> None:
        """Write down what records count in."""
        row = {**delivery_row.key(TARGET, _MARK), "limits": text(mark.text), "since": number(mark.since)}
        self._tables.write(self._name, [{"PutRequest": {"Item": row}}])

    # ---------------------------------------------------------------- room

    def room(self, payload_ids: Sequence[str], turned: Sequence[bool], now: int) -> tuple[list[str | None], Taking]:
        """For each payload the limit that has no room for it, None if it may begin; and what those that may take.

        While messages wait for a limit, only those whose turn has come (`turned`) may begin.
        """
        limits = [dict(self._of(known)) for known in payload_ids]
        mark, seen = self.read(name for some in limits for name in some)
        free = {name: self.free(limit, seen[name], now) for some in limits for name, limit in some.items()}
        waits: list[str | None] = []
        taken: Counter[str] = Counter()
        for some, turn in zip(limits, turned, strict=True):
            full = (name for name in some if free[name] <= taken[name] or (seen[name].waiting and not turn))
            waits.append(next(iter(some)) if mark.text != self.text else next(full, None))
            taken.update(list(some) if waits[-1] is None else ())
        return waits, Taking(dict(taken), seen, {name: limit for some in limits for name, limit in some.items()}, now)

    def free(self, limit: Limit, seen: Seen, now: int) -> int:
        """How many more may begin."""
        left = [limit.running - seen.running] if limit.running is not None else []
        left += [limit.rate.free(seen.debt, now, BURST)] if limit.rate is not None else []
        return max(0, min(left))

    def limit(self, name: str) -> Limit:
        """The limit of a name, no limit at all where there is none any more."""
        kind, _, scope = name.partition(" ")
        found = self._throttle.of("", scope) if kind == "workflow" else self._throttle.of(scope, "")
        return dict(found).get(name, Limit(running=1 << 40))

    # ---------------------------------------------------------------- what transactions say

    def take(self, taking: Taking) -> list[Statement]:
        """The parts of a claim's transaction that count what begins; none can be carried out where that is too much."""
        return [self._take(name, count, taking) for name, count in taking.counts.items()]

    def _take(self, name: str, count: int, taking: Taking) -> Statement:
        limit, seen = taking.limits[name], taking.seen[name]
        sets = "SET running = running + ? SET changes = changes + ? SET touched = ?"
        values = [number(count), number(1), number(taking.at)]
        where, fenced = "target = ? AND id = ?", list(_key(name).values())
        if limit.rate is not None:
            sets += " SET debt = ?"
            values.append(number(limit.rate.spend(seen.debt, taking.at, count, BURST)))
            where += " AND debt IS MISSING" if seen.debt is None else " AND debt = ?"
            fenced += [] if seen.debt is None else [number(seen.debt)]
        if limit.running is not None:
            where += " AND running <= ?"
            fenced.append(number(limit.running - count))
        return f'UPDATE "{self._name}" {sets} WHERE {where}', [*values, *fenced]

    def give(self, names: Iterable[str], at: int) -> list[Row]:
        """The parts of an end's transaction that give back what ended."""
        return [
            {
                "Update": {
                    "TableName": self._name,
                    "Key": _key(name),
                    "UpdateExpression": "SET touched = :at, limit_name = :name ADD running :less, changes :one",
                    "ExpressionAttributeValues": {
                        ":at": number(at),
                        ":name": text(name),
                        ":less": number(-count),
                        ":one": number(1),
                    },
                }
            }
            for name, count in Counter(names).items()
        ]

    def moved(self, before: Sequence[str], after: Sequence[str], at: int) -> list[Statement]:
        """The parts of a transaction that let a record count in other limits than before."""
        gained, lost = [one for one in after if one not in before], [one for one in before if one not in after]
        return [self._add(name, 1, at) for name in gained] + [self._add(name, -1, at) for name in lost]

    def _add(self, name: str, count: int, at: int) -> Statement:
        sets = "SET running = running + ? SET changes = changes + ? SET touched = ?"
        values = [number(count), number(1), number(at), *_key(name).values()]
        return f'UPDATE "{self._name}" {sets} WHERE target = ? AND id = ?', values

    def counted(self, seen: Seen, running: int) -> bool:
        """Write what was counted in the place of the number; False if something has happened meanwhile."""
        values = [number(running), *_key(seen.name).values(), number(seen.changes)]
        statement = f'UPDATE "{self._name}" SET running = ? WHERE target = ? AND id = ? AND changes = ?'
        return self._tables.execute("set a limit's count right", [(statement, values)]) == [True]

    # ---------------------------------------------------------------- what waits

    def wait(self, names: Iterable[str], token: str) -> None:
        """Messages wait for these limits."""
        told = [(name, text(token)) for name in dict.fromkeys(names)]
        statement = f'UPDATE "{self._name}" SET waiting = ? WHERE target = ? AND id = ?'
        self._tables.execute("wait for limits", [(statement, [value, *_key(name).values()]) for name, value in told])

    def waited(self, seen: Seen) -> None:
        """Nothing waits for a limit any more, if nothing has come since it was read."""
        statement = f'UPDATE "{self._name}" REMOVE waiting WHERE target = ? AND id = ? AND waiting = ?'
        values = [*_key(seen.name).values(), text(seen.waiting or "")]
        self._tables.execute("wait for a limit no more", [(statement, values)])

    @property
    def _name(self) -> str:
        assert self._table is not None
        return self._table


@dataclass(frozen=True, slots=True)
class Taking:
    """How many begin under each limit, given its row as it was read."""

    counts: dict[str, int]
    seen: Mapping[str, Seen]
    limits: Mapping[str, Limit]
    at: int


def slots_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The limits that a record counts in."""
    return tuple(rows_of.listed(row, "slots"))


def _key(name: str) -> Row:
    return delivery_row.key(TARGET, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") | 1)


def _seen(row: Mapping[str, Any]) -> Seen:
    return Seen(
        row["limit_name"]["S"],
        int(row["running"]["N"]),
        int(row["changes"]["N"]),
        int(row["touched"]["N"]),
        int(row["debt"]["N"]) if "debt" in row else None,
        row.get("waiting", {}).get("S"),
    )
