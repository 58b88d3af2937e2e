"""Pages of records by keyset: each page is a range of an index, so the thousandth costs what the first does.

Only one index is kept on records (group, state, updated). A query that names no group or no state walks one range
for each group and state that it covers and merges them, so that changing a record's state stays cheap.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from cirrus.adapters.sqlite.columns import NUMBER
from cirrus.adapters.sqlite.database import Database
from cirrus.core import page_token
from cirrus.core.state import State
from cirrus.ports.state_db import SORTS, Query

_COLUMNS = "r.id, r.key, r.full_id, r.state, r.created, r.updated, r.claimed_at, r.last_error, r.outputs"
_SHAPES: dict[str, tuple[type, ...]] = {"updated": (int, int), "state": (int, int, int), "id": (str,)}
_NUMBERS = range(1, len(State) + 1)


def page(db: Database, query: Query, limit: int, token: str | None) -> tuple[list[Any], str | None]:
    """Up to `limit` rows of a query and the token of the next page. ValueError on a bad token or sort."""
    if query.sort not in SORTS:
        raise ValueError(f"{query.sort!r} is no sort: one of {', '.join(SORTS)} is expected")
    after = page_token.read(token, query.sort, query.ascending, _SHAPES[query.sort]) if token else None
    by_id = query.sort == "id"
    found = _by_id(db, query, after, limit + 1) if by_id else _merged(db, query, after, limit + 1)
    rows = found[:limit]
    more = len(found) > limit
    if not more or not rows:
        return rows, None
    return rows, page_token.write(query.sort, query.ascending, _position(query, rows[-1]))


def _position(query: Query, row: Any) -> list[Any]:
    if query.sort == "id":
        return [row[1]]
    return [row[5], row[0]] if query.sort == "updated" else [row[3], row[5], row[0]]


def _groups(db: Database, query: Query) -> list[int]:
    if query.collections_workflow is None:
        return [row[0] for row in db.rows("SELECT id FROM groups ORDER BY id")]
    return [row[0] for row in db.rows("SELECT id FROM groups WHERE name = ?", (query.collections_workflow,))]


def _merged(db: Database, query: Query, after: list[Any] | None, limit: int) -> list[Any]:
    states = list(_NUMBERS) if query.state is None else [NUMBER[query.state]]
    if query.sort == "updated":
        return _ranges(db, query, states, after, limit)
    found: list[Any] = []
    for state in states if query.ascending else reversed(states):
        if after is None or state == after[0] or (state > after[0]) == query.ascending:
            position = after[1:] if after and state == after[0] else None
            found += _ranges(db, query, [state], position, limit - len(found))
        if len(found) >= limit:
            break
    return found


def _ranges(db: Database, query: Query, states: list[int], after: list[Any] | None, limit: int) -> list[Any]:
    ranges = [_range(db, query, group, state, after, limit) for group in _groups(db, query) for state in states]
    merged = heapq.merge(*ranges, key=lambda row: (row[5], row[0]), reverse=not query.ascending)
    return [row for row, _ in zip(merged, range(limit), strict=False)]


def _range(db: Database, query: Query, group: int, state: int, after: list[Any] | None, limit: int) -> Iterator[Any]:
    sql, values = _filters(query)
    order = "ASC" if query.ascending else "DESC"
    if after is not None:
        sql += f" AND (r.updated, r.id) {'>' if query.ascending else '<'} (?, ?)"
        values += after
    yield from db.rows(
        f"SELECT {_COLUMNS} FROM records r WHERE r.grp = ? AND r.state = ?{sql}"
        f" ORDER BY r.updated {order}, r.id {order} LIMIT ?",
        [group, state, *values, limit],
    )


def _by_id(db: Database, query: Query, after: list[Any] | None, limit: int) -> list[Any]:
    sql, values = _filters(query)
    if query.collections_workflow is not None:
        sql += " AND r.grp = (SELECT id FROM groups WHERE name = ?)"
        values.append(query.collections_workflow)
    if query.state is not None:
        sql += " AND r.state = ?"
        values.append(NUMBER[query.state])
    if after is not None:
        sql += f" AND r.key {'>' if query.ascending else '<'} ?"
        values += after
    order = "ASC" if query.ascending else "DESC"
    statement = f"SELECT {_COLUMNS} FROM records r WHERE true{sql} ORDER BY r.key {order} LIMIT ?"
    return db.rows(statement, [*values, limit])


def _filters(query: Query) -> tuple[str, list[Any]]:
    sql = ""
    values: list[Any] = []
    for words, value in ((" AND r.updated >= ?", query.since), (" AND r.updated < ?", query.until)):
        if value is not None:
            sql += words
            values.append(value)
    if query.error_prefix:
        sql += " AND substr(r.last_error, 1, ?) = ?"
        values += [len(query.error_prefix), query.error_prefix]
    return sql, values
