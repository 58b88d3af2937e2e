"""What AWS Step Functions recorded: executions and judgements, where they lie beside the repository."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cirrus.asl import Machine, Text, VirtualClock, check, parse, run
from cirrus.asl.data import dump
from tests.asl.invalid import EXPRESS, INVALID

CASES = Path(__file__).parents[3] / "shared" / "asl-cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/asl-cases is not here")

LEVELS = ("status", "result", "cause", "events")


@cache
def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"asl_cases_{name}", CASES / f"{name}.py")
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def load(name: str) -> list[dict[str, Any]]:
    path = CASES / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def execute(
    case: dict[str, Any], machine: Machine | None = None, carry: Callable[[Any], Any] = lambda value: value
) -> dict[str, Any]:
    clock = VirtualClock()

    def timed(task: Any) -> Any:
        def call(given: Any) -> Any:
            clock.sleep(task.simulated_seconds)
            return carry(task(given))

        return call

    tasks = {name: timed(task) for name, task in module("lambdas").build(case["lambdas"]).items()}
    machine = machine or parse(case["definition"], machine_type=case.get("machine_type") or "STANDARD")
    result = run(machine, carry(case["input"]), tasks=tasks, clock=clock)
    return {
        "status": result.status,
        "output": result.output,
        "error": result.error,
        "cause": result.cause,
        "events": [event["type"] for event in result.events],
    }


@pytest.mark.parametrize("case", load("cases.jsonl"), ids=lambda case: case["id"])
def test_execution(case: dict[str, Any]) -> None:
    reached = module("compare").check(case, execute(case))
    assert [level for level in LEVELS if reached[level] is False] == []


@pytest.mark.parametrize("case", load("cases.jsonl"), ids=lambda case: case["id"])
def test_execution_with_texts(case: dict[str, Any]) -> None:
    assert execute(case, carry=lambda value: Text(dump(value))) == execute(case)


@pytest.mark.parametrize("case", load("static.jsonl"), ids=lambda case: case["id"])
def test_judgement(case: dict[str, Any]) -> None:
    findings = check(case["definition_text"], machine_type=case["machine_type"])
    errors = [finding for finding in findings if finding.severity == "ERROR"]
    assert (not errors) is case["valid"], [str(error) for error in errors]


def table() -> str:
    """How many recorded cases of each group the engine reaches at each level, as the reference shows it."""
    rows: dict[str, list[int]] = {}
    for case in load("cases.jsonl"):
        reached = module("compare").check(case, execute(case))
        row = rows.setdefault(case["group"], [0] * 6)
        row[0] += 1
        row[5] += reached["events"] is not None
        for at, level in enumerate(LEVELS, 1):
            row[at] += reached[level] is True
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    lines = ["| group | cases | status | result | cause | events |", "| --- | --- | --- | --- | --- | --- |"]
    for group in (*sorted(rows.keys() - {"all"}), "all"):
        total, status, result, cause, events, told = rows[group]
        lines.append(f"| {group} | {total} | {status} | {result} | {cause} | {events} of {told} |")
    return "\n".join(lines)


def test_the_reference_tells_the_counts() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "asl.md").read_text()
    assert table() in text
    valid = [case["valid"] for case in load("static.jsonl")]
    assert f"All {len(valid)} recorded definitions are judged as AWS judged them ({sum(valid)} valid" in text
    assert f"all {len(INVALID) + len(EXPRESS)} invalid definitions" in text
