"""Calls: what a Task state asks for, as something to do, and the outcome of an attempt as the state's result."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cirrus.asl import ReadItems, RunTask, WriteResults
from cirrus.core.function_name import function_name
from cirrus.core.jsontext import decode, encode
from cirrus.core.reserved import POST_BATCH, PRE_BATCH
from cirrus.errors import CirrusError, InvalidPayload
from cirrus.flow import services
from cirrus.flow.batch import job, job_result, post_batch, pre_batch, submitted
from cirrus.flow.home import Home
from cirrus.flow.result import (
    Call,
    Refused,
    Result,
    Waits,
    Wanted,
    as_text,
    as_value,
    carried,
    failure,
    inline,
    text_of,
)

_WAITING = ".waitForTaskToken"
TIMEOUT = "States.Timeout"


def call(home: Home, command: RunTask | ReadItems | WriteResults, payload_id: str, tasks: Collection[str]) -> Call:
    """What to do for a command; what cannot be done is a failed result."""
    try:
        if isinstance(command, RunTask):
            if command.kind == "lambda":
                return _function(home, function_name(command.resource), command.parameters, payload_id, tasks)
            return _waiting(command, _call(home, command, payload_id, tasks))
        return services.items(home, command) if isinstance(command, ReadItems) else services.results(home, command)
    except Refused as refused:
        return failure(refused.error, str(refused))
    except CirrusError as error:
        return failure(type(error).__name__, str(error))


def _waiting(command: RunTask, made: Call) -> Call:
    """The same for a state that goes on only when its token is answered."""
    if not command.kind.endswith(_WAITING):
        return made
    if isinstance(made, Wanted):
        return Wanted(made.task, made.payload, made.job, made.member, waits=True)
    return Waits(made.output) if isinstance(made, Result) and made.error is None else made


def _call(home: Home, command: RunTask, payload_id: str, tasks: Collection[str]) -> Call:
    parameters, kind = command.parameters, command.kind.removesuffix(_WAITING)
    match kind:
        case "lambda:invoke":
            name = function_name(str(parameters.get("FunctionName", "")))
            return _function(home, name, parameters.get("Payload", {}), payload_id, tasks)
        case "batch:submitJob" | "batch:submitJob.sync":
            return job(home, parameters, tasks)
        case "activity":
            return Waits(None, command.resource, as_text(parameters))
        case "sqs:sendMessage":
            return services.send_message(home, parameters, payload_id)
        case "sns:publish":
            return services.publish(home, parameters, payload_id)
        case "aws-sdk:s3:getObject" | "aws-sdk:s3:putObject":
            return services.objects(home, kind, parameters)
        case "states:startExecution" | "states:startExecution.sync" | "states:startExecution.sync:2":
            return services.start_execution(home, command)
    raise Refused("States.Runtime", f"{command.resource} cannot be called in this home")


def _function(home: Home, name: str, given: Any, payload_id: str, tasks: Collection[str]) -> Call:
    if name in tasks:
        return Wanted(name, text_of(home, given))
    if name == PRE_BATCH:
        return pre_batch(home, given, payload_id)
    if name == POST_BATCH:
        return post_batch(home, as_value(given))
    raise Refused("Lambda.ResourceNotFoundException", f"the project has no task {name!r}")


def task_call(home: Home, command: RunTask, tasks: Collection[str]) -> Wanted | None:
    """The attempt that a command makes at a task of the project, whose end is the state's; None for other calls."""
    if command.kind not in ("lambda", "lambda:invoke"):
        return None
    plain = command.kind == "lambda"
    name = function_name(command.resource if plain else str(command.parameters.get("FunctionName", "")))
    given = command.parameters if plain else command.parameters.get("Payload", {})
    return Wanted(name, text_of(home, given)) if name in tasks else None


def result(home: Home, wanted: Wanted, output: bytes | None, error: str | None, cause: str | None) -> Result:
    """The result of the state for the outcome of its attempt."""
    try:
        return _result(home, wanted, output, error, cause)
    except InvalidPayload as problem:
        return failure("InvalidOutput", f"task {wanted.task!r}: {problem}")


def _result(home: Home, wanted: Wanted, output: bytes | None, error: str | None, cause: str | None) -> Result:
    if wanted.waits and output is not None:
        return Result(submitted(wanted) if wanted.job else inline(home, output))
    if error == TIMEOUT:
        return Result(error=error)
    if wanted.job is not None:
        return job_result(home, wanted.job, output, error, cause)
    if output is None:
        return Result(error=error or "Unknown", cause=cause)
    if wanted.member is not None:
        return Result(carried(encode(decode(output)[wanted.member])))
    return Result(inline(home, wanted.payload if output == wanted.payload else output))  # one object, stored once
