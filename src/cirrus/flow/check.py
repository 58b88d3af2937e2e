"""Check: what is wrong in a home's store, from its pages up to the histories that must lead where they led."""

from __future__ import annotations

from collections.abc import Iterator

from cirrus import asl
from cirrus.core.instant import SECOND
from cirrus.core.lease import Lease
from cirrus.core.payload_id import parse
from cirrus.flow.home import Home
from cirrus.flow.process import Begun
from cirrus.flow.replay import fold
from cirrus.ports.journal import Entry
from cirrus.ports.state_db import Execution
from cirrus.ports.upkeep import Finding, Upkeep

SAMPLE = 500
_PATIENCE = 600 * SECOND
_OUTSIDE = ("Cirrus.CannotStart", "InvalidOutput")


def check(home: Home, upkeep: Upkeep, *, full: bool = False) -> Iterator[Finding]:
    """Every finding, as it is found; `full` looks at all bodies and histories instead of a part of them."""
    at, patience = home.steady(), max(_PATIENCE, 10 * home.limits.lease)
    yield from upkeep.findings(home.clock(), Lease(at, at + home.limits.lease), patience=patience, full=full)
    for execution_id in upkeep.executions(None if full else SAMPLE):
        execution = home.state_db.execution(execution_id)
        if execution is not None:
            yield from _replayed(home, execution)
    yield from _parked(home)


def _parked(home: Home) -> Iterator[Finding]:
    for target in home.outbox.ledger():
        if target.parked:
            yield Finding(
                "parked-deliveries",
                target.target,
                f"{target.parked} were given up; the last error: {target.last_error}",
            )


def _replayed(home: Home, execution: Execution) -> Iterator[Finding]:
    """Whether the history of an execution leads to the state that it is in."""
    entries = home.journal.read(execution.execution_id)
    if not entries:
        return
    subject = f"{execution.payload_id} {execution.execution_id}"
    gap = next((n for n, entry in enumerate(entries) if entry.seq != n), None)
    if gap is not None:
        yield Finding("journal-gap", subject, f"entry {gap} of its history is missing")
        return
    try:
        ended = _end(execution, entries)
    except Exception as error:  # whatever a damaged history leads to
        yield Finding("journal-unreadable", subject, f"its history cannot be replayed: {type(error).__name__}: {error}")
        return
    if execution.status != "ABORTED" and execution.error not in _OUTSIDE and ended != execution.status:
        yield Finding("journal-disagrees", subject, f"it is {execution.status}, but its history leads to {ended}")


def _end(execution: Execution, entries: list[Entry]) -> str:
    workflow = parse(execution.payload_id).workflow
    begun = Begun(execution.execution_id, execution.payload_id, workflow, execution.input, execution.definition)
    nest = fold(asl.parse, begun, entries)
    if not nest.done or nest.over is None:
        return "RUNNING"
    return "FAILED" if nest.over.status == "TIMED_OUT" else nest.over.status
