"""The state machine engine: executions a second, microseconds a transition, and moto's interpreter beside it.

moto is measured only where it is installed: `pip install -e '.[bench]'`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import time
from collections.abc import Callable
from typing import Any

from benchmarks.figures import arguments, show
from cirrus.asl import Machine, Start, parse, run, step

FUNCTION = "arn:aws:lambda:us-east-1:111111111111:function:f"
ROUNDS = 5
CHAIN = {
    "StartAt": "A",
    "States": {
        "A": {"Type": "Pass", "Result": {"b": 1}, "ResultPath": "$.a", "Next": "B"},
        "B": {"Type": "Pass", "Parameters": {"x.$": "$.a.b", "y": "z"}, "Next": "C"},
        "C": {"Type": "Pass", "End": True},
    },
}
CHOICE = {
    "StartAt": "A",
    "States": {
        "A": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericGreaterThan": 5, "Next": "B"}],
            "Default": "B",
        },
        "B": {"Type": "Succeed"},
    },
}
JSONATA = {
    "QueryLanguage": "JSONata",
    "StartAt": "A",
    "States": {"A": {"Type": "Pass", "Output": "{% $states.input.n + 1 %}", "End": True}},
}


def mapping(inner: dict[str, Any], mode: str) -> dict[str, Any]:
    """A machine that is one Map."""
    config = {"Mode": mode, **({"ExecutionType": "STANDARD"} if mode == "DISTRIBUTED" else {})}
    processor = {"ProcessorConfig": config, "StartAt": "I", "States": {"I": {**inner, "End": True}}}
    return {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}}


def cpu(act: Callable[[], Any], count: int) -> float:
    """Seconds of CPU that one call takes, the best of a few rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(count):
            act()
        best = min(best, (time.process_time() - began) / count)
    return best


def steps(machine: Machine, given: Any) -> Callable[[], Any]:
    """One execution that ends in its first step."""
    start = Start(0.0, 1, given, {"Execution": {"Id": "e"}, "StateMachine": {"Id": "m"}})
    return lambda: step(machine, None, start)


def per_item(count: int) -> float:
    """Microseconds of CPU for each item of a distributed Map over a task."""
    machine = parse(mapping({"Type": "Task", "Resource": FUNCTION}, "DISTRIBUTED"), data_limit=10**9)
    items = list(range(count))
    rounds = max(1, 1_000 // count)
    tasks = {"f": lambda given: given}
    return cpu(lambda: run(machine, items, tasks=tasks, record=False), rounds) / count * 1e6


def moto_executions() -> float | None:
    """Executions of the Pass chain a second by moto's interpreter, or None without moto or what that needs."""
    if any(importlib.util.find_spec(name) is None for name in ("moto", "antlr4")):
        return None
    boto3, moto = importlib.import_module("boto3"), importlib.import_module("moto")
    os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="us-east-1")
    role = "arn:aws:iam::123456789012:role/unknown"
    with moto.mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(name="m", definition=json.dumps(CHAIN), roleArn=role)
        count, began = 30, time.perf_counter()
        for number in range(count):
            started = client.start_execution(
                stateMachineArn=machine["stateMachineArn"], name=f"e{number}", input='{"n": 1}'
            )
            while client.describe_execution(executionArn=started["executionArn"])["status"] == "RUNNING":
                time.sleep(0.0005)
        return count / (time.perf_counter() - began)


def main() -> None:
    """Measure, and print microseconds of CPU and executions a second."""
    given = arguments(__doc__)
    chain = cpu(steps(parse(CHAIN), {"n": 1}), 2_000)
    map_1000 = parse(mapping({"Type": "Pass"}, "INLINE"), data_limit=10**9)
    began, count = time.perf_counter(), 0
    machine = parse(CHAIN)
    while time.perf_counter() - began < 1:
        run(machine, {"n": 1}, record=False)
        count += 1
    executions = count / (time.perf_counter() - began)
    moto = moto_executions()
    figures: dict[str, Any] = {
        "us_per_pass_chain": chain * 1e6,
        "us_per_transition": chain * 1e6 / 3,
        "us_per_choice": cpu(steps(parse(CHOICE), {"n": 7}), 2_000) * 1e6,
        "us_per_jsonata": cpu(steps(parse(JSONATA), {"n": 7}), 500) * 1e6,
        "us_per_map_of_1000": cpu(steps(map_1000, list(range(1_000))), 5) * 1e6,
        "executions_s": executions,
        "moto_executions_s": moto,
        "times_moto": None if moto is None else executions / moto,
        "map_us_per_item": {str(items): per_item(items) for items in (10, 1_000, 100_000)},
    }
    show(figures, given.json)


if __name__ == "__main__":
    main()
