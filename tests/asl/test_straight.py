"""The straight way from a plain Task to the next gives what the long way gives, which is the one that records."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus.asl import (
    End,
    Event,
    RunTask,
    SetTimer,
    Start,
    TaskFailed,
    TaskSucceeded,
    Text,
    TimerFired,
    parse,
    pending,
    step,
)
from cirrus.asl.execution import whole
from cirrus.asl.machine import straight
from tests.asl.builders import CONTEXT, chain, task, without_records

RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 9}]
STATES: tuple[dict[str, Any], ...] = (
    task(),
    task(Retry=RETRY),
    task(TimeoutSeconds=5),
    task(ResultPath="$.a"),
    task(ResultPath=None),
    task(OutputPath="$.a"),
    task(ResultSelector={"a.$": "$"}),
    task(Parameters={"a.$": "$"}),
    task(Assign={"v.$": "$"}),
    {"Type": "Pass"},
    {"Type": "Wait", "Seconds": 1},
    {"Type": "Parallel", "Branches": [{"StartAt": "X", "States": {"X": {**task(), "End": True}}}]},
)
OUTPUTS: tuple[Any, ...] = (Text(b'{"a":1}'), Text(b"[1]"), Text(b"7"), Text(b" {}"), {"a": 2}, None, Text(b"{" * 9))


def line(states: list[dict[str, Any]]) -> dict[str, Any]:
    """A machine of these states, one after another."""
    named = (json.dumps(state).replace('"X"', f'"X{number}"') for number, state in enumerate(states))
    return chain(**{f"S{number}": json.loads(state) for number, state in enumerate(named)})


def both(machine: Any, state: Any, event: Event) -> tuple[Any, tuple[Any, ...]]:
    """The step by either way, which come to the same."""
    short, commands = step(machine, state, event)
    long, recorded = step(machine, state, event, record=True)
    assert whole(short) == whole(long)
    assert pending(short) == pending(long)
    assert list(commands) == without_records(recorded)
    return short, commands


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from(STATES), min_size=1, max_size=5),
    st.lists(st.sampled_from((*OUTPUTS, "failed")), max_size=12),
    st.sampled_from(({}, {"TimeoutSeconds": 100})),
)
def test_both_ways_come_to_the_same(states: list[dict[str, Any]], answers: list[Any], more: dict[str, Any]) -> None:
    machine = parse({**line(states), **more})
    state, commands = both(machine, None, Start(0.0, 1, Text(b'{"a":{"a":1}}'), CONTEXT))
    at = 0.0
    for answer in answers:
        asked = [command for command in commands if isinstance(command, RunTask | SetTimer)]
        if not asked:
            break
        at += 0.25
        ref = asked[0].ref
        came: Event = TaskSucceeded(at, 2, ref, answer)
        if isinstance(asked[0], SetTimer):
            came = TimerFired(at, 2, ref)
        elif answer == "failed":
            came = TaskFailed(at, 2, ref, "Wrong", None)
        state, commands = both(machine, state, came)


@pytest.mark.parametrize("follows", [1, 0])
def test_plain_tasks_go_the_straight_way(follows: int) -> None:
    machine = parse(line([task()] * (1 + follows)))
    state, (asked,) = step(machine, None, Start(0.0, 1, Text(b"{}"), CONTEXT))
    assert isinstance(asked, RunTask)
    found = straight(machine, state, TaskSucceeded(1.0, 2, asked.ref, Text(b'{"a":1}')))
    assert found is not None
    assert isinstance(found[1][0], RunTask if follows else End)


def test_output_that_is_too_large_goes_the_long_way_and_fails() -> None:
    machine = parse(line([task(), task()]))
    state, (asked,) = step(machine, None, Start(0.0, 1, Text(b"{}"), CONTEXT))
    assert isinstance(asked, RunTask)
    _, (end,) = both(machine, state, TaskSucceeded(1.0, 2, asked.ref, Text(b'{"a":"' + b"x" * 300_000 + b'"}')))
    assert isinstance(end, End)
    assert end.error == "States.DataLimitExceeded"
