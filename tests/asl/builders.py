"""Small definitions and drivers for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cirrus.asl import Command, Event, Machine, Record, Result, Snapshot, Start, parse, run, step

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
INVOKE = "arn:aws:states:::lambda:invoke"
NOTHING: dict[str, Any] = {}
CONTEXT = {
    "Execution": {"Id": "arn:aws:states:us-east-1:1:execution:m:e", "Name": "e", "RoleArn": "r", "StartTime": "t"},
    "StateMachine": {"Id": "arn:aws:states:us-east-1:1:stateMachine:m", "Name": "m"},
}


def one(state: dict[str, Any], **top: Any) -> dict[str, Any]:
    """A machine of one state, ended if it may be."""
    ended = {} if state["Type"] in ("Choice", "Succeed", "Fail") or "Next" in state else {"End": True}
    return {"StartAt": "A", "States": {"A": {**state, **ended}}, **top}


def chain(**states: dict[str, Any]) -> dict[str, Any]:
    """A machine of states in the order given; each leads to the next unless it says otherwise."""
    names = list(states)
    for name, after in zip(names, [*names[1:], None], strict=True):
        if states[name]["Type"] not in ("Choice", "Succeed", "Fail") and "Next" not in states[name]:
            states[name] = {**states[name], **({"Next": after} if after else {"End": True})}
    return {"StartAt": names[0], "States": states}


def task(**fields: Any) -> dict[str, Any]:
    """A Task state that calls the function f."""
    return {"Type": "Task", "Resource": FUNCTION, **fields}


def mapping(*states: dict[str, Any], mode: str = "INLINE", **fields: Any) -> dict[str, Any]:
    """A Map state over one inner state."""
    config = {"Mode": mode, **({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})}
    inner = one(states[0] if states else {"Type": "Pass"})
    inner["States"] = {"I": inner["States"]["A"]}
    return {"Type": "Map", "ItemProcessor": {**inner, "StartAt": "I", "ProcessorConfig": config}, **fields}


def output(definition: dict[str, Any], given: Any = NOTHING, **options: Any) -> Any:
    """The output of an execution that succeeds."""
    result = run(definition, given, **options)
    assert result.status == "SUCCEEDED", (result.error, result.cause)
    return result.output


def problem(definition: dict[str, Any], given: Any = NOTHING, **options: Any) -> tuple[str | None, str | None]:
    """The error and cause of an execution that fails."""
    result = run(definition, given, **options)
    assert result.status == "FAILED", result
    return result.error, result.cause


def types(result: Result) -> list[str]:
    """The types of an execution's events."""
    return [event["type"] for event in result.events]


def begin(
    definition: dict[str, Any] | Machine, given: Any = None, **options: Any
) -> tuple[Machine, Snapshot, list[Command]]:
    """The first step, without its history."""
    machine = definition if isinstance(definition, Machine) else parse(definition, **options)
    state, commands = step(machine, None, Start(100.0, 1, given if given is not None else {}, CONTEXT))
    return machine, state, list(commands)


def fold(
    machine: Machine, events: Iterable[Event], *, record: bool = False
) -> list[tuple[Snapshot, tuple[Command, ...]]]:
    """Every step of a journal."""
    steps: list[tuple[Snapshot, tuple[Command, ...]]] = []
    state: Snapshot | None = None
    for event in events:
        state, commands = step(machine, state, event, record=record)
        steps.append((state, commands))
    return steps


def without_records(commands: Iterable[Command]) -> list[Command]:
    """Commands that are not the history's."""
    return [command for command in commands if not isinstance(command, Record)]
