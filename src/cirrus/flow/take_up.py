"""Take up: start what was claimed and then dropped, so that no claim outlives its lease by much."""

from __future__ import annotations

from collections.abc import Collection

from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import execution_arn
from cirrus.core.keys import input_key
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.flow.home import Home
from cirrus.ports.query import Query
from cirrus.ports.state_db import Execution, Start


def take_up(home: Home, owner: str, now: int, limit: int, only: Collection[str] | None = None) -> list[Execution]:
    """Executions that are ours now: claimed more than a lease ago, and never started; with `only`, of these payloads.

    A message that waits would lead to them too; where none is left, nothing else does.
    """
    page = home.state_db.page(Query(states=(State.CLAIMED,), ascending=True), limit)
    dropped = [one for one in page.records if _dropped(one, now, home.limits.lease)]
    started = [_start(home, one, owner, now) for one in dropped if only is None or one.payload_id in only]
    return [one for one in started if one is not None]


def _dropped(record: Record, now: int, lease: int) -> bool:
    """Whether a claim has expired; one from much later was made before the clock was set back."""
    since = now - (record.updated if record.claimed_at is None else record.claimed_at)
    return not -4 * lease <= since < lease


def _start(home: Home, record: Record, owner: str, now: int) -> Execution | None:
    execution_id = record.execution_id
    if execution_id is None:
        return None
    event = WorkflowEvent(
        EventType.STARTED_PROCESSING,
        record.payload_id,
        now,
        input_payload_url=home.payloads.url(input_key(home.root, record.payload_id, execution_id)),
        execution=execution_arn(parse(record.payload_id).workflow, execution_id),
    )
    granted = home.state_db.start([Start(record.payload_id, execution_id, now, (event,), owner)])
    return home.state_db.execution(execution_id) if granted == [True] else None
