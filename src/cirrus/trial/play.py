"""Play one execution in memory: virtual time, and mocks in place of tasks.

A call that no mock answers stops the execution there, whatever the workflow would catch: a trial that ran on with an
invented answer would say nothing.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from cirrus import asl
from cirrus.asl.clock import show_time
from cirrus.asl.data import give
from cirrus.asl.resource import NAMING
from cirrus.asl.run import ARN, describe
from cirrus.trial.answers import Answer, Mock, answer_to

BEGIN = 1_700_000_000.0
"""When every trial begins, in seconds since the epoch."""

_SHORT = re.compile(
    r"arn:.*:(?:function|stateMachine|activity):([^:]+)(?::.*)?|(?:arn:.*:job-definition/)([^:]+)(?::.*)?|\$\{([^{}]+)\}"
)
Work = asl.RunTask | asl.ReadItems | asl.WriteResults


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a task: by which state, of what, with which input, so many seconds after the start."""

    state: str
    task: str
    input: Any
    at: float


@dataclass(frozen=True, slots=True)
class Played:
    """How an execution ended, its history in the shape of `get_execution_history`, and the calls that it made."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    events: tuple[dict[str, Any], ...]
    calls: tuple[Call, ...]

    @property
    def path(self) -> list[str]:
        """The names of the states in the order in which they were entered."""
        return path_of(self.events)


class Unanswered(Exception):  # carried to the one who mocks
    """A call that no mock answers; `number` counts the calls that were answered before it."""

    def __init__(self, state: str, task: str, number: int, exhausted: bool) -> None:
        self.state = state
        self.task = task
        self.number = number
        self.exhausted = exhausted
        problem = f"its mock has no answer to call {number + 1}" if exhausted else "there is no mock for it"
        super().__init__(f"{state} calls {task}, and {problem}")


def play(
    machine: asl.Machine, given: Any, mocks: Mapping[str, Mock], *, name: str = "trial", workflow: str = "workflow"
) -> Played:
    """Run an execution to its end; Unanswered names the call that has no mock.

    `mocks` are answers, or functions of the task's input, by the name of a state or else of what it calls.
    """
    player = Player(machine, mocks)
    execution = {
        "Id": f"{ARN}:execution:{workflow}:{name}",
        "Name": name,
        "RoleArn": "arn:aws:iam::111111111111:role/local",
        "StartTime": show_time(BEGIN),
    }
    context = {"Execution": execution, "StateMachine": {"Id": f"{ARN}:stateMachine:{workflow}", "Name": workflow}}
    player.take(None, asl.Start(BEGIN, player.seed(), given, context))
    return player.finish()


def path_of(events: tuple[dict[str, Any], ...] | list[dict[str, Any]]) -> list[str]:
    """The names of the states in the order in which a history entered them."""
    return [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]


def called(command: Work) -> tuple[tuple[str, ...], Any]:
    """The names under which what a command calls may be mocked, the shortest first, and the input that it gets."""
    if not isinstance(command, asl.RunTask):
        return (command.kind,), command.parameters
    given = command.parameters
    member = NAMING.get(command.kind.partition(".")[0])
    name = command.resource
    if member and isinstance(given, dict) and member in given:
        name = str(given[member])
        if member == "FunctionName":
            given = given.get("Payload")
    return names_of(name), given


def names_of(name: str) -> tuple[str, ...]:
    """The name of a function, job definition, machine or activity; and its ARN where that is what was given."""
    found = _SHORT.fullmatch(name)
    short = next((part for part in found.groups() if part), "") if found else ""
    return (short, name) if short else (name,)


@dataclass(slots=True)
class Player:
    """Carries out the commands of one execution: timers jump, calls are answered by mocks."""

    machine: asl.Machine
    mocks: Mapping[str, Mock]
    now: float = BEGIN
    state: asl.Snapshot | None = None
    due: list[tuple[float, int, asl.Event]] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    events: list[dict[str, Any]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    end: asl.End | None = None
    sent: int = 0
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311  # so that a trial can be repeated

    def finish(self) -> Played:
        """Go on to the end."""
        while self.end is None:
            self.go_on()
        end = self.end
        return Played(end.status, end.output, end.error, end.cause, tuple(self.events), tuple(self.calls))

    def go_on(self) -> None:
        """Let the next thing happen that is due."""
        at, _, event = heapq.heappop(self.due)
        if getattr(event, "ref", 0) not in self.dropped:
            self.now = max(self.now, at)
            self.take(self.state, event)

    def seed(self) -> int:
        """Random bits, the same in every trial."""
        return self.random.getrandbits(63)

    def take(self, state: asl.Snapshot | None, event: asl.Event) -> None:
        """Take an event and carry out what follows from it."""
        self.state, commands = asl.step(self.machine, state, event, record=True)
        for command in commands:
            if isinstance(command, asl.Record):
                self.events.append(command.event)
            elif isinstance(command, asl.SetTimer):
                at = max(command.at, self.now)
                self.post(at, asl.TimerFired(at, self.seed(), command.ref))
            elif isinstance(command, asl.CancelTask | asl.CancelTimer):
                self.dropped.add(command.ref)
            elif isinstance(command, asl.End):
                self.end = command
            else:
                self.answer(command)

    def post(self, at: float, event: asl.Event) -> None:
        """Have an event happen at a time."""
        self.sent += 1
        heapq.heappush(self.due, (at, self.sent, event))

    def answer(self, command: Work) -> None:
        """Answer a call when its time has come."""
        if isinstance(command, asl.WriteResults):
            self.post(self.now, asl.TaskSucceeded(self.now, self.seed(), command.ref, {}))
            return
        names, given = called(command)
        given = give(given)
        self.calls.append(Call(command.state, names[0], given, self.now - BEGIN))
        answer = self.choose(command.state, names, given)
        at = self.now + answer.after
        if answer.error is not None:
            self.post(at, asl.TaskFailed(at, self.seed(), command.ref, answer.error, answer.cause))
        else:
            value = given if answer.echo else answer.value
            self.post(at, asl.TaskSucceeded(at, self.seed(), command.ref, value))

    def choose(self, state: str, names: tuple[str, ...], given: Any) -> Answer:
        """The answer of the mock for a state or for what it calls; Unanswered."""
        key = next((one for one in (state, *names) if one in self.mocks), None)
        if key is None:
            raise Unanswered(state, names[0], 0, exhausted=False)
        mock, number = self.mocks[key], self.counts[key]
        self.counts[key] += 1
        if not callable(mock):
            answer = answer_to(mock, number)
            if answer is None:
                raise Unanswered(state, names[0], number, exhausted=True)
            return answer
        try:
            return Answer(mock(given))
        except asl.TaskError as error:
            return Answer(error=error.error, cause=error.cause)
        except Exception as error:  # whatever a function raises is its task's failure
            told = describe(error)
            return Answer(error=told.error, cause=told.cause)
