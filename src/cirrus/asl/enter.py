"""What Pass, Choice, Wait, Succeed and Fail states do when a branch comes to them."""

from __future__ import annotations

from typing import Any

from cirrus.asl.commands import SetTimer
from cirrus.asl.definition import ChoiceState, FailState, PassState, State, WaitState
from cirrus.asl.execution import Branch
from cirrus.asl.failure import NO_CHOICE, Failure
from cirrus.asl.leave import die, evaluate, finish, go
from cirrus.asl.working import Environment, Step


def effective(state: State, branch: Branch, env: Environment) -> Any:
    """The state's input after InputPath."""
    return branch.input if state.read is None else state.read(branch.input, env)


def shaped(state: State, branch: Branch, env: Environment) -> Any:
    """The state's input after InputPath and Parameters, or its Arguments."""
    found = effective(state, branch, env)
    return found if state.shape is None else state.shape(found, env)


def enter_pass(step: Step, branch: Branch, state: PassState) -> None:
    """Give the input, its template or the fixed result on."""
    env = Environment(step, branch, state)
    result = state.result if state.has_result else shaped(state, branch, env)
    finish(step, branch, state, env, result)


def enter_succeed(step: Step, branch: Branch, state: State) -> None:
    """End the branch with the input."""
    env = Environment(step, branch, state)
    finish(step, branch, state, env, effective(state, branch, env))


def enter_choice(step: Step, branch: Branch, state: ChoiceState) -> None:
    """Go where the first rule that holds says."""
    env = Environment(step, branch, state)
    data = effective(state, branch, env)
    for rule in state.rules:
        if rule.test(data, env):
            return choose(step, branch, state, env, data, rule.write, rule.assign, rule.next)
    if state.default is None:
        raise Failure(NO_CHOICE, "Failed to transition out of the state. The state does not point to a next state.")
    return choose(step, branch, state, env, data, state.write, state.assign, state.default)


def choose(
    step: Step, branch: Branch, state: ChoiceState, env: Environment, data: Any, write: Any, assign: Any, target: str
) -> None:
    """Leave a Choice state by one of its ways."""
    assigned = evaluate(assign, data, env)
    if state.jsonata:
        output = data if write is None else write(None, env)
    else:
        output = data if state.write is None else state.write(data, env)
    go(step, branch, state, output, assigned, target, state.name)


def enter_wait(step: Step, branch: Branch, state: WaitState) -> None:
    """Set the timer; the branch goes on when it fires."""
    env = Environment(step, branch, state)
    at = state.until(effective(state, branch, env), env)
    step.issue(branch, "wait", SetTimer(step.number(), at))


def resume_wait(step: Step, branch: Branch, state: State) -> None:
    """The time has come."""
    env = Environment(step, branch, state)
    finish(step, branch, state, env, effective(state, branch, env))


def enter_fail(step: Step, branch: Branch, state: FailState) -> None:
    """End the branch with the error."""
    env = Environment(step, branch, state)
    data = effective(state, branch, env)
    error = None if state.error is None else state.error(data, env)
    cause = None if state.cause is None else state.cause(data, env)
    die(step, branch, error, cause)
