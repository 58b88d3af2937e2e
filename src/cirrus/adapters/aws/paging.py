"""Pages and counts of records: ranges of the table's two indexes, merged; no page costs more than the first.

A query that names no group walks one range for each group, or those of the sparse index where that holds all that it
means, and a state is one range for each word that may stand for it. Rows of the same instant come in the order of their
ids, so that a page can begin in between. What no index tells is looked for record by record; a page looks at so many,
and its token says how far it came.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from cirrus.adapters.aws import attributes as at
from cirrus.adapters.aws.attention import Attention
from cirrus.adapters.aws.attributes import Row
from cirrus.adapters.aws.tables import ATTENTION, LAST_ITEMIDS, Tables
from cirrus.core import page_token
from cirrus.core.instant import SECOND, iso
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.ports.query import SORTS, Query, in_group, matches
from cirrus.ports.state_db import Page

_SHAPES: dict[str, tuple[type, ...]] = {"updated": (int, str), "state": (str, int, str), "id": (str,)}
BUDGET = 5_000
LEAST = 25
_FIRST, _LAST = "0", "~"
Found = tuple[Record, str]
_POSITIONS: dict[str, Callable[[Found], list[Any]]] = {
    "updated": lambda found: [found[0].updated, found[1]],
    "state": lambda found: [str(found[0].state), found[0].updated, found[1]],
    "id": lambda found: [found[1]],
}


class Walk:
    """Reads ranges of a state table."""

    def __init__(self, tables: Tables, table: str, attention: Attention | None = None) -> None:
        self._tables = tables
        self._table = table
        self._attention = attention

    def page(self, query: Query, limit: int, token: str | None = None) -> Page:
        """Up to `limit` records and the token of the next page. ValueError on a bad token or sort."""
        if query.sort not in SORTS:
            raise ValueError(f"{query.sort!r} is no sort: one of {', '.join(SORTS)} is expected")
        after = page_token.read(token, query.sort, query.ascending, _SHAPES[query.sort]) if token else None
        position = _POSITIONS[query.sort]
        found: list[Record] = []
        last: list[Any] = []
        for looked, one in enumerate(self._after(query, after, limit + 1) if limit > 0 else ()):
            matching = matches(query, one[0])
            if (len(found) >= limit and matching) or (looked >= BUDGET and query.searches):
                return Page(tuple(found), page_token.write(query.sort, query.ascending, last))
            found += [one[0]] if matching else []
            if matching or query.searches:
                last = position(one) if len(found) < limit or matching else last
        return Page(tuple(found), None)

    def token(self, query: Query, record: Record) -> str:
        """The token of the page that begins behind a record."""
        position = _POSITIONS[query.sort]((record, _sorted_id(at.key(record.payload_id))))
        return page_token.write(query.sort, query.ascending, position)

    def count(self, query: Query | None = None) -> dict[str, dict[State, int]]:
        """How many records, of those of a query, are in each state, by `collections_workflow`."""
        asked = query or Query()
        if self._sparse(replace(asked, sort="updated")):
            return self._counted_by_group(asked)
        counts: dict[str, dict[State, int]] = {}
        for group in self.groups(asked):
            within = replace(asked, collections_workflow=group, sort="updated")
            found = self._counted(within) if asked.searches else self._numbers(within, group)
            if any(found.values()):
                counts[group] = {state: number for state, number in found.items() if number}
        return counts

    def records(self, query: Query) -> Iterator[Record]:
        """All records of a query, in no order that is promised."""
        whole = replace(query, sort="updated")
        return (record for record, _ in self._after(whole, None, BUDGET) if matches(query, record))

    def _sparse(self, query: Query) -> bool:
        """Whether the sparse index leads to the records of a query."""
        return self._attention is not None and self._attention.answers(query)

    def _counted_by_group(self, query: Query) -> dict[str, dict[State, int]]:
        counts: dict[str, dict[State, int]] = {}
        for record in self.records(query):
            states = counts.setdefault(parse(record.payload_id).collections_workflow, {})
            states[record.state] = states.get(record.state, 0) + 1
        return counts

    def _numbers(self, query: Query, group: str) -> dict[State, int]:
        return {state: self.number(group, state, query.since, query.until) for state in query.states or State}

    def _counted(self, query: Query) -> Counter[State]:
        return Counter(record.state for record, _ in self._after(query, None, BUDGET) if matches(query, record))

    def number(
        self, group: str, state: State, since: int | None = None, until: int | None = None, most: int | None = None
    ) -> int:
        """How many records of a group are in a state; no more than needed to know that there are more than `most`."""
        found = 0
        for word in at.words(state):
            asked = _asked(group, "state_updated", _bounds(word, since, None if until is None else until - 1))
            found += self._tables.count(self._table, None if most is None else most - found, **asked)
        return found

    def groups(self, query: Query) -> list[str]:
        """The groups of which records may be meant; only for a query that names none all of them are listed."""
        if query.collections_workflow is not None:
            known = [query.collections_workflow]
        else:
            known = self._tables.groups(self._table, "collections_workflow", LAST_ITEMIDS)
        return [group for group in known if in_group(query, group)]

    def _after(self, query: Query, after: list[Any] | None, limit: int) -> Iterator[Found]:
        """Records in order behind a position, those of the query among them."""
        position = _POSITIONS[query.sort]
        for one in self._merged(query, after, limit):
            if after is None or (position(one) > after if query.ascending else position(one) < after):
                yield one

    def _merged(self, query: Query, after: list[Any] | None, limit: int) -> Iterator[Found]:
        if query.sort == "id":
            ranges = [self._by_id(query, group, after, limit) for group in self.groups(query)]
            return heapq.merge(*ranges, key=lambda one: one[1], reverse=not query.ascending)
        if query.sort == "state":
            return self._by_state(query, after, limit)
        return self._ranges(query, tuple(sorted(set(query.states))), after[0] if after else None, limit)

    def _by_state(self, query: Query, after: list[Any] | None, limit: int) -> Iterator[Found]:
        states = sorted(set(query.states or State))
        for state in states if query.ascending else reversed(states):
            if after is None or state == after[0] or (str(state) > after[0]) == query.ascending:
                start = after[1] if after and state == after[0] else None
                yield from self._ranges(query, (state,), start, limit)

    def _ranges(self, query: Query, states: Sequence[State], start: int | None, limit: int) -> Iterator[Found]:
        since, until = query.since, query.until
        if start is not None and query.ascending:
            since = start if since is None else max(since, start)
        elif start is not None:
            until = start if until is None else min(until, start)
        if self._sparse(query):
            bounds_ = _bounds(None, since, until)
            sparse = [self._range(_needing(state, bounds_), query, limit) for state in states]
            return heapq.merge(*sparse, key=_POSITIONS["updated"], reverse=not query.ascending)
        words: list[str | None] = [word for state in states for word in at.words(state)]
        bounds = {word: _bounds(word, since, until) for word in words or [None]}
        ranges = [
            self._range(_asked(group, "state_updated" if word else "updated", bounds[word]), query, limit)
            for group in self.groups(query)
            for word in bounds
        ]
        return heapq.merge(*ranges, key=_POSITIONS["updated"], reverse=not query.ascending)

    def _range(self, asked: Row, query: Query, limit: int) -> Iterator[Found]:
        rows = self._tables.query(self._table, limit=max(limit, LEAST), ScanIndexForward=query.ascending, **asked)
        states = query.states if asked["IndexName"] == ATTENTION else ()  # what others claim keeps its attribute
        found = ((at.record(row), _sorted_id(row)) for row in rows if at.alive(row))
        found = (one for one in found if not states or one[0].state in states)
        for _, same in groupby(found, key=lambda one: one[0].updated):
            yield from sorted(same, key=lambda one: one[1], reverse=not query.ascending)

    def _by_id(self, query: Query, group: str, after: list[Any] | None, limit: int) -> Iterator[Found]:
        asked: Row = {
            "KeyConditionExpression": "collections_workflow = :group",
            "ExpressionAttributeValues": {":group": at.text(at.group_key(group))},
            "ConsistentRead": True,
        }
        prefix = _prefix(at.group_key(group))
        if after is not None and after[0].startswith(prefix) and len(after[0]) > len(prefix):
            asked["KeyConditionExpression"] += f" AND itemids {'>=' if query.ascending else '<='} :start"
            asked["ExpressionAttributeValues"][":start"] = at.text(after[0][len(prefix) :])
        for row in self._tables.query(self._table, limit=max(limit, LEAST), ScanIndexForward=query.ascending, **asked):
            if at.alive(row):
                yield at.record(row), _sorted_id(row)


def _asked(group: str, index: str, bounds: Sequence[str]) -> Row:
    return {
        "IndexName": index,
        "KeyConditionExpression": f"collections_workflow = :group AND {index} BETWEEN :low AND :high",
        "ExpressionAttributeValues": {
            ":group": at.text(at.group_key(group)),
            ":low": at.text(bounds[0]),
            ":high": at.text(bounds[1]),
        },
    }


def _needing(state: State, bounds: Sequence[str]) -> Row:
    """The records of all groups that are in a state in which they need attention."""
    return {
        "IndexName": ATTENTION,
        "KeyConditionExpression": f"{ATTENTION} = :state AND updated BETWEEN :low AND :high",
        "ExpressionAttributeValues": {
            ":state": at.text(str(state)),
            ":low": at.text(bounds[0]),
            ":high": at.text(bounds[1]),
        },
    }


def _bounds(word: str | None, since: int | None, until: int | None) -> tuple[str, str]:
    """The first and last sort key; whole seconds may stand with and without their fraction, which sorts first."""
    prefix = f"{word}_" if word else ""
    low = _FIRST if since is None else iso(since)[: None if since % SECOND else 19]
    high = _LAST if until is None else iso(until)
    return prefix + low, max(prefix + low, prefix + high)


def _prefix(group: str) -> str:
    collections, _, workflow = group.rpartition("_")
    return f"{collections}/workflow-{workflow}/"


def _sorted_id(row: Row) -> str:
    """The id of a row as its keys hold it, by which rows of one group sort as they stand in the table."""
    return _prefix(row["collections_workflow"]["S"]) + str(row["itemids"]["S"])
