"""Explain: why a payload is in the state it is in, what it waits for, and what queueing it again would do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cirrus.core.decide import Action, decide
from cirrus.core.event import WorkflowEvent
from cirrus.core.instant import SECOND, iso
from cirrus.core.lease import Lease
from cirrus.core.payload_id import PayloadId, parse
from cirrus.core.record import Record
from cirrus.core.state import RUNNING, State
from cirrus.errors import ConfigError
from cirrus.flow.home import Home
from cirrus.flow.timeline import Run, Step, run_of
from cirrus.ports.query import Query
from cirrus.ports.queue import Queued

_EVENTS = 5
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Queueing:
    """What queueing a payload does now: `new`, `rerun`, `skip` or `resume`, and why."""

    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Sentences on a payload: `why` it is as it is, what is in the `queue` of it, and what queueing it would do.

    `state` is None where there is no record; `events` are the last ones, the oldest first.
    """

    payload_id: str
    state: State | None
    why: tuple[str, ...]
    queue: tuple[str, ...]
    again: Queueing
    replaced: Queueing
    events: tuple[WorkflowEvent, ...]

    def to_json(self) -> dict[str, Any]:
        """The explanation as a document."""
        return {
            "payload_id": self.payload_id,
            "state": None if self.state is None else str(self.state),
            "why": list(self.why),
            "queue": list(self.queue),
            "queue_again": {"action": self.again.action, "reason": self.again.reason},
            "queue_again_with_replace": {"action": self.replaced.action, "reason": self.replaced.reason},
            "events": [one.body() for one in self.events],
        }


def explain(home: Home, payload_id: str) -> Explanation:
    """The explanation of a payload id, whether or not there is a record of it."""
    now = home.clock()
    record = home.state_db.get([payload_id]).get(payload_id)
    messages = [] if home.engine else home.queue.waiting(payload_id)
    held = _held(home, payload_id) if messages or home.engine else ()
    return Explanation(
        payload_id,
        record.state if record else None,
        tuple(_unknown(home, payload_id) if record is None else _why(home, record, now)),
        (*(_message(one, now) for one in messages), *held),
        queueing(record, replace=False, now=now, lease=home.limits.lease),
        queueing(record, replace=True, now=now, lease=home.limits.lease),
        _last_events(home, payload_id),
    )


def queueing(record: Record | None, *, replace: bool, now: int, lease: int) -> Queueing:
    """What queueing a payload with this record would do, by the table of states."""
    if record is None:
        return Queueing("new", "nothing of this id was processed yet")
    decision = decide(record, replace=replace, now=now, lease=lease)
    if decision.action is Action.RUN:
        return Queueing("rerun", f"it is {record.state}, after {_count(len(record.executions), 'execution')}")
    if decision.action is Action.RESUME:
        return Queueing("resume", "it is CLAIMED, and the lease of the claim has ended: the same execution is started")
    hint = "" if replace or record.state in RUNNING else "; set replace to run it again"
    return Queueing("skip", f"it is {record.state} ({decision.event}){hint}")


def _unknown(home: Home, payload_id: str) -> Iterator[str]:
    earlier = home.state_db.earlier([payload_id]).get(payload_id, ())
    gone = f"it was deleted, after {_count(len(earlier), 'execution')}" if earlier else "it was never claimed here"
    yield f"there is no record of {payload_id}: {gone}"


def _why(home: Home, record: Record, now: int) -> Iterator[str]:
    attempts = _count(len(record.executions), "execution")
    yield f"it is {record.state} since {iso(record.updated)} ({_ago(now - record.updated)}), after {attempts}"
    found = home.state_db.execution(record.execution_id, record.payload_id) if record.execution_id else None
    run = run_of(home, found) if found else None
    if record.state in RUNNING:
        yield from _running(home, record, run, now)
    elif record.state is not State.COMPLETED:
        yield from _failed(record, run)
    elif record.outputs:
        yield f"its last execution succeeded, with {_count(len(record.outputs), 'output Item')}"
    else:
        yield "its last execution succeeded; it returned no Item that has a place"


def _failed(record: Record, run: Run | None) -> Iterator[str]:
    step = _to_blame(run) if run else None
    if step is not None:
        tries = f", after {_count(len(step.tries), 'try', 'tries')}" if step.tries else ""
        yield f"it failed at the step {step.name!r}{tries}"
    yield f"its last error is {record.last_error}"
    if record.state is State.INVALID:
        yield "a task said that this input can never work, so it is run again only if replace is set"


def _to_blame(run: Run) -> Step | None:
    """The step whose error a Catch led to a Fail state, else the one that failed itself."""
    failed = [one for one in run.steps if one.status in {"caught", "failed"}]
    return next((one for one in reversed(failed) if one.kind != "Fail"), failed[-1] if failed else None)


def _running(home: Home, record: Record, run: Run | None, now: int) -> Iterator[str]:
    if run is not None and run.current is not None:
        step = run.current
        number = f", try {len(step.tries)}" if step.tries else ""
        yield f"it is at the step {step.name!r}{number}, since {iso(step.entered)} ({_ago(now - step.entered)})"
        if step.error:
            yield f"the last try at this step ended with {step.error}"
    if home.engine is not None:
        return
    holder, at = home.journal.holder(record.execution_id) if record.execution_id else None, home.steady()
    if holder is None:
        yield "no control process holds it: the next one that takes its message goes on"
    elif holder.until is not None and Lease(at, at + home.limits.lease).meets(holder.until):
        yield f"a control process works on it ({holder.about or holder.owner})"
    else:
        silent = 0 if holder.until is None else at - holder.until
        ended = f"has not been heard of for {_span(silent)}" if silent > 0 else "has gone"
        yield f"the control process that held it {ended}: `cirrus up` takes it over"


def _message(one: Queued, now: int) -> str:
    queued = f"queued {_ago(now - one.at)}, {_count(one.ahead, 'message')} before it, by age"
    if one.visible <= now:
        taken = f", taken {_count(one.attempts, 'time')} before" if one.attempts else ""
        return f"{queued}{taken}: a control process takes it when its turn comes; `cirrus up` is one"
    if one.owner is not None:
        return f"{queued}; a control process holds it for {_span(one.visible - now)} more at most"
    return f"{queued}; it could not be read and is put off for {_span(one.visible - now)} (try {one.attempts})"


def _held(home: Home, payload_id: str) -> Iterator[str]:
    """The pauses and limits that keep a queued payload from beginning, or may."""
    parts = parse(payload_id)
    for pause in home.queue.pauses():
        if pause.holds(parts.collections, parts.workflow):
            what = f"the {pause.kind} {pause.name}".rstrip() if pause.name else f"the {pause.kind}"
            reason = f" ({pause.reason})" if pause.reason else ""
            yield f"{what} is paused since {iso(pause.at)}{reason}: nothing of it begins until it is resumed"
    for name, limit in home.throttle.of(parts.collections, parts.workflow):
        if limit.running is not None:
            running = _running_now(home, name, parts)
            full = "it waits for one to end" if running >= limit.running else "there is room"
            yield f"{name}: {running} of at most {limit.running} run: {full}"
        if limit.rate is not None:
            yield f"{name}: at most {limit.rate.text} begin"


def _running_now(home: Home, name: str, parts: PayloadId) -> int:
    counts = home.state_db.count(Query(states=tuple(sorted(RUNNING)))).items()
    by_workflow = name == f"workflow {parts.workflow}"
    wanted = parts.workflow if by_workflow else parts.collections
    return sum(sum(states.values()) for group, states in counts if group.rpartition("_")[2 * by_workflow] == wanted)


def _last_events(home: Home, payload_id: str) -> tuple[WorkflowEvent, ...]:
    """The last events; none where they are sent on and not kept."""
    last: list[WorkflowEvent] = []
    after = 0
    with suppress(ConfigError):
        while found := home.state_db.events(payload_id=payload_id, after=after, limit=_PAGE):
            last = [*last, *(event for _, event in found)][-_EVENTS:]
            after = found[-1][0]
            if len(found) < _PAGE:
                break
    return tuple(last)


def _count(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or f'{one}s'}"


def _ago(span: int) -> str:
    return f"{_span(span)} ago"


def _span(span: int) -> str:
    seconds = max(0, span) // SECOND
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
