"""One step under way: the copies it changes, the commands it gives, the events it counts.

Nothing here decides; the modules of the states do. When the step is over `commit` makes the next Execution and
leaves the previous one as it was.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from cirrus.asl import data, history
from cirrus.asl.clock import show_time
from cirrus.asl.commands import (
    CancelTask,
    CancelTimer,
    Command,
    End,
    ReadItems,
    Record,
    RunTask,
    SetTimer,
    WriteResults,
)
from cirrus.asl.definition import Machine, State
from cirrus.asl.execution import Branch, Execution, Fork, Outstanding, Run
from cirrus.asl.failure import DATA_LIMIT, Failure, runtime
from cirrus.asl.table import Table

SLICE = 50_000
"""State transitions in one step before it lets the driver do something else."""

EFFORT = 500_000
"""Steps of JSONata, likewise."""

ROOMY = min(history.LIMIT, history.EXPRESS_LIMIT) - 1
"""Events of a run below which its history has room for any other."""

ROOT = 1
EMPTY = Table()
MISSING_RESULT = object()


class HistoryFull(Exception):  # it ends an execution, it is no error of the program
    """A run has no more room in its history; `run` is its id."""

    def __init__(self, run: int, last: int) -> None:
        self.run = run
        self.last = last


class Step:
    """The working state of one call of `step`."""

    def __init__(self, machine: Machine, state: Execution, at: float, seed: int, recording: bool) -> None:
        self.machine = machine
        self.at = at
        self.seed = seed
        self.recording = recording
        self.commands: list[Command] = []
        self.queue: deque[tuple[Any, ...]] = deque(state.ready)
        self.over: End | None = None
        self.effort = 0
        self.counter = state.counter
        self._nodes = state.nodes
        self._refs = state.refs
        self._changed: dict[int, Any] = {}
        self._awaited: dict[int, Outstanding | None] = {}
        self._random: Random | None = None
        self._sized: Any = MISSING_RESULT
        self._size = 0

    @property
    def random(self) -> Random:
        """Random numbers that depend on the event's seed alone."""
        if self._random is None:
            self._random = Random(self.seed)  # noqa: S311  # replay must draw the same numbers
        return self._random

    def number(self) -> int:
        """The next ref or node id."""
        self.counter += 1
        return self.counter

    def node(self, number: int) -> Any:
        """A node as it stands, not to be changed; None if it is gone."""
        if number in self._changed:
            return self._changed[number]
        return self._nodes.get(number)

    def own(self, number: int) -> Any:
        """A node that this step may change; None if it is gone."""
        if number in self._changed:
            return self._changed[number]
        found = self._nodes.get(number)
        if found is not None:
            found = self._changed[number] = found.copy()
        return found

    def add(self, node: Branch | Fork | Run) -> None:
        """A new node."""
        self._changed[node.id] = node

    def drop(self, number: int) -> None:
        """The node is gone."""
        self._changed[number] = None

    def note(
        self, branch: Branch, kind: str, details: Callable[..., dict[str, Any]] | None = None, *values: Any
    ) -> None:
        """Count an event of the branch's run and, when recording, give it; details are built only then."""
        run: Run | None = self._changed.get(branch.run)
        if run is None or self.recording or run.events >= ROOMY:
            branch.last = self.note_run(branch.run, branch.last, kind, details, *values)
        else:  # what happens most, done at once
            branch.last = run.events = run.events + 1

    def note_run(
        self,
        run_id: int,
        previous: int,
        kind: str,
        details: Callable[..., dict[str, Any]] | None = None,
        *values: Any,
    ) -> int:
        """As `note`, for an event of a run as a whole; gives the event's id."""
        run: Run = self.own(run_id)
        if run.events >= history.limit(run.express) - 1 and kind not in history.TERMINAL:
            raise HistoryFull(run_id, previous)
        run.events += 1
        if self.recording and run_id == ROOT:
            shown = details(*values) if details else None
            self.commands.append(Record(history.event(run.events, previous, self.at, kind, shown)))
        return run.events

    def issue(self, branch: Branch, role: str, command: RunTask | SetTimer | ReadItems | WriteResults) -> None:
        """Give a command whose answer the branch awaits."""
        branch.refs = (*branch.refs, command.ref)
        self.await_answer(branch.id, role, command)

    def await_answer(self, branch: int, role: str, command: RunTask | SetTimer | ReadItems | WriteResults) -> None:
        """Give a command; `branch` is 0 where the execution itself awaits the answer."""
        self._awaited[command.ref] = Outstanding(branch, role, command)
        self.commands.append(command)

    def awaited(self, ref: int) -> Outstanding | None:
        """What a ref stands for, or None if its answer is no longer wanted."""
        if ref in self._awaited:
            return self._awaited[ref]
        found: Outstanding | None = self._refs.get(ref)
        return found

    def settle(self, ref: int) -> None:
        """The answer has come."""
        self._awaited[ref] = None

    def cancel(self, ref: int) -> None:
        """The answer is no longer wanted."""
        found = self.awaited(ref)
        if found is None:
            return
        self._awaited[ref] = None
        timer = isinstance(found.command, SetTimer)
        self.commands.append(CancelTimer(ref) if timer else CancelTask(ref))

    def end(self, status: str, output: Any = None, error: str | None = None, cause: str | None = None) -> None:
        """The execution is over: nothing is awaited any more."""
        for ref in [ref for ref, _ in self._refs.items()]:
            self.cancel(ref)
        for ref in [ref for ref, found in self._awaited.items() if found is not None]:
            self.cancel(ref)
        self.queue.clear()
        self.over = End(status, data.give(output), error, cause)

    def admit(self, value: Any, opaque: bool) -> tuple[Any, int]:
        """A caller's value as the engine keeps it, a Text only if opaque, and its size; raises NotJson."""
        self._sized, self._size = data.admit(value) if opaque else data.take(value)
        return self._sized, self._size

    def limited(self, value: Any, name: str, parts: int = 0) -> Any:
        """The value, if it is within the limit on a state's data; else fails with States.DataLimitExceeded."""
        limit = self.machine.data_limit
        if value is self._sized and self._size <= limit:
            return value
        try:
            too_big = (parts > 64 and data.exceeds(value, limit)) or (size := data.size(value)) > limit
        except data.NotJson as error:
            raise Failure("States.Runtime", f"The result of '{name}' cannot be kept: {error}") from None
        if too_big:
            raise over_limit(name)
        self._sized, self._size = value, size
        return value

    def commit(self) -> Execution:
        """The execution after this step."""
        if self.over is not None:
            return Execution(self.over.status, self.counter, EMPTY, EMPTY)
        nodes, refs = self._nodes.update(self._changed), self._refs.update(self._awaited)
        return Execution("RUNNING", self.counter, nodes, refs, tuple(self.queue))


def opened(value: Any) -> Any:
    """The value for someone who looks inside: decoded, if it is a Text; a text that is no JSON fails the state."""
    try:
        return data.opened(value)
    except data.NotJson as error:
        raise runtime(f"The state's data cannot be read: {error}") from None


def over_limit(name: str) -> Failure:
    """The failure of a state whose data are too big."""
    return Failure(
        DATA_LIMIT,
        f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit.",
        placed=False,
    )


class Environment:
    """What the expressions of one visit of a state may read."""

    __slots__ = ("_context", "branch", "budget", "error", "input", "item", "result", "state", "step", "token")

    def __init__(self, step: Step, branch: Branch, state: State, item: dict[str, Any] | None = None) -> None:
        self.step = step
        self.branch = branch
        self.state = state
        self.input = branch.input
        self.item = branch.item if item is None else item
        self.result: Any = MISSING_RESULT
        self.error: Any = MISSING_RESULT
        self.token: str | None = None
        self.budget: Any = None
        self._context: dict[str, Any] | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """The variables in scope."""
        return self.branch.variables.values

    @property
    def random(self) -> Random:
        """The step's random numbers."""
        return self.step.random

    @property
    def context(self) -> dict[str, Any]:
        """The context object, built when first asked for."""
        if self._context is None:
            self._context = self.build_context()
        return self._context

    def build_context(self) -> dict[str, Any]:
        """The context object."""
        run: Run = self.step.node(self.branch.run)
        state: dict[str, Any] = {"Name": self.branch.state, "EnteredTime": show_time(self.branch.entered_at)}
        if self.state.type in ("Task", "Parallel", "Map"):
            state["RetryCount"] = self.branch.attempt
        execution = run.about()
        if execution.get("Input").__class__ is data.Text:
            execution = {**execution, "Input": opened(execution["Input"])}
        context = {"Execution": execution, "StateMachine": run.machine, "State": state}
        if self.token is not None:
            context["Task"] = {"Token": self.token}
        if self.item is not None:
            context["Map"] = {"Item": self.item}
        return context


def make_token(step: Step, branch: Branch, ref: int) -> str:
    """A task token that nothing but this execution and this attempt has."""
    run: Run = step.node(branch.run)
    key = f"{run.about().get('Id')}\n{ref}\n{step.seed}".encode()
    return b64encode(hashlib.blake2b(key, digest_size=36).digest(), altchars=b"-_").decode()
