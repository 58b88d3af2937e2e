"""The engine: `step(machine, state, event)` gives the next state and the commands for the driver. Pure.

An event for a ref that is no longer awaited changes nothing. Work goes through a queue, never through recursion,
and is put off to a timer when one step has done enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cirrus.asl import data, failure, history
from cirrus.asl.commands import Command, SetTimer
from cirrus.asl.definition import Machine, MapState, State, TaskState
from cirrus.asl.enter import enter_choice, enter_fail, enter_pass, enter_succeed, enter_wait, resume_wait
from cirrus.asl.events import Abort, Event, Start, TaskFailed, TaskHeartbeat, TaskSubmitted, TaskSucceeded, TimerFired
from cirrus.asl.execution import NO_VARIABLES, RUNNING, Branch, Execution, Fork, Outstanding, Run, Snapshot, root, whole
from cirrus.asl.fork import break_fork, enter_parallel, join_parallel
from cirrus.asl.history import given as given_details
from cirrus.asl.leave import failed, guarded, release
from cirrus.asl.mapping import answer_map, enter_map, fail_map, join_map, more
from cirrus.asl.straight import straight
from cirrus.asl.table import Table
from cirrus.asl.task import beat, enter_task, expire, give_up, submit, succeed
from cirrus.asl.working import EFFORT, ROOT, SLICE, HistoryFull, Step, opened

FRESH = Execution(RUNNING, 0, Table(), Table())

ENTER: dict[str, Callable[[Step, Branch, Any], None]] = {
    "Task": enter_task,
    "Pass": enter_pass,
    "Choice": enter_choice,
    "Wait": enter_wait,
    "Succeed": enter_succeed,
    "Fail": enter_fail,
    "Parallel": enter_parallel,
    "Map": enter_map,
}


def step(
    machine: Machine, state: Snapshot | None, event: Event, *, record: bool = False
) -> tuple[Snapshot, tuple[Command, ...]]:
    """What becomes of an execution after an event; `state` is None before Start and stays valid, unchanged."""
    if state is None and not isinstance(event, Start):
        raise ValueError("an execution begins with Start")
    short = None if record else straight(machine, state, event)
    if short is not None:
        return short
    before = FRESH if state is None else whole(state)
    if state is not None and not concerns(before, event):
        return state, ()
    working = Step(machine, before, event.at, event.seed, record)
    try:
        take_event(working, event)
    except HistoryFull as full:
        end_run(working, full)
    advance(working)
    return working.commit(), commands_of(working)


def concerns(state: Execution, event: Event) -> bool:
    """Whether the event can change the execution."""
    if state.status != RUNNING or isinstance(event, Start):
        return False
    if isinstance(event, Abort):
        return True
    found: Outstanding | None = state.refs.get(event.ref)
    return found is not None and isinstance(event, TimerFired) is isinstance(found.command, SetTimer)


def commands_of(working: Step) -> tuple[Command, ...]:
    """The step's commands; the end comes last."""
    return tuple(working.commands) if working.over is None else (*working.commands, working.over)


def take_event(working: Step, event: Event) -> None:
    """Begin with what the event says."""
    if isinstance(event, Start):
        return begin(working, event)
    if isinstance(event, Abort):
        run: Run = working.node(ROOT)
        working.end("ABORTED", None, event.error, event.cause)
        working.note_run(ROOT, run.events, "ExecutionAborted", failed, event.error, event.cause)
        return None
    found = working.awaited(event.ref)
    assert found is not None
    if found.branch == 0:
        return wake_execution(working, event.ref, found)
    branch: Branch = working.own(found.branch)
    state = branch.scope.states[branch.state]
    return guarded(working, branch, state, answer, working, branch, state, found, event)


def begin(working: Step, event: Start) -> None:
    """Start the execution."""
    machine = working.machine
    problem = None
    try:
        given, size = working.admit(event.input, opaque=True)
        if size > machine.data_limit:
            problem = f"The execution input is larger than {machine.data_limit} bytes."
    except data.NotJson as error:
        given, problem = None, f"The execution input cannot be read: {error}"
    run = root(working.number(), event, given, machine.express)
    working.add(run)
    branch = Branch(working.number(), run.id, 0, 0, machine.scope, machine.scope.start, given, NO_VARIABLES, None)
    run.leader = branch.id
    working.add(branch)
    working.note_run(run.id, 0, "ExecutionStarted", started, given, run.execution["RoleArn"])
    if problem is not None:
        refuse(working, branch, problem)
        return
    if machine.timeout is not None:
        timer = SetTimer(working.number(), event.at + machine.timeout)
        working.await_answer(0, "machine", timer)
    working.queue.append(("enter", branch.id))


def refuse(working: Step, branch: Branch, problem: str) -> None:
    """Fail an execution before its first state."""
    working.note(branch, "ExecutionFailed", failed, failure.RUNTIME, problem)
    working.end("FAILED", None, failure.RUNTIME, problem)


def started(given: Any, role: str) -> dict[str, Any]:
    """The details of ExecutionStarted."""
    return {**given_details(given), "roleArn": role}


def wake_execution(working: Step, ref: int, found: Outstanding) -> None:
    """A timer of the execution itself: its time is over, or it goes on with work put off."""
    working.settle(ref)
    if found.role == "machine":
        run: Run = working.node(ROOT)
        working.end("TIMED_OUT", None, failure.TIMEOUT, None)
        working.note_run(ROOT, run.events, "ExecutionTimedOut", failed, failure.TIMEOUT, None)


def answer(working: Step, branch: Branch, state: State, found: Outstanding, event: Event) -> None:
    """Give the event to the state that awaits it."""
    role = found.role
    ref = found.command.ref
    if role in ("wait", "retry"):
        working.settle(ref)
        branch.refs = ()
        if role == "wait":
            return resume_wait(working, branch, state)
        branch.attempt += 1
        return ENTER[state.type](working, branch, state)
    if role in ("reader", "writer"):
        assert isinstance(state, MapState)
        return answer_map(working, branch, state, found, event)
    assert isinstance(state, TaskState)
    return answer_task(working, branch, state, found, event)


def answer_task(working: Step, branch: Branch, state: TaskState, found: Outstanding, event: Event) -> None:
    """What happened to a task."""
    if found.role == "timeout":
        return expire(working, branch, state, found.command.ref)
    if found.role == "heartbeat":
        return expire(working, branch, state, found.command.ref, failure.HEARTBEAT_TIMEOUT)
    if isinstance(event, TaskSucceeded):
        return succeed(working, branch, state, event)
    if isinstance(event, TaskFailed):
        return give_up(working, branch, state, event)
    if isinstance(event, TaskHeartbeat):
        return beat(working, branch)
    if isinstance(event, TaskSubmitted):
        return submit(working, branch, state, event)
    return None


def advance(working: Step) -> None:
    """Work through the queue until everyone waits, the execution is over or enough is done."""
    left = SLICE
    while working.queue and left and working.effort < EFFORT:
        left -= 1
        kind, number, *values = working.queue.popleft()
        node = working.own(number)
        if node is None:
            continue
        try:
            WORK[kind](working, node, *values)
        except HistoryFull as full:
            end_run(working, full)
    rest(working)


def rest(working: Step) -> None:
    """Set a timer at once where work is left."""
    if working.queue and working.over is None:
        working.await_answer(0, "slice", SetTimer(working.number(), working.at))


def enter(working: Step, branch: Branch) -> None:
    """A branch comes to a state."""
    state = branch.scope.states[branch.state]
    branch.entered_at = working.at
    working.note(branch, f"{state.type}StateEntered", entered, state.name, branch.input)
    branch.entered = branch.last
    act = look if branch.input.__class__ is data.Text and not state.opaque else ENTER[state.type]
    guarded(working, branch, state, act, working, branch, state)


def look(working: Step, branch: Branch, state: State) -> None:
    """Open the input, for the state will look inside, and do what the state does."""
    branch.input = opened(branch.input)
    ENTER[state.type](working, branch, state)


def entered(name: str, given: Any) -> dict[str, Any]:
    """The details of a StateEntered event."""
    return {"name": name, **given_details(given)}


def child_done(working: Step, child: Branch, output: Any) -> None:
    """A child reached its end."""
    fork: Fork = working.own(child.parent)
    branch: Branch = working.own(fork.branch)
    state = branch.scope.states[branch.state]
    if isinstance(state, MapState):
        guarded(working, branch, state, join_map, working, fork, child, state, True, output)
    else:
        guarded(working, branch, state, join_parallel, working, fork, child, output)


def child_failed(working: Step, child: Branch, error: str | None, cause: str | None) -> None:
    """A child failed."""
    fork: Fork = working.own(child.parent)
    branch: Branch = working.own(fork.branch)
    state = branch.scope.states[branch.state]
    if isinstance(state, MapState):
        guarded(working, branch, state, fail_map, working, fork, child, state, error, cause)
    else:
        break_fork(working, fork, child, error, cause)


def more_children(working: Step, fork: Fork) -> None:
    """There may be room for more children."""
    branch: Branch = working.own(fork.branch)
    guarded(working, branch, branch.scope.states[branch.state], more, working, fork)


WORK: dict[str, Callable[..., None]] = {
    "enter": enter,
    "done": child_done,
    "failed": child_failed,
    "more": more_children,
}


def end_run(working: Step, full: HistoryFull) -> None:
    """A run's history is full: it fails, whatever it catches."""
    run: Run = working.node(full.run)
    cause = f"The execution reached the maximum number of history events ({history.limit(run.express)})."
    if full.run == ROOT:
        working.end("FAILED", None, failure.RUNTIME, cause)
        working.note_run(ROOT, full.last, "ExecutionFailed", failed, failure.RUNTIME, cause)
        return
    leader: Branch | None = working.own(run.leader)
    if leader is not None:
        release(working, leader)
        working.queue.append(("failed", run.leader, failure.RUNTIME, cause))
