"""Map states: items in, one child each, results out in the items' order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.commands import ReadItems, WriteResults
from cirrus.asl.definition import MapState, Writer
from cirrus.asl.distributed import (
    batches,
    child_run,
    identity,
    open_map_run,
    read_items,
    record,
    write_results,
    written,
)
from cirrus.asl.enter import effective
from cirrus.asl.events import Event, TaskFailed, TaskSucceeded
from cirrus.asl.execution import Branch, Fork, Outstanding
from cirrus.asl.failure import Failure
from cirrus.asl.fork import add_child, break_fork, conclude, gather, iteration, open_fork
from cirrus.asl.items import STATE_DATA, Member, as_input, context_item, parse_items, source_of
from cirrus.asl.leave import failed
from cirrus.asl.results import transform
from cirrus.asl.task import note_late
from cirrus.asl.working import Environment, Step

INLINE_WIDTH = 40
DISTRIBUTED_WIDTH = 10_000
UNASKED_WIDTH = 1_000
"""How many children of a distributed Map run at once where nobody set a MaxConcurrency: the input of each that is under
way is held as text, and may repeat 256 KiB of the state's input."""

HANDFUL = 100
"""How many children start together where nobody set a MaxConcurrency: one by one each would cost a step's overhead."""


def enter_map(step: Step, branch: Branch, state: MapState) -> None:
    """Find the items, or ask for them, and start."""
    env = Environment(step, branch, state)
    given = effective(state, branch, env)
    width = concurrency(state, env, given)
    if state.reader is not None:
        open_map(step, branch, state, env, given, 0, width)
        return in_map_run(step, branch, read_items, step, branch, state, env, given)
    items = given if state.items is None else state.items(given, env)
    if state.distributed and isinstance(items, dict):
        items = members(items)
    if not isinstance(items, list):
        raise not_an_array(state, items)
    fork = open_map(step, branch, state, env, given, len(items), width)
    return fill(step, branch, state, env, fork, items)


def members(items: dict[str, Any]) -> list[Member]:
    """The members of an object as items."""
    return [Member(key, value) for key, value in items.items()]


def open_map(step: Step, branch: Branch, state: MapState, env: Environment, given: Any, count: int, width: int) -> Fork:
    """Tell in the history that the Map has started, over items that may have to be read first."""
    step.note(branch, "MapStateStarted", length, count)
    fork = open_fork(step, branch, count, width)
    fork.shared = given
    fork.tolerated = (evaluated(state.tolerated_count, given, env), evaluated(state.tolerated_percentage, given, env))
    if state.distributed:
        open_map_run(step, branch, state, fork)
        fork.handful = HANDFUL if width == UNASKED_WIDTH else 1
    return fork


def evaluated(find: Any, given: Any, env: Environment) -> Any:
    """What a field gives, None where it is not there."""
    return None if find is None else find(given, env)


def fill(
    step: Step, branch: Branch, state: MapState, env: Environment, fork: Fork, items: Any, source: str = STATE_DATA
) -> None:
    """Begin the iterations, now that the items are known."""
    fork.items, fork.source = items, source
    if state.batcher is not None:
        fork.items = batches(step, branch, state, fork, state.batcher, env)
    fork.total = len(fork.items)
    if state.distributed:
        fork.allowed = allowed(*fork.tolerated, fork.total)
    if fork.total == 0:
        return end_map(step, branch, state, fork)
    step.queue.append(("more", fork.id))
    return None


def answer_map(working: Step, branch: Branch, state: MapState, found: Outstanding, event: Event) -> None:
    """The items were read, or the results written, or neither could be done."""
    if not isinstance(event, TaskSucceeded | TaskFailed):
        return None
    working.settle(event.ref)
    branch.refs = ()
    act = take_items if found.role == "reader" else take_written
    return in_map_run(working, branch, act, working, branch, state, found.command, event)


def take_items(
    step: Step, branch: Branch, state: MapState, command: ReadItems, event: TaskSucceeded | TaskFailed
) -> None:
    """Start with the items that were read."""
    content = accepted(event, failure.ITEM_READER)
    items = parse_items(content, command.config)
    if isinstance(items, dict):
        items = members(items)
    fork: Fork = step.own(branch.fork)
    fill(step, branch, state, Environment(step, branch, state), fork, items, source_of(command))


def take_written(
    step: Step, branch: Branch, state: MapState, command: WriteResults, event: TaskSucceeded | TaskFailed
) -> None:
    """End the Map, whose results are where they should be."""
    output = accepted(event, failure.RESULT_WRITER)
    fork: Fork = step.own(branch.fork)
    result = written(fork, command.parameters, data.take(output)[0])
    step.note(branch, "MapRunSucceeded")
    step.note(branch, "MapStateSucceeded")
    conclude(step, branch, fork, result)


def accepted(event: TaskSucceeded | TaskFailed, error: str) -> Any:
    """What the reader or writer answered; raises its failure under the Map's name for it."""
    if isinstance(event, TaskFailed):
        raise Failure(error, f"{event.error}: {event.cause}" if event.cause else event.error, placed=False)
    return event.output


def in_map_run(step: Step, branch: Branch, act: Callable[..., None], *values: Any) -> None:
    """Do something that fails the map run with the state."""
    try:
        act(*values)
    except Failure as problem:
        if branch.fork:  # else the run has succeeded, and its result was no good
            step.note(branch, "MapRunFailed", failed, problem.error, problem.cause)
        raise


def not_an_array(state: MapState, items: Any) -> Failure:
    """The failure of a Map over something else."""
    shown = data.text(items)
    if state.jsonata:
        return Failure(failure.QUERY, f"Map state input must be an array but was: {shown}", field="Items")
    return failure.runtime(f"Reference path must point to an array of items, but found: {shown}")


def concurrency(state: MapState, env: Environment, given: Any) -> int:
    """How many iterations may run at once."""
    most, unasked = (DISTRIBUTED_WIDTH, UNASKED_WIDTH) if state.distributed else (INLINE_WIDTH, INLINE_WIDTH)
    return min(evaluated(state.concurrency, given, env) or unasked, most)


def allowed(count: int | None, percentage: float | None, total: int) -> int:
    """How many children may fail."""
    limits = [count] if count is not None else []
    if percentage is not None:
        limits.append(int(percentage * total // 100))
    return min(limits, default=0)


def length(count: int) -> dict[str, Any]:
    """The details of MapStateStarted."""
    return {"length": count}


def more(step: Step, fork: Fork) -> None:
    """Start as many children as there is room for."""
    branch: Branch = step.own(fork.branch)
    state = branch.scope.states[branch.state]
    assert isinstance(state, MapState)
    if fork.width - fork.live.count < min(fork.handful, fork.total - fork.started):
        return
    while fork.started < fork.total and fork.live.count < fork.width:
        start_child(step, branch, state, fork, fork.started)


def start_child(step: Step, branch: Branch, state: MapState, fork: Fork, index: int) -> None:
    """Start the child of one item."""
    item = context_item(fork, index)
    given = as_input(fork.items[index])
    if state.item is not None and state.batcher is None:
        env = Environment(step, branch, state, item)
        given = state.item(fork.shared, env)
        step.limited(given, state.name, state.item_parts)
    assert state.processor is not None
    child = add_child(step, branch, fork, index, state.processor, given, item)
    if state.distributed:
        child_run(step, fork, child)
    else:
        step.note(child, "MapIterationStarted", iteration, state.name, index)
    step.queue.append(("enter", child.id))


def join_map(step: Step, fork: Fork, child: Branch, state: MapState, ok: bool, output: Any) -> None:
    """An iteration ended; a failed one got here only if it is tolerated."""
    if not state.distributed:
        step.note(child, "MapIterationSucceeded", iteration, state.name, child.index)
    last = None if state.distributed else child.last
    told = None if state.writer is None else identity(step, child)
    before = step.node(fork.branch).last
    branch = gather(step, fork, child, (ok, output, told))
    branch.last = before if last is None else last
    if fork.done == fork.total:
        return end_map(step, branch, state, fork)
    return more(step, fork)


def fail_map(step: Step, fork: Fork, child: Branch, state: MapState, error: str | None, cause: str | None) -> None:
    """An iteration failed."""
    if not state.distributed:
        note_late(step, fork, child)
        before = child.last
        step.note(child, "MapIterationFailed", iteration, state.name, child.index)
        child.last = before
        return break_fork(step, fork, child, error, cause)
    fork.failed += 1
    if fork.failed <= fork.allowed:
        return join_map(step, fork, child, state, False, {"Error": error, "Cause": cause})
    branch: Branch = step.own(fork.branch)
    cause = "The specified tolerated failure threshold was exceeded"
    step.note(branch, "MapRunFailed", failed, failure.TOLERATED, cause)
    child.last = branch.last
    return break_fork(step, fork, child, failure.TOLERATED, cause)


def end_map(step: Step, branch: Branch, state: MapState, fork: Fork) -> None:
    """All iterations are done."""
    writer = state.writer
    if writer is not None and writer.kind:
        return write_results(step, branch, state, fork)
    if state.distributed:
        step.note(branch, "MapRunSucceeded")
    step.note(branch, "MapStateSucceeded")
    return conclude(step, branch, fork, outputs(fork, writer))


def outputs(fork: Fork, writer: Writer | None) -> list[Any]:
    """What the children gave, in the items' order, as a writer without a store may shape it."""
    if writer is None:
        return [entry[1] for entry in fork.results.values() if entry[0]]
    return transform([record(entry) for entry in fork.results.values()], writer.config.get("Transformation", "NONE"))
