"""One execution in memory: the engine with callables for tasks and, by default, a clock that never waits."""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from cirrus.asl import data
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
from cirrus.asl.definition import Machine
from cirrus.asl.events import Event, Start, TaskFailed, TaskSucceeded, TimerFired
from cirrus.asl.machine import step
from cirrus.asl.parse import parse
from cirrus.asl.resource import NAMING

Task = Callable[[Any], Any]
NOTHING: dict[str, Any] = {}
"""The input of an execution that is given none."""

ARN = "arn:aws:states:us-east-1:111111111111"


class TaskError(Exception):
    """Raised by a task's callable to fail with an error name and a cause of its own."""

    def __init__(self, error: str, cause: str | None = None) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause


class Clock(Protocol):
    """What `run` reads the time from."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def wait_until(self, at: float) -> None:
        """Return when it is `at`."""


@dataclass(slots=True)
class VirtualClock:
    """A clock that jumps: waits take no time. A task that wants to take some calls `sleep`."""

    at: float = 1_700_000_000.0
    slept: float = field(default=0.0, repr=False)

    def now(self) -> float:
        """The virtual time."""
        return self.at

    def wait_until(self, at: float) -> None:
        """Jump to `at`."""
        self.at = max(self.at, at)

    def sleep(self, seconds: float) -> None:
        """Let the task that calls it end so many seconds later."""
        self.slept += seconds


class RealClock:
    """The machine's clock; waits wait."""

    def now(self) -> float:
        """The time."""
        return time.time()

    def wait_until(self, at: float) -> None:
        """Sleep until `at`."""
        time.sleep(max(0.0, at - time.time()))


@dataclass(frozen=True, slots=True)
class Result:
    """How an execution ended, and its history in the shape of `get_execution_history`."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    events: tuple[dict[str, Any], ...]


def run(
    definition: str | bytes | Mapping[str, Any] | Machine,
    input: Any = NOTHING,  # noqa: A002  # what the language calls it
    *,
    tasks: Mapping[str, Task] | None = None,
    clock: Clock | None = None,
    seed: int = 0,
    name: str = "execution",
    machine_name: str = "machine",
    machine_type: str = "STANDARD",
    record: bool = True,
) -> Result:
    """Run one execution to its end; raises InvalidDefinition.

    `tasks` maps what a Task names (a function's ARN or name, or its Resource) to a callable that takes the
    input and returns the result; one that raises fails the task under its exception's name.
    """
    machine = definition if isinstance(definition, Machine) else parse(definition, machine_type=machine_type)
    return _Runner(machine, tasks or {}, clock or VirtualClock(), seed, record).run(input, name, machine_name)


class _Runner:
    def __init__(self, machine: Machine, tasks: Mapping[str, Task], clock: Clock, seed: int, record: bool) -> None:
        self.machine = machine
        self.tasks = tasks
        self.clock = clock
        self.random = Random(seed)  # noqa: S311  # so that a run can be repeated
        self.record = record
        self.due: list[tuple[float, int, Event]] = []
        self.ready: deque[Event] = deque()
        self.dropped: set[int] = set()
        self.events: list[dict[str, Any]] = []
        self.end: End | None = None
        self.sent = 0

    def run(self, given: Any, name: str, machine_name: str) -> Result:
        execution = {
            "Id": f"{ARN}:execution:{machine_name}:{name}",
            "Name": name,
            "RoleArn": "arn:aws:iam::111111111111:role/local",
            "StartTime": show_time(self.clock.now()),
        }
        context = {
            "Execution": execution,
            "StateMachine": {"Id": f"{ARN}:stateMachine:{machine_name}", "Name": machine_name},
        }
        state, commands = step(
            self.machine, None, Start(self.clock.now(), self.seed(), given, context), record=self.record
        )
        self.carry_out(commands)
        while self.end is None:
            event = self.next()
            if getattr(event, "ref", 0) in self.dropped:
                continue
            self.clock.wait_until(event.at)
            state, commands = step(self.machine, state, event, record=self.record)
            self.carry_out(commands)
        end = self.end
        return Result(end.status, data.opened(end.output), end.error, end.cause, tuple(self.events))

    def seed(self) -> int:
        return self.random.getrandbits(63)

    def carry_out(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            if isinstance(command, Record):
                self.events.append(command.event)
            elif isinstance(command, SetTimer):
                self.post(command.at, TimerFired(max(command.at, self.clock.now()), self.seed(), command.ref))
            elif isinstance(command, CancelTask | CancelTimer):
                self.dropped.add(command.ref)
            elif isinstance(command, End):
                self.end = command
            else:
                self.perform(command)

    def next(self) -> Event:
        """What happens next; of what happens at the same time, what was posted first."""
        if self.ready and not (self.due and self.due[0][0] <= self.ready[0].at):
            return self.ready.popleft()
        return heapq.heappop(self.due)[2]

    def post(self, at: float, event: Event) -> None:
        if at == self.clock.now():  # whatever else has this time was posted earlier, and is in order
            self.ready.append(event)
            return
        self.sent += 1
        heapq.heappush(self.due, (at, self.sent, event))

    def perform(self, command: RunTask | ReadItems | WriteResults) -> None:
        """Call the task now; its answer comes when the time it took has passed."""
        began = self.clock.now()
        if isinstance(self.clock, VirtualClock):
            self.clock.slept = 0.0
        answer = self.call(command)
        took = self.clock.slept if isinstance(self.clock, VirtualClock) else self.clock.now() - began
        at = began + took
        if isinstance(answer, TaskError):
            self.post(at, TaskFailed(at, self.seed(), command.ref, answer.error, answer.cause))
        else:
            self.post(at, TaskSucceeded(at, self.seed(), command.ref, answer[0]))

    def call(self, command: RunTask | ReadItems | WriteResults) -> TaskError | tuple[Any]:
        task, given = self.find(command)
        if task is None:
            if isinstance(command, WriteResults):
                return ({},)
            return TaskError("Lambda.ResourceNotFoundException", f"no task is given for {given!r}")
        try:
            return (task(data.give(data.opened(given))),)
        except TaskError as error:
            return error
        except Exception as error:  # whatever a task raises is the task's failure
            return describe(error)

    def find(self, command: RunTask | ReadItems | WriteResults) -> tuple[Task | None, Any]:
        """The callable of a command and its argument; without one, None and the name that is missing."""
        given = command.parameters
        if not isinstance(command, RunTask):
            task = self.tasks.get(command.kind) or self.tasks.get(command.state)
            return task, given if task or isinstance(command, WriteResults) else command.kind
        names = [command.resource, command.state]
        member = NAMING.get(command.kind.partition(".")[0])
        if member and isinstance(given, dict) and member in given:
            names = [str(given[member]), *names]
            if member == "FunctionName":
                given = given.get("Payload")
        for name in names:
            for key in (name, name.partition("function:")[2].partition(":")[0], name.rpartition(":")[2]):
                if key and key in self.tasks:
                    return self.tasks[key], given
        return None, names[0]


def describe(error: Exception) -> TaskError:
    """An exception as Lambda reports it."""
    kind = getattr(error, "error_type", None) or type(error).__name__
    text = getattr(error, "error_message", None)
    cause: dict[str, Any] = {
        "errorMessage": str(error) if text is None else text,
        "errorType": kind,
        "requestId": "00000000-0000-0000-0000-000000000000",
        "stackTrace": [],
    }
    return TaskError(kind, json.dumps(cause, separators=(",", ":")))
