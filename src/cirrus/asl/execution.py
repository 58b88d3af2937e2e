"""An execution's state between two events: who is where, what is outstanding, what was gathered so far.

Nodes live in a persistent map by id and point up to their parents, so that a change touches only its own path.
A step changes its own copies; what is in a State is never changed again.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

from cirrus.asl.clock import show_time
from cirrus.asl.commands import ReadItems, RunTask, SetTimer, WriteResults
from cirrus.asl.data import Text
from cirrus.asl.definition import Scope, TaskState
from cirrus.asl.events import Start
from cirrus.asl.table import Table

RUNNING = "RUNNING"
ENTERED = -2
"""The event of a history in which a state was entered whose plain Task was just started, counted from the last one."""


@dataclass(slots=True)
class Variables:
    """The variables that a branch sees: values by name, and their sizes as JSON."""

    values: dict[str, Any]
    sizes: dict[str, int]


NO_VARIABLES = Variables({}, {})


@dataclass(slots=True)
class Run:
    """One execution with a history of its own: the whole, or one child of a distributed Map.

    Children share `execution` and `machine`, the context object's view of them, and differ in what follows `leader`.
    """

    id: int
    events: int
    execution: dict[str, Any]
    machine: dict[str, Any]
    express: bool
    leader: int
    name: str = ""
    started: float = 0.0
    input: Any = None

    def copy(self) -> Run:
        """A copy to change."""
        return Run(*RUN_FIELDS(self))

    def about(self) -> dict[str, Any]:
        """What the context object says of the execution."""
        if not self.name:
            return self.execution
        own = {"Id": f"{self.execution['Id']}:{self.name}", "StartTime": show_time(self.started), "Name": self.name}
        return {**self.execution, **own, "Input": self.input}


@dataclass(slots=True)
class Branch:
    """A token that moves through one scope. `refs` are its outstanding commands: task first, then timers."""

    id: int
    run: int
    parent: int
    index: int
    scope: Scope
    state: str
    input: Any
    variables: Variables
    item: dict[str, Any] | None
    entered: int = 0
    entered_at: float = 0.0
    last: int = 0
    attempt: int = 0
    tries: tuple[int, ...] = ()
    refs: tuple[int, ...] = ()
    fork: int = 0
    leads: bool = False
    submitted: bool = False
    heartbeat: float | None = None

    def copy(self) -> Branch:
        """A copy to change."""
        return Branch(*BRANCH_FIELDS(self))


@dataclass(slots=True)
class Fork:
    """A Parallel or Map state under way. `live` maps index to branch id; `results` index to (output,).

    Children are started once there is room for a `handful` of them, or for all that are left. Those of a distributed
    Map begin their runs as `kin`; `allowed` of them may fail, which follows from what is `tolerated` and from `total`.
    """

    id: int
    branch: int
    total: int
    width: int
    started: int
    done: int
    live: Table
    results: Table
    items: Any = None
    shared: Any = None
    failed: int = 0
    allowed: int = 0
    tolerated: tuple[int | None, float | None] = (None, None)
    name: str = ""
    source: str = "STATE_DATA"
    handful: int = 1
    kin: Run | None = None

    def copy(self) -> Fork:
        """A copy to change."""
        return Fork(*FORK_FIELDS(self))


# Several times as fast as dataclasses.replace, and copies are what a step does most.
RUN_FIELDS = attrgetter(*(field.name for field in fields(Run)))
BRANCH_FIELDS = attrgetter(*(field.name for field in fields(Branch)))
FORK_FIELDS = attrgetter(*(field.name for field in fields(Fork)))


def root(number: int, event: Start, given: Any, express: bool) -> Run:
    """The run of an execution that begins with `given` for its input; its branch is not known yet."""
    told = event.context.get("Execution") or {}
    execution = {
        "Id": told.get("Id", "execution"),
        "Input": given,
        "StartTime": told["StartTime"] if "StartTime" in told else show_time(event.at),
        "Name": told.get("Name", "execution"),
        "RoleArn": told.get("RoleArn", ""),
        "RedriveCount": told.get("RedriveCount", 0),
    }
    return Run(number, 0, execution, dict(event.context.get("StateMachine") or {}), express, 0)


class Outstanding(NamedTuple):
    """A command whose answer is awaited: by which branch, and as what."""

    branch: int
    role: str
    command: RunTask | SetTimer | ReadItems | WriteResults


class Execution(NamedTuple):
    """An execution between two events. `counter` gives the next ref or id; `ready` is work put off to a timer."""

    status: str
    counter: int
    nodes: Table
    refs: Table
    ready: tuple[tuple[Any, ...], ...] = ()


class Straight(NamedTuple):
    """An Execution in short, whose one branch waits for `ref`, the answer of the plain Task `here`.

    The Task was given `input` at the time `at`. `run` and `branch` are as they were when the straight way began; the
    run has had so many `events` since its beginning.
    """

    run: Run
    branch: Branch
    here: TaskState
    ref: int
    events: int
    input: Text
    at: float

    @property
    def status(self) -> str:
        """It runs."""
        return RUNNING

    @property
    def command(self) -> RunTask:
        """What the answer is awaited to."""
        return RunTask(self.ref, self.here.kind, self.here.resource, self.input, self.here.name, 0)

    def whole(self) -> Execution:
        """The same in full."""
        run, branch = self.run.copy(), self.branch.copy()
        run.events = branch.last = self.events
        branch.state, branch.input, branch.entered_at = self.here.name, self.input, self.at
        branch.entered = branch.last + ENTERED
        branch.attempt, branch.tries, branch.refs = 0, (), (self.ref,)
        branch.submitted, branch.heartbeat = False, None
        refs = Table({self.ref: Outstanding(branch.id, "task", self.command)})
        return Execution(RUNNING, self.ref, Table({run.id: run, branch.id: branch}), refs)


Snapshot = Execution | Straight
"""An execution between two events, in full or in short."""


def whole(state: Snapshot) -> Execution:
    """The execution in full."""
    return state.whole() if isinstance(state, Straight) else state


def pending(state: Snapshot) -> tuple[RunTask | SetTimer | ReadItems | WriteResults, ...]:
    """The commands whose answers are still awaited, for a driver that has to issue them again."""
    return tuple(outstanding.command for outstanding in whole(state).refs.values())
