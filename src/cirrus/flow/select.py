"""Select: the query that an operator's words make, the same for every command and for Python."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cirrus.core.instant import from_iso, parse_moment
from cirrus.core.state import State
from cirrus.flow.home import Home
from cirrus.ports.query import Query

Moment = str | datetime | int


def select(
    home: Home,
    *,
    state: str | State | Iterable[str | State] = (),
    since: Moment | None = None,
    until: Moment | None = None,
    collections_workflow: str | None = None,
    workflow: str | None = None,
    collection: str | None = None,
    item: str | None = None,
    error_prefix: str | None = None,
    error_text: str | None = None,
    min_attempts: int | None = None,
    max_attempts: int | None = None,
    output_collection: str | None = None,
    fingerprint: str | None = None,
    sort: str = "updated",
    ascending: bool = False,
) -> Query:
    """The query of what was last updated before now, so that nobody who selects meets his own work.

    `state` is one state or several; `since` and `until` are a time span that looks back ('10h', '3 d'), an ISO 8601
    time, a datetime, or microseconds since the epoch. ValueError says what cannot be used.
    """
    now = home.clock()
    states = [state] if isinstance(state, str) else state
    return Query(
        collections_workflow=collections_workflow,
        states=tuple(dict.fromkeys(one if isinstance(one, State) else State.parse(one) for one in states)),
        since=None if since is None else _instant(since, now),
        until=now if until is None else min(now, _instant(until, now)),
        error_prefix=error_prefix,
        error_text=error_text,
        collection=collection,
        workflow=workflow,
        item=item,
        attempts_min=min_attempts,
        attempts_max=max_attempts,
        output_collection=output_collection,
        fingerprint=fingerprint,
        sort=sort,
        ascending=ascending,
    )


def _instant(moment: Moment, now: int) -> int:
    if isinstance(moment, int):
        return moment
    if isinstance(moment, datetime):
        return from_iso((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat())
    return parse_moment(moment, now)
