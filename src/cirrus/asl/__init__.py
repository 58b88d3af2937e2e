"""Amazon States Language, pure: definitions in, `step(machine, state, event)` → (state, commands) out.

    machine = parse(text)
    state, commands = step(machine, None, Start(at, seed, input, context))

`run` does the whole of one execution in memory. Nothing here reads a clock, rolls dice or does I/O.
"""

from cirrus.asl.commands import (
    CancelTask,
    CancelTimer,
    Command,
    End,
    ReadItems,
    Record,
    RunTask,
    SetTimer,
    WriteResults,
)
from cirrus.asl.data import Text
from cirrus.asl.definition import Machine
from cirrus.asl.events import (
    Abort,
    Event,
    Start,
    TaskFailed,
    TaskHeartbeat,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
    answer_to_json,
    event_from_json,
    event_to_json,
    start_to_json,
)
from cirrus.asl.execution import Snapshot, pending
from cirrus.asl.machine import step
from cirrus.asl.parse import check, parse
from cirrus.asl.results import result_files
from cirrus.asl.run import Clock, RealClock, Result, TaskError, VirtualClock, run

__all__ = [
    "Abort",
    "CancelTask",
    "CancelTimer",
    "Clock",
    "Command",
    "End",
    "Event",
    "Machine",
    "ReadItems",
    "RealClock",
    "Record",
    "Result",
    "RunTask",
    "SetTimer",
    "Snapshot",
    "Start",
    "TaskError",
    "TaskFailed",
    "TaskHeartbeat",
    "TaskSubmitted",
    "TaskSucceeded",
    "Text",
    "TimerFired",
    "VirtualClock",
    "WriteResults",
    "answer_to_json",
    "check",
    "event_from_json",
    "event_to_json",
    "parse",
    "pending",
    "result_files",
    "run",
    "start_to_json",
    "step",
]
