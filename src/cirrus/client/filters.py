"""The filters by which records are chosen, as keywords."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from cirrus.core.state import State
from cirrus.flow.select import Moment


class Filters(TypedDict, total=False):
    """Keywords of `Client.query` and its kin; `cirrus.flow.select.select` says what they mean."""

    state: str | State | Iterable[str | State]
    since: Moment | None
    until: Moment | None
    collections_workflow: str | None
    workflow: str | None
    collection: str | None
    item: str | None
    error_prefix: str | None
    error_text: str | None
    min_attempts: int | None
    max_attempts: int | None
    output_collection: str | None
    fingerprint: str | None
    sort: str
    ascending: bool
