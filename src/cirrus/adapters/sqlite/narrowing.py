"""What a query asks of records in SQL, and which few records can match at all where a small index tells.

The index on errors holds failures only, that on attempts only what ran more than once: both cost nothing where all
goes well. The beginning of an Item's id is a range of the store keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cirrus.adapters.sqlite.columns import NUMBER
from cirrus.adapters.sqlite.database import Database
from cirrus.core.jsontext import encode
from cirrus.ports.query import Query, in_group

FEW = 2_000
_MOST_ERRORS = 200_000
_MOST_GROUPS = 64
_LAST = "\U0010ffff"
_LITERAL = re.compile(r"[^*?\[]*")
_LONGEST = 100
_ID = "coalesce(r.full_id, r.key)"
_BEHIND = f"substr({_ID}, instr({_ID}, '/workflow-') + 10)"
_ITEMS = f"substr({_BEHIND}, instr({_BEHIND}, '/') + 1)"


def groups(db: Database, query: Query) -> list[tuple[int, str]]:
    """Number and name of each `collections_workflow` that a query can mean."""
    return [(row[0], row[1]) for row in db.rows("SELECT id, name FROM groups ORDER BY id") if in_group(query, row[1])]


def key_range(name: str, beginning: str = "") -> tuple[str, str]:
    """The store keys (at or after, before) of a `collections_workflow` whose Items' ids begin so."""
    collections, _, workflow = name.rpartition("_")
    first = f"{collections}/workflow-{workflow}/{beginning}"
    return first, first + _LAST


def conditions(db: Database, query: Query, *, indexed: bool = False) -> tuple[str, list[Any]]:
    """All that a query asks; with `indexed` without what a range of the index on state and time tells already."""
    found = list(_asked(query))
    if not indexed:
        found += _told(db, query)
    return "".join(f" AND {words}" for words, _ in found), [value for _, values in found for value in values]


def _asked(query: Query) -> Iterator[tuple[str, list[Any]]]:
    if query.error_prefix:
        yield "substr(r.last_error, 1, ?) = ?", [len(query.error_prefix), query.error_prefix]
    if query.error_text:
        yield "instr(r.last_error, ?) > 0", [query.error_text]
    if query.item is not None:
        yield f"{_ITEMS} GLOB ?", [_glob(query.item)]
    if query.attempts_min is not None:
        yield "r.attempts >= ?", [query.attempts_min]
    if query.attempts_max is not None:
        yield "r.attempts <= ?", [query.attempts_max]
    if query.fingerprint is not None:
        yield "r.failure = (SELECT id FROM failures WHERE fingerprint = ?)", [query.fingerprint]
    if query.output_collection is not None:
        name = encode(query.output_collection).decode()
        words = "(instr(r.output_collections, ?) = 1 OR instr(r.output_collections, ?) > 0)"
        yield words, [f"[{name}", f",{name}"]  # a quote inside a name stands behind a backslash


def _told(db: Database, query: Query) -> Iterator[tuple[str, list[Any]]]:
    if query.collections_workflow is not None or query.workflow is not None or query.collection is not None:
        numbers = [number for number, _ in groups(db, query)]
        yield f"r.grp IN ({','.join(map(str, numbers))})", []
    if query.states:
        yield f"r.state IN ({','.join(str(NUMBER[state]) for state in query.states)})", []
    if query.since is not None:
        yield "r.updated >= ?", [query.since]
    if query.until is not None:
        yield "r.updated < ?", [query.until]


def _glob(pattern: str) -> str:
    """A pattern of `fnmatch` as SQLite reads it: a class is negated by '^', and a '[' that is not closed is itself."""
    found = []
    at = 0
    while at < len(pattern):
        end = pattern.find("]", at + 2 + (pattern[at + 1 : at + 2] == "!")) if pattern[at] == "[" else -1
        if pattern[at] != "[" or end < 0:
            found.append("[[]" if pattern[at] == "[" else pattern[at])
            at += 1
            continue
        inside = pattern[at + 1 : end]
        found.append(f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
        at = end + 1
    return "".join(found)


def candidates(db: Database, query: Query) -> list[int] | None:
    """The numbers of all records that can match, where an index says that they are few; else None."""
    for sql, values in _narrow(db, query):
        rows = db.rows(f"{sql} LIMIT {FEW + 1}", values)
        if len(rows) <= FEW:
            return [row[0] for row in rows]
    return None


def _narrow(db: Database, query: Query) -> Iterator[tuple[str, list[Any]]]:
    if query.attempts_min is not None and query.attempts_min > 1:
        yield "SELECT id FROM records WHERE attempts > 1 AND attempts >= ?", [query.attempts_min]
    if query.fingerprint is not None:
        sql = "SELECT id FROM records WHERE failure = (SELECT id FROM failures WHERE fingerprint = ?)"
        yield sql, [query.fingerprint]
    if query.item is not None:
        yield from _by_item(db, query, query.item)
    if query.error_prefix:
        sql = "SELECT id FROM records WHERE last_error IS NOT NULL AND last_error >= ? AND last_error < ?"
        yield sql, [query.error_prefix, query.error_prefix + _LAST]
    if query.error_text:
        errors = "SELECT id FROM records INDEXED BY records_by_error WHERE last_error IS NOT NULL"
        if db.row(f"{errors} LIMIT 1 OFFSET {_MOST_ERRORS}") is None:
            yield f"{errors} AND instr(last_error, ?) > 0", [query.error_text]


def _by_item(db: Database, query: Query, pattern: str) -> Iterator[tuple[str, list[Any]]]:
    found = _LITERAL.match(pattern)
    beginning = found[0][:_LONGEST] if found else ""
    known = groups(db, query)
    if beginning and 0 < len(known) <= _MOST_GROUPS:
        ranges = [key_range(name, beginning) for _, name in known]
        sql = " UNION ALL ".join("SELECT id FROM records WHERE key >= ? AND key < ?" for _ in ranges)
        yield sql, [value for pair in ranges for value in pair]
