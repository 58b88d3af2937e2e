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
from cirrus.asl.execution import NO_VARIABLES, RUNNING, Branch, Execution, Outstanding, Run, root
from cirrus.asl.table import Table
from cirrus.asl.working import EMPTY, ROOMY, ROOT

_BEGUN = 4  # events of a history: the execution was started, a state entered, its function scheduled and started
_ON = 5  # the function succeeded, its state was left, the next one entered, its function scheduled and started
_ENTERED = -2  # counted from the last of these
_OBJECTS = (b"{", b"[")
_new = tuple.__new__  # a named tuple's own constructor takes three times as long

Stepped = tuple[Execution, tuple[Command, ...]]


def straight(machine: Machine, state: Execution | None, event: Event) -> Stepped | None:
    """As `step`; None where it is not as simple as that."""
    if state is None:
        return _begin(machine, event) if event.__class__ is Start else None
    if event.__class__ is not TaskSucceeded:
        return None
    found: Outstanding | None = state.refs.get(event.ref)
    if found is None or found.role != "task" or state.refs.count != 1 or state.ready:
        return None
    branch: Branch = state.nodes.get(found.branch)
    run: Run = state.nodes.get(branch.run)
    if branch.parent or branch.leads or run.events + _ON >= ROOMY or not _passes(machine, event.output):
        return None
    here = branch.scope.states[branch.state]
    if here.__class__ is not TaskState or not here.plain:
        return None
    if here.next is None:
        return Execution("SUCCEEDED", state.counter, EMPTY, EMPTY), (End("SUCCEEDED", event.output),)
    run, branch = run.copy(), branch.copy()
    branch.state = here.next
    return _enter(state, run, branch, event, event.output, _ON)


def _begin(machine: Machine, event: Start) -> Stepped | None:
    scope = machine.scope
    if machine.timeout is not None or not _passes(machine, event.input):
        return None
    run = root(ROOT, event, event.input, machine.express)
    branch = Branch(ROOT + 1, ROOT, 0, 0, scope, scope.start, event.input, NO_VARIABLES, None)
    run.leader = branch.id
    return _enter(Execution(RUNNING, branch.id, EMPTY, EMPTY), run, branch, event, event.input, _BEGUN)


def _passes(machine: Machine, value: Any) -> bool:
    """Whether it is a Text that may go on unseen."""
    return value.__class__ is data.Text and value.text[:1] in _OBJECTS and len(value.text) <= machine.data_limit


def _enter(
    state: Execution, run: Run, branch: Branch, event: Start | TaskSucceeded, given: data.Text, n: int
) -> Stepped | None:
    """A branch comes to its state, `n` events after what the run has; both are changed."""
    there = branch.scope.states[branch.state]
    if there.__class__ is not TaskState or not there.plain:
        return None
    ref = state.counter + 1
    run.events = branch.last = run.events + n
    branch.entered = branch.last + _ENTERED
    branch.input, branch.entered_at = given, event.at
    branch.attempt, branch.tries, branch.refs = 0, (), (ref,)
    branch.submitted, branch.heartbeat = False, None
    command = RunTask(ref, there.kind, there.resource, given, there.name, 0)
    nodes = state.nodes.update({run.id: run, branch.id: branch})
    refs = Table({ref: _new(Outstanding, (branch.id, "task", command))})
    return _new(Execution, (RUNNING, ref, nodes, refs, ())), (command,)
