"""Driving executions that come to a good end, large and wide ones too."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.core.state import State
from cirrus.flow import query
from cirrus.testing.builders import document
from cirrus.testing.home import machine, task
from tests.unit.driving import (
    Counted,
    P,
    Payload,
    broken,
    echo,
    kinds,
    output,
    published,
    start,
    state,
)


def test_run_to_the_end() -> None:
    control = start({"w": machine("one", "two")}, {"one": echo, "two": published})
    control.run()
    record = query.record(control.home, P)
    assert (record.state, record.outputs, record.last_error) == (State.COMPLETED, ("s3://out/a.json",), None)
    assert output(control.home)["features"][0]["id"] == "a"
    assert kinds(control.home) == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"]
    last = control.home.state_db.events()[-1][1]
    assert control.home.payloads.get(str(last.output_payload_url)) == query.output_payload(control.home, record)
    assert len(control.driver) == 0
    found = query.execution(control.home, payload_id=P)
    assert query.describe(control.home, found)["status"] == "SUCCEEDED"
    history = [event["type"] for event in query.history(control.home, found)]
    assert (history[0], history[-1]) == ("ExecutionStarted", "ExecutionSucceeded")


def test_many_run_beside_each_other() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted}, *[document(f"s{n}") for n in range(300)])
    control.run()
    assert counted.runs == 300
    assert control.home.state_db.count() == {"scenes_w": {State.COMPLETED: 300}}


@pytest.mark.parametrize("size", [119_000, 121_000, 3_000_000])
def test_oversized_payloads_travel_by_url_and_tasks_see_payloads(size: int) -> None:
    seen: list[Payload] = []

    def grow(payload: Payload) -> Payload:
        seen.append(payload)
        return {**payload, "grown": "y" * size}

    control = start({"w": machine("one", "two")}, {"one": grow, "two": grow}, document("a", filler="x" * size))
    control.run()
    assert state(control.home) is State.COMPLETED
    assert [one["filler"] for one in seen] == ["x" * size] * 2
    assert output(control.home)["grown"] == "y" * size
    record = query.record(control.home, P)
    assert json.loads(query.input_payload(control.home, record))["filler"] == "x" * size
    entries = control.home.journal.read(record.executions[0])
    assert all(len(entry.event) < 300_000 for entry in entries)


def test_payload_of_thousands_of_items() -> None:
    control = start({"w": machine("t")}, {"t": published}, document(*[f"s{n:04}" for n in range(5000)]))
    control.run()
    (record,) = control.home.state_db.page(query.Query(), 9).records
    assert (record.state, len(record.outputs)) == (State.COMPLETED, 5000)


def test_parallel_runs_every_branch() -> None:
    def branch(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: task(name)}}

    first, second = Counted(), Counted()
    both = {"Type": "Parallel", "Branches": [branch("x"), branch("y")], "Next": "pick"}
    pick = {"Type": "Pass", "InputPath": "$[1]", "End": True}
    control = start({"w": machine(both=both, pick=pick)}, {"x": first, "y": second})
    turn = control.turn()
    assert len(turn.start) == 2
    control.run()
    assert (state(control.home), first.runs, second.runs) == (State.COMPLETED, 1, 1)


def wide(**fields: Any) -> dict[str, Any]:
    """A machine that maps a task over the numbers that another makes, and gives its own input on."""
    inner = {**task("t"), "End": True}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": "I", "States": {"I": inner}}
    over = {"Type": "Map", "ItemsPath": "$.numbers", "ItemSelector": {"n.$": "$$.Map.Item.Value"}, "ResultPath": None}
    mapped = {**over, "ItemProcessor": processor, "Next": "last", **fields}
    return machine(numbers=task("numbers", Next="m"), m=mapped, last=task("last"))


def test_a_map_over_twenty_thousand_items() -> None:
    counted = Counted()
    control = start(
        {"w": wide()}, {"numbers": lambda given: {**given, "numbers": list(range(20_000))}, "t": counted, "last": echo}
    )
    most = 0
    while len(control.driver) or not counted.runs:
        most = max(most, len(control.turn().start))
    assert (state(control.home), counted.runs) == (State.COMPLETED, 20_000)
    assert most <= 1_000


def test_a_wide_map_that_fails_stops_all_its_tasks() -> None:
    control = start(
        {"w": wide(MaxConcurrency=10_000)},
        {"numbers": lambda given: {**given, "numbers": list(range(10_000))}, "t": broken, "last": echo},
    )
    control.run()
    assert query.record(control.home, P).last_error == (
        "States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded"
    )
    assert control.driver.size == 0
