"""Map states: items in, one child each, results out in the items' order."""

from __future__ import annotations

import math
from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.definition import MapState, Writer
from cirrus.asl.distributed import child_run, identity, open_map_run, read_items, record, write_results
from cirrus.asl.enter import effective
from cirrus.asl.execution import Branch, Fork
from cirrus.asl.failure import Failure
from cirrus.asl.fork import add_child, break_fork, conclude, gather, iteration, open_fork
from cirrus.asl.items import STATE_DATA, Member, as_input, context_item
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
    if state.reader is not None:
        return read_items(step, branch, state, env, given)
    items = given if state.items is None else state.items(given, env)
    return start(step, branch, state, env, given, items)


def start(
    step: Step, branch: Branch, state: MapState, env: Environment, given: Any, items: Any, source: str = STATE_DATA
) -> None:
    """Begin the iterations over items that are known; a distributed Map takes the members of an object too."""
    if state.distributed and isinstance(items, dict):
        items = [Member(key, value) for key, value in items.items()]
    if not isinstance(items, list):
        raise not_an_array(state, items)
    width = concurrency(state, env, given)
    count = whole(state.tolerated_count, given, env, "ToleratedFailureCount")
    percentage = share(state.tolerated_percentage, given, env, "ToleratedFailurePercentage")
    step.note(branch, "MapStateStarted", length, len(items))
    fork = open_fork(step, branch, len(items), width)
    fork.items, fork.shared, fork.source = items, given, source
    if state.distributed:
        open_map_run(step, branch, state, env, fork)
        fork.allowed = allowed(count, percentage, fork.total)
        fork.handful = HANDFUL if width == UNASKED_WIDTH else 1
    if fork.total == 0:
        return end_map(step, branch, state, fork)
    step.queue.append(("more", fork.id))
    return None


def not_an_array(state: MapState, items: Any) -> Failure:
    """The failure of a Map over something else."""
    shown = data.text(items)
    if state.jsonata:
        return Failure(failure.QUERY, f"Map state input must be an array but was: {shown}", field="Items")
    return failure.runtime(f"Reference path must point to an array of items, but found: {shown}")


def concurrency(state: MapState, env: Environment, given: Any) -> int:
    """How many iterations may run at once."""
    most, unasked = (DISTRIBUTED_WIDTH, UNASKED_WIDTH) if state.distributed else (INLINE_WIDTH, INLINE_WIDTH)
    wanted = whole(state.concurrency, given, env, "MaxConcurrency") or unasked
    return min(wanted, most)


def whole(find: Any, given: Any, env: Environment, field: str) -> int | None:
    """A whole number that the state gives or finds; a text that holds one will do."""
    if find is None:
        return None
    found = find(given, env)
    number = as_number(found)
    if number is None or number < 0 or number != int(number):
        raise wrong_number(env, field, "a whole number that is not negative", found)
    return int(number)


def share(find: Any, given: Any, env: Environment, field: str) -> float | None:
    """A number from 0 to 100 that the state gives or finds; a text that holds one will do."""
    if find is None:
        return None
    found = find(given, env)
    number = as_number(found)
    if number is None or not 0 <= number <= 100:
        raise wrong_number(env, field, "a number between 0 and 100", found)
    return number


def as_number(found: Any) -> float | None:
    """A number, or the number that a text holds."""
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    try:
        number = float(found) if isinstance(found, str) else found
    except ValueError:
        return None
    return number if isinstance(number, int) or math.isfinite(number) else None


def wrong_number(env: Environment, field: str, expected: str, found: Any) -> Failure:
    """The failure of a limit that is none."""
    cause = f"The {field} field must be {expected}, but was: {data.text(found)[:100]}"
    return Failure(failure.QUERY if env.state.jsonata else failure.RUNTIME, cause, field=field)


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
    step.note(branch, "MapRunFailed", lambda: {"error": failure.TOLERATED, "cause": cause})
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
