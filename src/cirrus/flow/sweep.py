"""Sweep: take over what was dropped where an engine elsewhere runs the workflows.

A claim whose lease has ended is started again; a record that runs for long is compared with its execution; what waits
to be sent is sent. Each record is asked about at ages that grow by half, so that a long execution costs few calls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from cirrus.core.instant import SECOND
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.errors import CirrusError, NotFound, StoreError
from cirrus.flow.conclude import concluded, failed
from cirrus.flow.home import Home
from cirrus.flow.process import Begun
from cirrus.flow.query import input_payload, records
from cirrus.flow.start import output, start
from cirrus.ports.state_db import Query

FIRST_LOOK = 600 * SECOND
LOST = 24 * 3600 * SECOND
MOST = 2_000
_GROWTH = 1.5


@dataclass(slots=True)
class Swept:
    """What a sweep did: claims started again, executions looked at, ends written down, records that failed it."""

    started: int = 0
    looked: int = 0
    ended: int = 0
    troubled: int = 0
    trouble: str = ""


def sweep(home: Home, now: int, interval: int, limit: int = MOST) -> Swept:
    """Look over the records once; `interval` is how many microseconds ago the last sweep began."""
    done = Swept()
    for record in _older(home, State.CLAIMED, now - home.limits.lease, limit):
        done.started += _each(done, record, partial(resume, home, record, now))
    for record in _older(home, State.PROCESSING, now - FIRST_LOOK, limit):
        if due(now - record.updated, interval):
            done.looked += 1
            done.ended += _each(done, record, partial(compare, home, record, now))
    return done


def due(age: int, interval: int) -> bool:
    """Whether a record of this age is to be asked about by a sweep that comes every `interval`."""
    return _step(age) != _step(age - interval)


def _step(age: int) -> int:
    return -1 if age < FIRST_LOOK else math.floor(math.log(age / FIRST_LOOK, _GROWTH))


def _older(home: Home, state: State, until: int, limit: int) -> Iterator[Record]:
    return records(home, Query(states=(state,), until=until, ascending=True), limit)


def _each(done: Swept, record: Record, work: Callable[[], int]) -> int:
    """What one record's work gives; what is wrong with it holds up no other."""
    try:
        return work()
    except CirrusError as error:
        done.troubled += 1
        done.trouble = f"{record.payload_id}: {error}"
        return 0


def resume(home: Home, record: Record, now: int) -> int:
    """Start the last execution of a claim whose lease has ended; gives how many run.

    Where its payload was never kept, its message is still queued or quarantined and resumes the claim. After a day
    that is no longer to be hoped for, and the record ends FAILED.
    """
    execution_id, workflow = record.execution_id, parse(record.payload_id).workflow
    if execution_id is None:
        raise StoreError("it is claimed, but has no execution")
    try:
        text = input_payload(home, record)
    except NotFound:
        if now - record.updated < LOST:
            return 0
        reason = "its payload was lost between claim and start: queue it again"
        end = failed(home, record.payload_id, workflow, execution_id, "FAILED", "Cirrus.PayloadLost", reason, now)
        home.state_db.conclude([end])
        return 0
    begun = Begun(execution_id, record.payload_id, workflow, text, b"", redrive=record.redrives)
    begun.claimed = record.claimed_at or record.updated
    return start(home, [begun], now)


def compare(home: Home, record: Record, now: int) -> int:
    """Write down the end of an execution of which nothing was heard; gives how many ends were."""
    execution_id, workflow = record.execution_id, parse(record.payload_id).workflow
    if home.engine is None or execution_id is None:
        raise StoreError("it is running, but has no execution")
    who = (home, record.payload_id, workflow, execution_id)
    found = home.engine.describe(home.arns.execution(workflow, execution_id))
    if found is None:
        reason = "Step Functions knows no execution of this name: it is too old, or was never started"
        end = failed(*who, "FAILED", "Cirrus.ExecutionLost", reason, now)
    elif found.status in {"RUNNING", "PENDING_REDRIVE"} or found.redrives < record.redrives:
        return 0  # in the last case Step Functions does not tell yet that it goes on
    else:
        end = concluded(*who, found.status, output(found), found.error, found.cause, now)
        end = replace(end, redrives=found.redrives)
    return int(home.state_db.conclude([end]) == [True])
