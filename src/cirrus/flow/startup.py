"""Executions that begin: their context object, and the answers to a state that started another state machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus import asl
from cirrus.core.execution_id import execution_arn, state_machine_arn
from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.flow.nest import Level
from cirrus.flow.result import Result, Started

ROLE = "arn:aws:iam::000000000000:role/cirrus"


def context(workflow: str, name: str, now: int) -> dict[str, Any]:
    """The context object that a state machine sees; `now` in microseconds since the epoch."""
    return {
        "Execution": {
            "Id": execution_arn(workflow, name),
            "Name": name,
            "RoleArn": ROLE,
            "StartTime": iso(now)[:23] + "Z",
        },
        "StateMachine": {"Id": state_machine_arn(workflow), "Name": workflow},
    }


def level(machine: asl.Machine, more: Mapping[str, Any], event: asl.Start) -> Level:
    """A started execution before its first step; `more` is what the journal tells of it."""
    return Level(machine, more["wf"], more["nm"], more["kd"], event.at, event.input)


def described(started: Started, at: float) -> dict[str, Any]:
    """What states:startExecution answers at once."""
    return {"ExecutionArn": execution_arn(started.workflow, started.name), "StartDate": round(at * 1000)}


def ended_call(one: Level, end: asl.End, at: float) -> Result | None:
    """The result of the state that waits for a started execution; None if none does."""
    if ".sync" not in one.kind:
        return None
    detail: dict[str, Any] = {
        "ExecutionArn": execution_arn(one.workflow, one.name),
        "Input": encode(one.input).decode(),
        "InputDetails": {"Included": True},
        "Name": one.name,
        "StartDate": round(one.started * 1000),
        "StateMachineArn": state_machine_arn(one.workflow),
        "Status": end.status,
        "StopDate": round(at * 1000),
    }
    if end.status != "SUCCEEDED":
        detail |= {"Error": end.error, "Cause": end.cause}
        return Result(error="States.TaskFailed", cause=encode(detail).decode())
    parsed = one.kind.endswith(":2")
    detail |= {
        "Input": one.input if parsed else detail["Input"],
        "Output": end.output if parsed else encode(end.output).decode(),
        "OutputDetails": {"Included": True},
    }
    return Result(detail)
