"""Watching: records as they change, from the moment that one begins to look."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from cirrus.core.instant import SECOND
from cirrus.core.record import Record
from cirrus.flow.home import Home
from cirrus.flow.query import records
from cirrus.flow.summary import Summary
from cirrus.ports.query import Query

_BACK = 30 * SECOND  # a change may be committed so long after the instant that it carries


def changes(home: Home, query: Query, pause: float) -> Iterator[Record | None]:
    """The records of a query whenever one has changed, oldest change first; None after each look.

    A record that changes twice between two looks is given once, as it is then.
    """
    began = home.clock()
    seen: dict[str, tuple[int, str]] = {
        one.payload_id: (one.updated, str(one.state)) for one in _since(home, query, began - _BACK)
    }
    version = home.changes()
    while True:
        yield None
        time.sleep(pause)
        if (now := home.changes()) == version:
            continue
        version = now
        since = home.clock() - _BACK
        for record in _since(home, query, since):
            mark = (record.updated, str(record.state))
            if seen.get(record.payload_id) != mark:
                seen[record.payload_id] = mark
                yield record
        seen = {known: mark for known, mark in seen.items() if mark[0] >= since}


def summaries(home: Home, look: Callable[[], Summary], pause: float) -> Iterator[Summary]:
    """What `look` sees now, and again after each change."""
    version = home.changes()
    yield look()
    while True:
        time.sleep(pause)
        if (now := home.changes()) != version:
            version = now
            yield look()


def _since(home: Home, query: Query, since: int) -> Iterator[Record]:
    return records(home, replace(query, since=since, until=None, sort="updated", ascending=True))
