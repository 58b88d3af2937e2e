"""Queries: which records are meant, in one value that every command and every backend understands alike."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import State

SORTS = ("updated", "state", "id")


@dataclass(frozen=True, slots=True)
class Query:
    """Which records, and in which order; a record must meet everything that is given.

    `states` is any of these; `since` and `until` bound `updated` (at or after, before), in microseconds since the
    epoch; `collection` is one of the payload's collections, or all of them as its id has them; `item` is a glob over
    the ids of its Items (of several, joined by '/'); `attempts_min` and `attempts_max` count executions;
    `output_collection` is a collection of the Items that the last success returned; `fingerprint` names a kind of
    failure.
    """

    collections_workflow: str | None = None
    states: tuple[State, ...] = ()
    since: int | None = None
    until: int | None = None
    error_prefix: str | None = None
    error_text: str | None = None
    collection: str | None = None
    workflow: str | None = None
    item: str | None = None
    attempts_min: int | None = None
    attempts_max: int | None = None
    output_collection: str | None = None
    fingerprint: str | None = None
    sort: str = "updated"
    ascending: bool = False

    @property
    def searches(self) -> bool:
        """Whether records must be looked at one by one: something is asked that no order of them tells."""
        asked = (self.error_prefix, self.error_text, self.item, self.output_collection, self.fingerprint)
        return any(asked) or self.attempts_min is not None or self.attempts_max is not None


def in_group(query: Query, collections_workflow: str) -> bool:
    """Whether records of this `collections_workflow` can be meant."""
    if query.collections_workflow not in {None, collections_workflow}:
        return False
    collections, _, workflow = collections_workflow.rpartition("_")
    if query.workflow not in {None, workflow}:
        return False
    return query.collection is None or query.collection in {collections, *collections.split("/")}


def matches(query: Query, record: Record) -> bool:
    """Whether a record is meant."""
    parts = parse(record.payload_id)
    error = record.last_error or ""
    attempts = len(record.executions)
    return (
        in_group(query, parts.collections_workflow)
        and (not query.states or record.state in query.states)
        and (query.since is None or record.updated >= query.since)
        and (query.until is None or record.updated < query.until)
        and error.startswith(query.error_prefix or "")
        and (query.error_text or "") in error
        and (query.item is None or fnmatchcase(parts.itemids, query.item))
        and (query.attempts_min is None or attempts >= query.attempts_min)
        and (query.attempts_max is None or attempts <= query.attempts_max)
        and (query.output_collection is None or query.output_collection in record.output_collections)
        and query.fingerprint in {None, record.fingerprint}
    )
