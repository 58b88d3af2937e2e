"""Pages of records by keyset: each page is a range of an index, so the thousandth costs what the first does.

One index is kept on all records (group, state, updated). A query that names no group or no state walks one range for
each group and state that it covers and merges them, so that changing a record's state stays cheap. What no index
tells is looked for record by record: where a small index says that few can match (narrowing), those are fetched and
sorted; else a page looks at BUDGET records, and its token says how far it came. The second page looks through all
records once: what matches is often so little that it is the last one.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.sqlite.columns import NUMBER
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.narrowing import candidates, conditions, groups, key_range
from cirrus.core import page_token
from cirrus.core.state import ENDED, State
from cirrus.ports.query import SORTS, Query

BUDGET = 10_000
LEAST = 100
_COLUMNS = (
    "r.id, r.key, r.full_id, r.state, r.created, r.updated, r.claimed_at, r.last_error, r.outputs,"
    " r.output_collections, r.failure"
)
_SHAPES: dict[str, tuple[type, ...]] = {"updated": (int, int), "state": (int, int, int), "id": (str,)}
_TROUBLED = tuple(sorted(ENDED - {State.COMPLETED}))
_CHUNK = 500
_FIRST = 10


@dataclass(frozen=True, slots=True)
class _Range:
    """A part of an index: its condition and values; `state` for the order by state."""

    where: str
    values: tuple[Any, ...]
    state: int = 0


def page(db: Database, query: Query, limit: int, token: str | None) -> tuple[list[Any], str | None]:
    """Up to `limit` rows of a query and the token of the next page. ValueError on a bad token or sort."""
    if query.sort not in SORTS:
        raise ValueError(f"{query.sort!r} is no sort: one of {', '.join(SORTS)} is expected")
    after, scanned = _read(query, token)
    if limit <= 0:
        return [], None
    few = candidates(db, query)
    if few is None and after is not None and query.searches and not scanned:
        few, scanned = _scanned(db, query, limit), True
    found, reached = _walk(db, query, after, limit + 1) if few is None else (_gather(db, query, few, after), None)
    rows = found[:limit]
    if len(found) > limit:
        reached = position(query, rows[-1])
    if reached is None:
        return rows, None
    return rows, page_token.write(query.sort, query.ascending, [*reached, True] if scanned else reached)


def _read(query: Query, token: str | None) -> tuple[list[Any] | None, bool]:
    """The position in a token, and whether all records were looked through already; ValueError on a bad one."""
    if not token:
        return None, False
    shape = _SHAPES[query.sort]
    try:
        return page_token.read(token, query.sort, query.ascending, shape), False
    except ValueError:
        return page_token.read(token, query.sort, query.ascending, (*shape, bool))[:-1], True


def _scanned(db: Database, query: Query, limit: int) -> list[int] | None:
    """The numbers of all records that match, if they are no more than a page; they are read in the order they lie in.

    A walk fetches each record from where it lies, which takes some ten times as long.
    """
    sql, values = conditions(db, query)
    rows = db.rows(f"SELECT r.id FROM records r NOT INDEXED WHERE true{sql} LIMIT ?", [*values, limit + 1])
    return None if len(rows) > limit else [row[0] for row in rows]


def position(query: Query, row: Any) -> list[Any]:
    """Where a row stands in the order of a query."""
    if query.sort == "id":
        return [row[1]]
    return [row[5], row[0]] if query.sort == "updated" else [row[3], row[5], row[0]]


def _gather(db: Database, query: Query, numbers: list[int], after: list[Any] | None) -> list[Any]:
    """The rows among these that match and come after a position, in order."""
    sql, values = conditions(db, query)
    rows: list[Any] = []
    for n in range(0, len(numbers), _CHUNK):
        some = numbers[n : n + _CHUNK]
        where = f"r.id IN ({','.join('?' * len(some))}){sql}"
        rows += db.rows(f"SELECT {_COLUMNS} FROM records r WHERE {where}", [*some, *values])
    rows.sort(key=lambda row: position(query, row), reverse=not query.ascending)
    if after is None:
        return rows
    return [row for row in rows if (position(query, row) > after) == query.ascending and position(query, row) != after]


# ---------------------------------------------------------------- walking


def _walk(db: Database, query: Query, after: list[Any] | None, limit: int) -> tuple[list[Any], list[Any] | None]:
    """Rows in order, and how far the walk came where it ended before it had enough."""
    ranges = _ranges(db, query)
    if query.sort != "state":
        return _merged(db, query, ranges, after, limit)
    found: list[Any] = []
    for state in sorted({one.state for one in ranges}, reverse=not query.ascending):
        if after is not None and state != after[0] and (state > after[0]) != query.ascending:
            continue
        start = after[1:] if after is not None and state == after[0] else None
        some = [one for one in ranges if one.state == state]
        rows, reached = _merged(db, query, some, start, limit - len(found), BUDGET * len(some) // len(ranges))
        found += rows
        if reached is not None or len(found) >= limit:
            return found, None if reached is None else [state, *reached]
    return found, None


def _ranges(db: Database, query: Query) -> list[_Range]:
    known = groups(db, query)
    if query.sort == "id":
        if query.collections_workflow is None and query.workflow is None and query.collection is None:
            return [_Range("true", ())]
        return [_Range("r.key >= ? AND r.key < ?", key_range(name)) for _, name in known]
    wanted = query.states or (
        _TROUBLED if query.error_prefix or query.error_text or query.fingerprint else tuple(State)
    )
    return [
        _Range("r.grp = ? AND r.state = ?", (group, NUMBER[state]), NUMBER[state])
        for group, _ in known
        for state in sorted(set(wanted))
    ]


def _merged(
    db: Database, query: Query, ranges: list[_Range], after: list[Any] | None, limit: int, budget: int = BUDGET
) -> tuple[list[Any], list[Any] | None]:
    searches = query.searches or (query.sort == "id" and bool(query.states or query.since or query.until))
    reached = _reach(db, query, ranges, after, budget) if searches and ranges else None
    walks = [_rows(db, query, one, after, reached, limit) for one in ranges]
    merged = heapq.merge(*walks, key=lambda row: _place(query, row), reverse=not query.ascending)
    rows = [row for row, _ in zip(merged, range(limit), strict=False)]
    return rows, None if len(rows) >= limit else reached


def _place(query: Query, row: Any) -> tuple[Any, ...]:
    return (row[1],) if query.sort == "id" else (row[5], row[0])


def _reach(db: Database, query: Query, ranges: list[_Range], after: list[Any] | None, budget: int) -> list[Any] | None:
    """How far a page may look, so that it looks at no more than `budget` records; None if that is all of them.

    Each range is given its share; what short ranges leave of theirs goes to the long ones.
    """
    far = [(one, place) for one in ranges if (place := _nth(db, query, one, after, _share(budget, ranges)))]
    if far and len(far) < len(ranges):
        longer = [one for one, _ in far]
        far = [(one, place) for one in longer if (place := _nth(db, query, one, after, _share(budget, longer)))]
    places = [place for _, place in far]
    if not places:
        return None
    return min(places) if query.ascending else max(places)


def _share(budget: int, ranges: Sequence[_Range]) -> int:
    return max(LEAST, budget // len(ranges))


def _nth(db: Database, query: Query, one: _Range, after: list[Any] | None, n: int) -> list[Any] | None:
    columns, where, values, order = _clauses(query, one, after)
    row = db.row(f"SELECT {columns} FROM records r WHERE {where} ORDER BY {order} LIMIT 1 OFFSET ?", [*values, n])
    return list(row) if row else None


def _rows(
    db: Database,
    query: Query,
    one: _Range,
    after: list[Any] | None,
    reached: list[Any] | None,
    limit: int,
    first: int = _FIRST,
) -> Iterator[Any]:
    columns, where, values, order = _clauses(query, one, after)
    if reached is not None:
        where += f" AND ({columns}) {'<=' if query.ascending else '>='} ({','.join('?' * len(reached))})"
        values += reached
    sql, more = conditions(db, query, indexed=query.sort != "id")
    statement = f"SELECT {_COLUMNS} FROM records r WHERE {where}{sql} ORDER BY {order} LIMIT ?"
    some = min(limit, first)
    rows = db.rows(statement, [*values, *more, some])
    yield from rows
    if len(rows) == some < limit:  # most ranges of a merge give a few rows only
        yield from _rows(db, query, one, list(_place(query, rows[-1])), reached, limit - some, limit)


def _clauses(query: Query, one: _Range, after: list[Any] | None) -> tuple[str, str, list[Any], str]:
    """The columns of the order, the condition with its values, and the order."""
    names = ("r.key",) if query.sort == "id" else ("r.updated", "r.id")
    columns = ", ".join(names)
    where, values = one.where, list(one.values)
    if query.sort != "id":
        for words, bound in (("r.updated >= ?", query.since), ("r.updated < ?", query.until)):
            if bound is not None:
                where += f" AND {words}"
                values.append(bound)
    if after is not None:
        where += f" AND ({columns}) {'>' if query.ascending else '<'} ({','.join('?' * len(after))})"
        values += after
    return columns, where, values, ", ".join(f"{name} {'ASC' if query.ascending else 'DESC'}" for name in names)
