"""Timeline: every execution of a payload, every step of it, every try at a step, with times and errors."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cirrus.core.failure import last_error
from cirrus.core.instant import from_iso, iso
from cirrus.core.state import State
from cirrus.flow import query
from cirrus.flow.home import Home
from cirrus.ports.journal import AttemptLog
from cirrus.ports.state_db import Execution

_BAD_ENDS = ("Failed", "TimedOut", "Aborted")
_GOOD_ENDS = ("Succeeded",)


@dataclass(slots=True)
class Try:
    """One try at a step; instants in microseconds since the epoch, `log_bytes` what it printed, if that is kept."""

    number: int
    started: int
    ended: int | None = None
    error: str | None = None
    task: str | None = None
    log_bytes: int | None = None


@dataclass(slots=True)
class Step:
    """One visit of a state; `depth` counts the states around it. `status`: running, done, caught, failed or stopped."""

    name: str
    kind: str
    depth: int
    entered: int
    ended: int | None = None
    status: str = "running"
    error: str | None = None
    tries: list[Try] = field(default_factory=list)
    outer: Step | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Run:
    """One execution; `attempt` counts from 1."""

    attempt: int
    execution_id: str
    status: str
    started: int
    stopped: int | None
    error: str | None
    steps: tuple[Step, ...]

    @property
    def current(self) -> Step | None:
        """The innermost step that is running."""
        return next((step for step in reversed(self.steps) if step.status == "running"), None)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that was done for a payload, the oldest execution first."""

    payload_id: str
    state: State
    updated: int
    last_error: str | None
    runs: tuple[Run, ...]

    def to_json(self) -> dict[str, Any]:
        """The timeline as a document."""
        return {
            "payload_id": self.payload_id,
            "state": str(self.state),
            "updated": iso(self.updated),
            **({"last_error": self.last_error} if self.last_error else {}),
            "executions": [_run_json(one) for one in self.runs],
        }


def timeline(home: Home, payload_id: str) -> Timeline:
    """The timeline of a payload; NotFound if nothing of that id was processed."""
    record = query.record(home, payload_id)
    found = [home.state_db.execution(known, record.payload_id) for known in record.executions]
    runs = tuple(run_of(home, one) for one in found if one is not None)
    return Timeline(payload_id, record.state, record.updated, record.last_error, runs)


def run_of(home: Home, found: Execution) -> Run:
    """One execution with its steps, made again from its journal and its logs."""
    events = query.history(home, found)
    steps = _steps(events, stopped=found.stopped)
    _add_logs(steps, query.logs(home, found))
    error = None if found.error is None and found.cause is None else last_error(found.status, found.error, found.cause)
    return Run(found.attempt, found.execution_id, found.status, found.started, found.stopped, error, tuple(steps))


def _steps(events: Iterable[Mapping[str, Any]], *, stopped: int | None) -> list[Step]:
    steps: list[Step] = []
    inside: dict[int, Step | None] = {0: None}
    for event in events:
        at = from_iso(event["timestamp"])
        kind = event["type"]
        step = inside.get(event.get("previousEventId", 0))
        if kind.endswith("StateEntered"):
            name = event["stateEnteredEventDetails"]["name"]
            depth = 0 if step is None else step.depth + 1
            step = Step(name, kind.removesuffix("StateEntered"), depth, at, outer=step)
            steps.append(step)
        elif kind.endswith("StateExited"):
            step = _left(step, event["stateExitedEventDetails"]["name"], at)
        elif kind == "ExecutionRedriven" and step is not None and step.kind == "Fail":
            step = step.outer  # it goes on by entering the state anew
        elif step is not None:
            _happened(step, kind, at, event)
        inside[event["id"]] = step
    if stopped is not None:
        for step in steps:
            _close(step, stopped)
    return steps


def _left(step: Step | None, name: str, at: int) -> Step | None:
    """Close the visit that an exit ends, the nearest of that name outwards; gives what is around it."""
    found = step
    while found is not None and found.name != name:
        found = found.outer
    if found is None:
        return step
    found.ended, found.status = at, "caught" if found.error else "done"
    return found.outer


def _happened(step: Step, kind: str, at: int, event: Mapping[str, Any]) -> None:
    if kind.endswith("Scheduled"):
        step.tries.append(Try(len(step.tries) + 1, at))
    elif kind.endswith("Started") and step.tries and not kind.startswith(("Map", "Parallel")):
        step.tries[-1].started = at
    elif kind.endswith((*_BAD_ENDS, *_GOOD_ENDS)):
        details: Mapping[str, Any] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
        bad = kind.endswith(_BAD_ENDS)
        error = last_error("FAILED", details.get("error"), details.get("cause")) if bad else None
        step.error = error
        if step.tries and step.tries[-1].ended is None and kind.startswith(("Task", "Lambda", "Activity")):
            step.tries[-1].ended, step.tries[-1].error = at, error


def _close(step: Step, stopped: int) -> None:
    if step.status == "running":
        step.ended, step.status = stopped, "failed" if step.error else "stopped"
    for one in step.tries:
        if one.ended is None:
            one.ended = stopped


def _add_logs(steps: list[Step], logs: Iterable[AttemptLog]) -> None:
    """Say with each try which task it was and how much it printed; tries of a state come in the order of its logs."""
    known: dict[tuple[str, int], deque[AttemptLog]] = defaultdict(deque)
    for log in logs:
        known[log.state, log.attempt].append(log)
    for step in steps:
        for one in step.tries:
            if found := known[step.name, one.number]:
                log = found.popleft()
                one.task, one.log_bytes = log.task, len(log.text)
                one.started, one.ended = log.started, log.ended or one.ended


def folded(steps: Sequence[Step], most: int = 5) -> Iterator[tuple[Step, ...]]:
    """The steps in order; more than `most` visits of one state stand together, at the place of the first."""
    every: dict[tuple[str, int], list[Step]] = {}
    for step in steps:
        every.setdefault((step.name, step.depth), []).append(step)
    told: set[tuple[str, int]] = set()
    for step in steps:
        key = (step.name, step.depth)
        if len(every[key]) <= most:
            yield (step,)
        elif key not in told:
            told.add(key)
            yield tuple(every[key])


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "attempt": run.attempt,
        "execution": run.execution_id,
        "status": run.status,
        "started": iso(run.started),
        **({"stopped": iso(run.stopped)} if run.stopped is not None else {}),
        **({"error": run.error} if run.error else {}),
        "steps": [_step_json(step) for step in run.steps],
    }


def _step_json(step: Step) -> dict[str, Any]:
    told = {"name": step.name, "type": step.kind, "depth": step.depth, "entered": iso(step.entered)}
    ended = None if step.ended is None else iso(step.ended)
    more = {"ended": ended, "status": step.status, "error": step.error}
    tries = [_try_json(one) for one in step.tries]
    return told | {name: value for name, value in more.items() if value} | ({"tries": tries} if tries else {})


def _try_json(one: Try) -> dict[str, Any]:
    ended = None if one.ended is None else iso(one.ended)
    told = {"number": one.number, "task": one.task, "started": iso(one.started), "ended": ended, "error": one.error}
    return {name: value for name, value in {**told, "log_bytes": one.log_bytes}.items() if value is not None}
