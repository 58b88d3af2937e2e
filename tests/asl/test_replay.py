"""Replay: folding any prefix of any journal gives the same states and commands, whatever happened after it."""

from __future__ import annotations

import json
import tracemalloc
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl import (
    Abort,
    End,
    Event,
    Machine,
    ReadItems,
    RunTask,
    SetTimer,
    Snapshot,
    Start,
    TaskFailed,
    TaskHeartbeat,
    TaskSucceeded,
    TimerFired,
    event_from_json,
    event_to_json,
    parse,
    pending,
    step,
)
from cirrus.asl.execution import whole
from tests.asl.builders import CONTEXT, chain, fold, mapping, one, task, without_records

RETRY = [{"ErrorEquals": ["E"], "MaxAttempts": 2, "JitterStrategy": "FULL"}]
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Z"}]


def branch(name: str, state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": name, "States": {name: {**state, "End": True}}}


def distributed(path: str) -> dict[str, Any]:
    state = mapping(
        {"Type": "Wait", "Seconds": 1},
        mode="DISTRIBUTED",
        ItemsPath="$.items",
        ToleratedFailureCount=1,
        Catch=CATCH,
        ItemSelector={"u.$": "States.UUID()"},
        ResultPath=path,
    )
    processor = state["ItemProcessor"]
    return {**state, "ItemProcessor": {**processor, "StartAt": "K", "States": {"K": processor["States"]["I"]}}}


RICH = parse(
    {
        **chain(
            A=task(Retry=RETRY, Catch=CATCH, TimeoutSeconds=50, ResultPath="$.a"),
            P={
                "Type": "Parallel",
                "Branches": [
                    branch("X", task(Retry=RETRY)),
                    branch("Y", {"Type": "Wait", "Seconds": 5}),
                    branch(
                        "V",
                        {"Type": "Task", "Resource": "arn:aws:states:us-east-1:1:activity:a", "HeartbeatSeconds": 9},
                    ),
                ],
                "Catch": CATCH,
                "ResultPath": "$.p",
            },
            M={**mapping(task(Retry=RETRY), MaxConcurrency=2, ItemsPath="$.items", Catch=CATCH), "ResultPath": "$.m"},
            D=distributed("$.d"),
            J={
                "Type": "Pass",
                "QueryLanguage": "JSONata",
                "Output": {"r": "{% $random() %}", "u": "{% $uuid() %}", "i": "{% $states.input.a %}"},
            },
            Z={"Type": "Succeed"},
        ),
        "TimeoutSeconds": 10_000,
    }
)
RICH_INPUT = {"items": [1, 2, 3]}


def answer(command: Any, at: float, seed: int, luck: float) -> Event:
    """One thing that may happen to an outstanding command."""
    if isinstance(command, SetTimer):
        return TimerFired(max(at, command.at), seed, command.ref)
    if luck < 0.15:
        return TaskFailed(at, seed, command.ref, "E", "why")
    if luck < 0.2:
        return TaskFailed(at, seed, command.ref, "Other")
    if luck < 0.3:
        return TaskHeartbeat(at, seed, command.ref)
    return TaskSucceeded(at, seed, command.ref, {"n": seed} if not isinstance(command, ReadItems) else [1])


def live(machine: Machine, given: Any, seed: int, most: int = 200) -> list[Event]:
    """The journal of one random life: answers in any order, late and doubled ones among them."""
    random = Random(seed)
    events: list[Event] = [Start(1.0, random.getrandbits(32), given, CONTEXT)]
    state: Snapshot | None
    state, _ = step(machine, None, events[0])
    at = 1.0
    while state.status == "RUNNING" and len(events) < most:
        waiting = pending(state)
        calls = [command for command in waiting if not isinstance(command, SetTimer)]
        pool = calls if calls and random.random() < 0.9 else waiting
        at += random.random()
        command = random.choice(pool)
        event = answer(command, at, random.getrandbits(32), random.random())
        if random.random() < 0.01:
            event = Abort(at, random.getrandbits(32))
        events.append(event)
        state, _ = step(machine, state, event)
        if random.random() < 0.2:
            events.append(event)
            state, _ = step(machine, state, event)
    return events


@given(st.integers(0, 2**32))
def test_any_prefix_replays_to_the_same(seed: int) -> None:
    events = live(RICH, RICH_INPUT, seed)
    first = fold(RICH, events)
    again = fold(RICH, [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in events])
    assert first == again
    for number in (0, len(events) // 2, len(events) - 1):
        state, event = (first[number - 1][0] if number else None), events[number]
        assert step(RICH, state, event) == first[number], "a state was changed after it was given out"


@given(st.integers(0, 2**32))
def test_recording_changes_nothing_but_the_records(seed: int) -> None:
    events = live(RICH, RICH_INPUT, seed)
    plain, recorded = fold(RICH, events), fold(RICH, events, record=True)
    assert [state for state, _ in plain] == [state for state, _ in recorded]
    assert [list(commands) for _, commands in plain] == [without_records(commands) for _, commands in recorded]


@given(st.integers(0, 2**32))
def test_pending_is_what_was_asked_and_not_answered(seed: int) -> None:
    asked: dict[int, Any] = {}
    events = live(RICH, RICH_INPUT, seed)
    for event, (state, commands) in zip(events, fold(RICH, events), strict=True):
        if isinstance(event, TaskSucceeded | TaskFailed | TimerFired):
            asked.pop(event.ref, None)
        for command in commands:
            if isinstance(command, RunTask | SetTimer | ReadItems):
                assert command.ref not in asked
                asked[command.ref] = command
            elif not isinstance(command, End):
                assert asked.pop(command.ref, None) is not None  # type: ignore[union-attr]
        assert {command.ref: command for command in pending(state)} == asked


def test_the_history_is_counted_on_across_steps() -> None:
    events = live(RICH, RICH_INPUT, 4)
    told = [
        command.event
        for _, commands in fold(RICH, events, record=True)
        for command in commands
        if hasattr(command, "event")
    ]
    assert [event["id"] for event in told] == list(range(1, len(told) + 1))
    assert all(event["previousEventId"] < event["id"] for event in told)


@pytest.mark.parametrize(
    "event",
    [
        Start(1.5, 1, {"a": [1]}, CONTEXT),
        TaskSucceeded(1.5, 1, 2, None),
        TaskFailed(1.5, 1, 2, "E", None),
        TaskHeartbeat(1.5, 1, 2),
        TimerFired(1.5, 1, 2),
        Abort(1.5, 1, "E", "c"),
    ],
)
def test_events_go_through_json(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event


@pytest.mark.parametrize("entry", [{}, {"k": "nothing"}, {"k": "ok", "t": 1.0}])
def test_entries_that_are_no_events(entry: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="event"):
        event_from_json(entry)


def test_a_step_costs_the_same_late_in_a_wide_map() -> None:
    """Not timed: a step may only take so much memory, however many children live."""
    machine = parse(one(mapping(task(), mode="DISTRIBUTED", MaxConcurrency=9_999)), data_limit=10**8)
    state, commands = step(machine, None, Start(1.0, 1, list(range(12_000)), CONTEXT))
    assert len(commands) == 9_999
    event = TaskSucceeded(2.0, 2, commands[5_000].ref, 1)  # type: ignore[union-attr]  # a RunTask
    tracemalloc.start()
    after, following = step(machine, state, event)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000
    assert whole(state).nodes.count == whole(after).nodes.count
    assert step(machine, state, event) == (after, following)
