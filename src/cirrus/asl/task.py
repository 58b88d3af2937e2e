"""Task states: the call that goes out, its timers, and what comes back."""

from __future__ import annotations

from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.commands import RunTask, SetTimer
from cirrus.asl.definition import TaskState
from cirrus.asl.enter import effective
from cirrus.asl.events import TaskFailed, TaskSubmitted, TaskSucceeded
from cirrus.asl.execution import Branch, Fork
from cirrus.asl.failure import Failure
from cirrus.asl.history import WHOLE, gave
from cirrus.asl.invocation import BadPayload, function_payload, wrap_invocation
from cirrus.asl.leave import fail, failed, finish
from cirrus.asl.resource import family, names
from cirrus.asl.working import Environment, Step, make_token, over_limit


def enter_task(step: Step, branch: Branch, state: TaskState) -> None:
    """Send the call and set its timers."""
    ref = step.number()
    env = Environment(step, branch, state)
    if state.waits_for_token:
        env.token = make_token(step, branch, ref)
    given = effective(state, branch, env)
    parameters = given if state.shape is None else state.shape(given, env)
    step.limited(parameters, state.name, state.parts)
    timeout = seconds(state.timeout, given, env, "TimeoutSeconds")
    heartbeat = seconds(state.heartbeat, given, env, "HeartbeatSeconds")
    role = None if state.role is None else state.role(given, env)
    schedule(step, branch, state, parameters, timeout, heartbeat)
    try:
        sent = function_payload(state.kind, parameters)
    except BadPayload as error:
        return reject(step, branch, state, str(error))
    command = RunTask(
        ref, state.kind, state.resource, sent, state.name, branch.attempt, env.token, timeout, heartbeat, role
    )
    branch.submitted = False
    step.issue(branch, "task", command)
    if timeout is not None:
        step.issue(branch, "timeout", SetTimer(step.number(), step.at + timeout, ref))
    branch.heartbeat = heartbeat if state.waits_for_token else None
    if branch.heartbeat is not None:
        step.issue(branch, "heartbeat", SetTimer(step.number(), step.at + branch.heartbeat))
    return None


def seconds(find: Any, given: Any, env: Environment, field: str) -> float | None:
    """A number of seconds that the state gives or finds."""
    if find is None:
        return None
    found = find(given, env)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 < found <= 99_999_999:
        shown = data.text(found)[:100]
        if env.state.jsonata:
            raise Failure(
                failure.QUERY,
                f"The {field} field must be a number between 1 and 99999999 but was: {shown}",
                field=field,
            )
        raise failure.runtime(f"The {field}Path parameter must be a number between 1 and 99999999 but was: {shown}")
    return found


def schedule(
    step: Step, branch: Branch, state: TaskState, parameters: Any, timeout: float | None, heartbeat: float | None
) -> None:
    """Tell in the history that the task was scheduled and started."""
    kind = family(state.kind)
    step.note(branch, f"{kind}Scheduled", scheduled, state, parameters, timeout, heartbeat)
    step.note(branch, f"{kind}Started", names if kind == "Task" else None, *([state.kind] if kind == "Task" else []))


def scheduled(state: TaskState, parameters: Any, timeout: float | None, heartbeat: float | None) -> dict[str, Any]:
    """The details of a scheduled task."""
    limits = {"timeoutInSeconds": whole(timeout), "heartbeatInSeconds": whole(heartbeat)}
    if family(state.kind) == "Task":
        region = state.resource.split(":")[3] or "us-east-1"
        return {**names(state.kind), "region": region, "parameters": data.text(parameters), **limits}
    if state.kind == "lambda":
        limits.pop("heartbeatInSeconds")
    return {"resource": state.resource, "input": data.text(parameters), "inputDetails": WHOLE, **limits}


def whole(seconds: float | None) -> int | None:
    """Seconds as the history counts them."""
    return None if seconds is None else int(seconds)


def reject(step: Step, branch: Branch, state: TaskState, cause: str) -> None:
    """The service would not take the call at all."""
    lose(step, branch, state, "Failed", "Lambda.InvalidRequestContentException", cause)


def succeed(step: Step, branch: Branch, state: TaskState, event: TaskSucceeded) -> None:
    """The task gave its result."""
    clear(step, branch, event.ref)
    submit(step, branch, state, None)
    try:
        result, size = step.admit(event.output, state.opaque_result)
    except data.NotJson as error:
        return lose(step, branch, state, "Failed", failure.RUNTIME, f"The task's result cannot be kept: {error}")
    if size > step.machine.data_limit:
        problem = over_limit(state.resource if family(state.kind) != "Task" else names(state.kind)["resourceType"])
        return lose(step, branch, state, "Failed", problem.error, problem.cause)
    env = Environment(step, branch, state)
    if state.kind == "lambda:invoke":
        result = wrap_invocation(result, size, step.at, env.random)
    kind = family(state.kind)
    step.note(branch, f"{kind}Succeeded", succeeded, state.kind, result)
    return finish(step, branch, state, env, result)


def succeeded(kind: str, result: Any) -> dict[str, Any]:
    """The details of a task that succeeded."""
    return {**(names(kind) if family(kind) == "Task" else {}), **gave(result)}


def give_up(step: Step, branch: Branch, state: TaskState, event: TaskFailed) -> None:
    """The task failed."""
    clear(step, branch, event.ref)
    submit(step, branch, state, None)
    late = event.error == failure.TIMEOUT
    lose(step, branch, state, "TimedOut" if late else "Failed", event.error, event.cause)


def expire(step: Step, branch: Branch, state: TaskState, ref: int, also: str | None = None) -> None:
    """The task's time, or the time for its next heartbeat, is over: AWS calls both States.Timeout."""
    clear(step, branch, ref)
    lose(step, branch, state, "TimedOut", failure.TIMEOUT, None, also)


def note_late(step: Step, fork: Fork, child: Branch) -> None:
    """Tell of the tasks of other children whose time is over at this very moment, for AWS times them out together."""
    for number in fork.live.values():
        other: Branch = step.own(number)
        state = other.scope.states[other.state]
        if number != child.id and isinstance(state, TaskState) and any(is_late(step, ref) for ref in other.refs):
            step.note(other, f"{family(state.kind)}TimedOut", lost, state.kind, failure.TIMEOUT, None)


def is_late(step: Step, ref: int) -> bool:
    """Whether a ref is the timer of a task whose time is over."""
    found = step.awaited(ref)
    return (
        found is not None
        and found.role == "timeout"
        and isinstance(found.command, SetTimer)
        and found.command.at <= step.at
    )


def lose(
    step: Step,
    branch: Branch,
    state: TaskState,
    ending: str,
    error: str,
    cause: str | None,
    also: str | None = None,
) -> None:
    """Tell the failure in the history and fail the state."""
    step.note(branch, f"{family(state.kind)}{ending}", lost, state.kind, error, cause)
    fail(step, branch, state, Failure(error, cause, placed=False, also=also))


def lost(kind: str, error: str, cause: str | None) -> dict[str, Any]:
    """The details of a task that failed."""
    return {**(names(kind) if family(kind) == "Task" else {}), **failed(error, cause)}


def submit(step: Step, branch: Branch, state: TaskState, event: TaskSubmitted | None) -> None:
    """Tell in the history that the service took the call, once, where the state waits for more than its answer."""
    if branch.submitted or family(state.kind) != "Task" or "." not in state.kind:
        return
    branch.submitted = True
    output = {} if event is None else event.output
    step.note(branch, "TaskSubmitted", succeeded, state.kind, output)


def beat(step: Step, branch: Branch) -> None:
    """The task is alive: its time for the next heartbeat begins anew."""
    if branch.heartbeat is None:
        return
    for ref in branch.refs:
        found = step.awaited(ref)
        if found is not None and found.role == "heartbeat":
            step.cancel(ref)
            branch.refs = tuple(other for other in branch.refs if other != ref)
    step.issue(branch, "heartbeat", SetTimer(step.number(), step.at + branch.heartbeat))


def clear(step: Step, branch: Branch, answered: int) -> None:
    """The wait for the task is over: settle the answer and cancel the rest."""
    step.settle(answered)
    for ref in branch.refs:
        step.cancel(ref)
    branch.refs = ()
