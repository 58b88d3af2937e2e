"""Start: hand what was claimed to an engine elsewhere, and write down what runs.

The order is the safety: claimed, kept, started under a name that can be started once, written down. Whoever stops in
between leaves a claim, whose lease ends, and whose start is then made again to no second effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from cirrus import asl
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.keys import input_key
from cirrus.errors import InvalidPayload, NotFound, StoreError
from cirrus.flow.conclude import failed
from cirrus.flow.home import Home
from cirrus.flow.process import Begun
from cirrus.ports.engine import Begin, Described
from cirrus.ports.state_db import Conclusion, Start


def start(home: Home, begun: Sequence[Begun], now: int) -> int:
    """Start executions; gives how many run. What cannot be started now is put off, what never can ends FAILED."""
    starts: list[Start] = []
    ends: list[Conclusion] = []
    put_off: set[str] = set()
    for one in begun:
        try:
            _start(home, one)
        except StoreError:
            put_off.add(one.execution_id)
            if one.receipt is not None:
                home.queue.release([one.receipt], now + home.limits.lease)
        except (NotFound, InvalidPayload) as error:
            who = (home, one.payload_id, one.workflow, one.execution_id)
            ends.append(failed(*who, "FAILED", "Cirrus.CannotStart", str(error), now))
        else:
            starts.append(Start(one.payload_id, one.execution_id, now, tuple(_events(home, one, now))))
    home.queue.settle([one.receipt for one in begun if one.receipt is not None and one.execution_id not in put_off])
    with suppress(StoreError):  # they run; that they do is written when their claims are taken over
        home.state_db.start(starts)
    home.state_db.conclude(ends)
    return len(starts)


def _start(home: Home, one: Begun) -> None:
    assert home.engine is not None
    if isinstance(one.fault, NotFound):
        raise one.fault
    if one.fault is not None:
        raise InvalidPayload(str(one.fault))
    if one.redrive:
        home.engine.redrive(home.arns.execution(one.workflow, one.execution_id), one.redrive)
        return
    home.engine.start(Begin(one.workflow, one.execution_id, one.payload_id, one.input))


def _events(home: Home, one: Begun, now: int) -> Iterator[WorkflowEvent]:
    """That it runs; of a claim that is taken over also that it was claimed, which nobody may have told."""
    if one.claimed is not None:
        yield _event(home, EventType.CLAIMED_PROCESSING, one, one.claimed)
    yield _event(home, EventType.STARTED_PROCESSING, one, now)


def _event(home: Home, kind: EventType, one: Begun, at: int) -> WorkflowEvent:
    return WorkflowEvent(
        kind,
        one.payload_id,
        at,
        input_payload_url=home.payloads.url(input_key(home.root, one.payload_id, one.execution_id)),
        execution=home.arns.shown(one.workflow, one.execution_id),
    )


def output(found: Described) -> Any:
    """What an execution elsewhere returned, as a conclusion takes it."""
    return None if found.output is None else asl.Text(found.output)
