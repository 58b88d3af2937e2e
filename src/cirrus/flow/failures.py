"""Failures: what has failed, grouped by its kind, each group with a sample and the end of its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cirrus.core.instant import iso
from cirrus.core.markup import table
from cirrus.core.record import Record
from cirrus.errors import NotFound
from cirrus.flow.home import Home
from cirrus.flow.query import printed
from cirrus.ports.query import Query
from cirrus.ports.state_db import Failures

_TAIL = 10


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failures of one kind, the last of them as the sample: its error, and the last lines that its tasks printed."""

    failures: Failures
    error: str | None
    log: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """What `query`, `get-payloads` and `rerun` take to choose the group."""
        return self.failures.kind.fingerprint

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        found = self.failures
        return {
            "fingerprint": self.fingerprint,
            "count": found.count,
            "workflow": found.kind.workflow,
            "step": found.kind.step or None,
            "message": found.kind.message,
            "first": iso(found.first),
            "last": iso(found.last),
            "sample": {"payload_id": found.sample, "last_error": self.error, "log": list(self.log)},
        }

    def _repr_html_(self) -> str:
        found = self.failures
        rows = [("count", str(found.count)), ("step", found.kind.step), ("error", found.kind.message)]
        return table(("", self.fingerprint), [*rows, ("sample", found.sample)])


def failure_groups(home: Home, query: Query, limit: int | None = None) -> Iterator[FailureGroup]:
    """The groups of the failures that a query means, the most frequent first."""
    for found in home.state_db.failures(query)[:limit]:
        record = home.state_db.get([found.sample]).get(found.sample)
        log = _tail(home, record) if record is not None and record.execution_id is not None else ()
        yield FailureGroup(found, None if record is None else record.last_error, log)


def _tail(home: Home, record: Record) -> tuple[str, ...]:
    """The end of what the attempt that failed last printed, else of the last one that printed anything."""
    try:
        logs = [log for log in printed(home, record.payload_id, record.execution_id or "") if log.text]
    except NotFound:  # the engine has forgotten the execution
        return ()
    failed = [log for log in logs if log.error is not None] or logs
    lines = failed[-1].text.decode("utf-8", "replace").rstrip().splitlines() if failed else []
    return tuple(lines[-_TAIL:])
