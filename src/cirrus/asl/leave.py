"""How a branch leaves a state: with an output, or with an error that is retried, caught or passed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.commands import SetTimer
from cirrus.asl.definition import Assign, Catcher, State
from cirrus.asl.execution import Branch, Fork, Variables
from cirrus.asl.failure import Failure
from cirrus.asl.history import gave
from cirrus.asl.retry import delay, matches
from cirrus.asl.working import Environment, Step, opened, over_limit

VARIABLES_LIMIT = 10 * 1024 * 1024
WITH_RESULT = frozenset({"Task", "Parallel", "Map"})


def finish(step: Step, branch: Branch, state: State, env: Environment, result: Any) -> None:
    """Make the output and the variables of what the state gave, and go on."""
    if state.jsonata:
        if state.type in WITH_RESULT:
            env.result = result
        output = result if state.write is None else state.write(None, env)
        assigned = evaluate(state.assign, None, env)
    else:
        selected = result if state.select is None else state.select(result, env)
        output = selected if state.place is None else state.place(branch.input, selected)
        assigned = evaluate(state.assign, result, env)
        if state.write is not None:
            output = state.write(output, env)
    go(step, branch, state, output, assigned, state.next, state.name)


def evaluate(assign: Assign | None, value: Any, env: Environment) -> dict[str, Any] | None:
    """The values that an Assign gives its variables."""
    if assign is None:
        return None
    found = assign.evaluate(value, env)
    assert isinstance(found, dict)
    return found


def go(
    step: Step,
    branch: Branch,
    state: State,
    output: Any,
    assigned: dict[str, Any] | None,
    target: str | None,
    name: str,
) -> None:
    """Leave the state for `target`, or end the branch where there is none."""
    if output is not branch.input:
        step.limited(output, name, state.parts)
    if assigned is not None:
        branch.variables = assign(step, branch, assigned, name)
    step.note(branch, f"{state.type}StateExited", exited, state.name, output, assigned)
    branch.attempt = 0
    branch.tries = ()
    if target is None:
        return close(step, branch, output)
    branch.state = target
    branch.input = output
    step.queue.append(("enter", branch.id))
    return None


def assign(step: Step, branch: Branch, assigned: dict[str, Any], name: str) -> Variables:
    """The branch's variables with the assigned ones, within the limits."""
    old = branch.variables
    sizes = {**old.sizes, **{key: data.size(value) for key, value in assigned.items()}}
    limit = step.machine.data_limit
    if sum(sizes[key] for key in assigned) > limit or sum(sizes.values()) > VARIABLES_LIMIT:
        raise over_limit(name)
    return Variables({**old.values, **assigned}, sizes)


def exited(name: str, output: Any, assigned: dict[str, Any] | None) -> dict[str, Any]:
    """The details of a StateExited event."""
    details = {"name": name, **gave(output)}
    if assigned:
        details["assignedVariables"] = {key: data.text(value) for key, value in assigned.items()}
        details["assignedVariablesDetails"] = {"truncated": False}
    return details


def close(step: Step, branch: Branch, output: Any) -> None:
    """The branch has reached its end."""
    if branch.parent:
        step.queue.append(("done", branch.id, opened(output)))
        return
    step.note(branch, "ExecutionSucceeded", gave, output)
    step.end("SUCCEEDED", output)


def fail(step: Step, branch: Branch, state: State, problem: Failure) -> None:
    """The state failed: retry, catch or pass it up."""
    error, cause = problem.error, problem.cause
    if problem.placed:
        cause = (
            f"An error occurred while executing the state '{state.name}' "
            f"(entered at the event id #{branch.entered}). {cause}"
        )
    if cause is not None and len(cause) > failure.CAUSE_LIMIT:
        cause = cause[: failure.CAUSE_LIMIT]
    if error == failure.QUERY and problem.placed:
        step.note(branch, "EvaluationFailed", evaluation_failed, error, cause, problem.field, state.name)
    release(step, branch)
    if retry(step, branch, state, problem.names):
        return None
    if state.type in ("Map", "Parallel"):
        step.note(branch, f"{state.type}StateFailed")
    for catcher in state.catch:
        if matches(catcher.errors, *problem.names):
            return caught(step, branch, state, catcher, error, cause)
    return die(step, branch, error, cause)


def guarded(step: Step, branch: Branch, state: State, act: Callable[..., None], *values: Any) -> None:
    """Do what a state does, and fail the state where that fails; values that defeat the engine fail it too."""
    try:
        act(*values)
    except Failure as problem:
        fail(step, branch, state, problem)
    except (RecursionError, MemoryError, OverflowError, UnicodeError) as error:
        fail(step, branch, state, failure.runtime(f"The state's data cannot be processed: {type(error).__name__}"))


def evaluation_failed(error: str, cause: str | None, field: str | None, state: str) -> dict[str, Any]:
    """The details of an EvaluationFailed event."""
    return {"error": error, "cause": cause, "location": field, "state": state}


def retry(step: Step, branch: Branch, state: State, names: tuple[str, ...]) -> bool:
    """Set the timer of the next attempt, if the first retrier that matches has attempts left."""
    for at, retrier in enumerate(state.retry):
        if not matches(retrier.errors, *names):
            continue
        tries = branch.tries or (0,) * len(state.retry)
        if tries[at] >= retrier.attempts:
            return False
        branch.tries = (*tries[:at], tries[at] + 1, *tries[at + 1 :])
        seconds = delay(retrier, tries[at], step.random)
        step.issue(branch, "retry", SetTimer(step.number(), step.at + seconds))
        return True
    return False


def caught(step: Step, branch: Branch, state: State, catcher: Catcher, error: str, cause: str | None) -> None:
    """Go where the catcher says, with the error as it says."""
    output: Any = {"Error": error, "Cause": cause or ""}
    try:
        branch.input = opened(branch.input)
        env = Environment(step, branch, state)
        env.error = output
        assigned = evaluate(catcher.assign, output, env)
        if state.jsonata:
            output = output if catcher.output is None else catcher.output(None, env)
        elif catcher.place is not None:
            output = catcher.place(branch.input, output)
        go(step, branch, state, output, assigned, catcher.next, state.name)
    except Failure as problem:
        where = (
            f"An error occurred while executing the state '{state.name}' (entered at the event id #{branch.entered}). "
        )
        die(step, branch, problem.error, (where if problem.placed else "") + (problem.cause or ""))


def die(step: Step, branch: Branch, error: str | None, cause: str | None) -> None:
    """Nothing stopped the error: the branch fails."""
    if branch.parent:
        step.queue.append(("failed", branch.id, error, cause))
        return
    step.note(branch, "ExecutionFailed", failed, error, cause)
    step.end("FAILED", None, error, cause)


def failed(error: str | None, cause: str | None) -> dict[str, Any]:
    """The details of an event that tells an error."""
    return {"error": error, "cause": cause}


def release(step: Step, branch: Branch) -> None:
    """Cancel whatever the branch awaits, its sub-branches and what they await."""
    stack = [branch]
    while stack:
        top = stack.pop()
        for ref in top.refs:
            step.cancel(ref)
        fork: Fork | None = step.node(top.fork) if top.fork else None
        if fork is not None:
            stack.extend(child for number in fork.live.values() if (child := step.node(number)) is not None)
            step.drop(fork.id)
        if top is not branch:
            drop_branch(step, top)
    branch.refs = ()
    branch.fork = 0


def drop_branch(step: Step, branch: Branch) -> None:
    """The branch is gone, and with a child of a distributed Map its history too."""
    if branch.leads:
        step.drop(branch.run)
    step.drop(branch.id)
