"""The straight way: a plain Task begins an execution or has succeeded, and another one follows, or the end.

That is most of what an engine does, and it takes a third of the time when nothing else is thought of. What comes out is
what the long way through `Step` gives; a test holds both against each other.
"""

from __future__ import annotations

from typing import Any

from cirrus.asl import data
from cirrus.asl.commands import Command, End, RunTask
from cirrus.asl.definition import Machine, TaskState
from cirrus.asl.events import Event, Start, TaskSucceeded
from cirrus.asl.execution import NO_VARIABLES, Branch, Execution, Outstanding, Run, Snapshot, Straight, root
from cirrus.asl.working import EMPTY, ROOMY, ROOT

_BEGUN = 4  # events of a history: the execution was started, a state entered, its function scheduled and started
_ON = 5  # the function succeeded, its state was left, the next one entered, its function scheduled and started
_OBJECTS = (b"{", b"[")
_new = tuple.__new__  # a named tuple's own constructor takes three times as long

Stepped = tuple[Snapshot, tuple[Command, ...]]


def straight(machine: Machine, state: Snapshot | None, event: Event) -> Stepped | None:
    """As `step`; None where it is not as simple as that."""
    if state is None:
        return _begin(machine, event) if event.__class__ is Start else None
    if event.__class__ is not TaskSucceeded:
        return None
    waits = state if isinstance(state, Straight) else _waits(state, event.ref)
    if waits is None:
        return None
    run, branch, here, ref, events, _, _ = waits
    counter = state.counter if isinstance(state, Execution) else ref
    if event.ref != ref or events + _ON >= ROOMY or not _passes(machine, event.output):
        return None
    if here.next is None:
        return Execution("SUCCEEDED", counter, EMPTY, EMPTY), (End("SUCCEEDED", event.output),)
    return _enter(run, branch, here.next, counter, events + _ON, event.output, event.at)


def _begin(machine: Machine, event: Start) -> Stepped | None:
    scope = machine.scope
    if machine.timeout is not None or not _passes(machine, event.input):
        return None
    run = root(ROOT, event, event.input, machine.express)
    branch = Branch(ROOT + 1, ROOT, 0, 0, scope, scope.start, event.input, NO_VARIABLES, None)
    run.leader = branch.id
    return _enter(run, branch, scope.start, branch.id, _BEGUN, event.input, event.at)


def _waits(state: Execution, ref: int) -> Straight | None:
    """The execution in short, if it waits for nothing but this answer of a plain Task."""
    found: Outstanding | None = state.refs.get(ref)
    if found is None or found.role != "task" or state.refs.count != 1 or state.ready:
        return None
    branch: Branch = state.nodes.get(found.branch)
    run: Run = state.nodes.get(branch.run)
    here = branch.scope.states[branch.state]
    if branch.parent or branch.leads or here.__class__ is not TaskState or not here.plain:
        return None
    given, branch = branch.input, branch.copy()
    branch.input = None  # not to be held for as long as the straight way lasts
    return Straight(run, branch, here, ref, run.events, given, branch.entered_at)


def _passes(machine: Machine, value: Any) -> bool:
    """Whether it is a Text that may go on unseen."""
    return value.__class__ is data.Text and value.text[:1] in _OBJECTS and len(value.text) <= machine.data_limit


def _enter(
    run: Run, branch: Branch, name: str, counter: int, events: int, given: data.Text, at: float
) -> Stepped | None:
    """The branch comes to the state of this name, the last number given being `counter`."""
    there = branch.scope.states[name]
    if there.__class__ is not TaskState or not there.plain:
        return None
    ref = counter + 1
    command = RunTask(ref, there.kind, there.resource, given, there.name, 0)
    return _new(Straight, (run, branch, there, ref, events, given, at)), (command,)
