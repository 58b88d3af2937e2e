"""Parallel states, and what they share with Map: children that run side by side and are gathered in order."""

from __future__ import annotations

from typing import Any

from cirrus.asl.definition import MapState, ParallelState, Scope, State
from cirrus.asl.enter import shaped
from cirrus.asl.execution import Branch, Fork
from cirrus.asl.failure import Failure
from cirrus.asl.leave import drop_branch, fail, finish, release
from cirrus.asl.table import Table
from cirrus.asl.working import Environment, Step

ABORTED = ("Task", "Wait", "Parallel", "Map")
"""The types of states that are stopped half-way."""


def enter_parallel(step: Step, branch: Branch, state: ParallelState) -> None:
    """Start every branch on the same input."""
    env = Environment(step, branch, state)
    given = shaped(state, branch, env)
    step.limited(given, state.name, state.parts)
    step.note(branch, "ParallelStateStarted")
    fork = open_fork(step, branch, len(state.branches), len(state.branches))
    for index, scope in enumerate(state.branches):
        child = add_child(step, branch, fork, index, scope, given, branch.item)
        step.queue.append(("enter", child.id))


def open_fork(step: Step, branch: Branch, total: int, width: int) -> Fork:
    """Begin to gather `total` children, `width` of them at a time."""
    fork = Fork(step.number(), branch.id, total, width, 0, 0, Table(), Table())
    step.add(fork)
    branch.fork = fork.id
    return fork


def add_child(
    step: Step, branch: Branch, fork: Fork, index: int, scope: Scope, given: Any, item: dict[str, Any] | None
) -> Branch:
    """One more child, in the same run and with the same variables."""
    child = Branch(
        step.number(), branch.run, fork.id, index, scope, scope.start, given, branch.variables, item, last=branch.last
    )
    step.add(child)
    fork.live = fork.live.set(index, child.id)
    fork.started += 1
    return child


def gather(step: Step, fork: Fork, child: Branch, entry: tuple[Any, ...]) -> Branch:
    """Keep what a child gave and forget the child; gives the branch that waits."""
    fork.results = fork.results.set(child.index, entry)
    fork.live = fork.live.drop(child.index)
    fork.done += 1
    branch: Branch = step.own(fork.branch)
    branch.last = child.last
    drop_branch(step, child)
    return branch


def join_parallel(step: Step, fork: Fork, child: Branch, output: Any) -> None:
    """A branch ended."""
    branch = gather(step, fork, child, (True, output))
    if fork.done == fork.total:
        conclude(step, branch, fork, [entry[1] for entry in fork.results.values()])


def conclude(step: Step, branch: Branch, fork: Fork, result: Any) -> None:
    """All children are done: the state goes on with their results."""
    step.drop(fork.id)
    branch.fork = 0
    state = branch.scope.states[branch.state]
    finish(step, branch, state, Environment(step, branch, state), result)


def break_fork(step: Step, fork: Fork, child: Branch, error: str | None, cause: str | None) -> None:
    """A child failed: the others are stopped and the state fails."""
    branch: Branch = step.own(fork.branch)
    branch.last = child.last
    state = branch.scope.states[branch.state]
    fork.live = fork.live.drop(child.index)
    drop_branch(step, child)
    if not (isinstance(state, MapState) and state.distributed) and note_aborted(step, fork, state, child.last):
        failing = child.scope.states[child.state]
        if isinstance(state, MapState) and failing.type in ABORTED:
            step.note_run(branch.run, child.last, f"{failing.type}StateAborted")
    release(step, branch)
    fail(step, branch, state, Failure(error or "", cause, placed=False))


def note_aborted(step: Step, fork: Fork, state: State, previous: int) -> bool:
    """Tell in the history which states and iterations were stopped after the event `previous`; whether any was."""
    stopped = False
    for index, number in fork.live.items():
        child: Branch | None = step.node(number)
        if child is None:
            continue
        stopped = True
        inner: Fork | None = step.node(child.fork) if child.fork else None
        own = child.scope.states[child.state]
        if inner is not None and not (isinstance(own, MapState) and own.distributed):
            note_aborted(step, inner, own, previous)
        if own.type in ABORTED:
            step.note_run(child.run, previous, f"{own.type}StateAborted")
        if isinstance(state, MapState):
            step.note_run(child.run, previous, "MapIterationAborted", iteration, state.name, index)
    return stopped


def iteration(name: str, index: int) -> dict[str, Any]:
    """The details of a Map iteration's event."""
    return {"name": name, "index": index}
