"""Failures by their kind: counted on the index that holds failures only."""

from __future__ import annotations

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.narrowing import conditions, groups
from cirrus.core.failure_kind import FailureKind
from cirrus.ports.query import Query
from cirrus.ports.state_db import Failures


def failures(db: Database, query: Query) -> list[Failures]:
    """The records of a query that have a kind of failure, grouped by it, the most frequent kind first."""
    if not groups(db, query):
        return []
    asked, values = conditions(db, query)
    counted = db.rows(
        "SELECT f.workflow, f.step, f.message, c.failure, c.n, c.first, c.last FROM (SELECT r.failure, count(*) AS n,"
        " min(r.updated) AS first, max(r.updated) AS last FROM records r INDEXED BY records_by_failure"
        f" WHERE r.failure IS NOT NULL{asked} GROUP BY r.failure) c JOIN failures f ON f.id = c.failure"
        " ORDER BY c.n DESC, c.last DESC, f.fingerprint",
        values,
    )
    found = []
    for workflow, step, message, failure, count, first, last in counted:
        sql = "SELECT coalesce(r.full_id, r.key) FROM records r WHERE r.failure = ? AND r.updated = ?"
        row = db.row(f"{sql}{asked} LIMIT 1", [failure, last, *values])
        if row is not None:  # it may have been claimed again in between
            found.append(Failures(FailureKind(workflow, step, message), count, first, last, row[0]))
    return found
