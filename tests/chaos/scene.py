"""The project of a chaos run: tasks that note every start and end, workflows of every kind, and their payloads."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOTES = "notes.ndjson"
AGAIN = [{"ErrorEquals": ["Runtime.ExitError", "Flaky"], "IntervalSeconds": 1, "MaxAttempts": 50, "BackoffRate": 1}]
TASKS = """
import hashlib, json, os, pathlib, time
from stactask.exceptions import InvalidInput

class Flaky(Exception):
    pass

def _note(kind, run, key):
    line = {"kind": kind, "run": run, "payload": os.environ["CIRRUS_PAYLOAD_ID"],
            "execution": os.environ["CIRRUS_EXECUTION_ID"], "state": os.environ["CIRRUS_STATE"],
            "attempt": int(os.environ["CIRRUS_ATTEMPT"]), "key": key,
            "at": time.clock_gettime(time.CLOCK_REALTIME)}
    file = os.open("notes.ndjson", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, json.dumps(line).encode() + b"\\n")
    os.close(file)

def _run(payload, seconds=0.0, change=None):
    run, key = os.urandom(8).hex(), payload.get("key", 0)
    _note("start", run, key)
    if seconds:
        time.sleep(seconds)
    if change is not None:
        change(payload)
    payload = {**payload, "runs": [*payload.get("runs", []), run], "run": run}
    _note("end", run, key)
    return payload

def step(payload):
    return _run(payload)

def slow(payload):
    return _run(payload, 0.05)

def flaky(payload):
    def first(_):
        name = os.environ["CIRRUS_EXECUTION_ID"] + os.environ["CIRRUS_STATE"] + str(payload.get("key", 0))
        pathlib.Path("marks").mkdir(exist_ok=True)
        try:
            os.close(os.open("marks/" + hashlib.sha256(name.encode()).hexdigest(), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        raise Flaky("the first time")
    return _run(payload, change=first)

def publish(payload):
    def stamp(_):
        for item in payload["features"]:
            item["properties"] = {**item.get("properties", {}), "datetime": "2024-05-01T00:00:00Z",
                                  "version": item.get("properties", {}).get("version", 0) + 1}
    return _run(payload, change=stamp)

def gather(parts):
    first = parts["parts"][0]
    return _run({**first, "runs": [run for part in parts["parts"] for run in part["runs"]], "key": 0})

def never(payload):
    def fail(_):
        raise ValueError("this one always fails")
    return _run(payload, change=fail)

def refuse(payload):
    def fail(_):
        raise InvalidInput("this one is wrong")
    return _run(payload, change=fail)
"""
NAMES = ("step", "slow", "flaky", "publish", "gather", "never", "refuse")


def task(name: str, **more: Any) -> dict[str, Any]:
    """A Task state that tries again what was killed or failed the first time."""
    parameters = {"FunctionName": f"${{{name}}}", "Payload.$": "$"}
    end = {} if "Next" in more else {"End": True}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": parameters}
    return {**state, "OutputPath": "$.Payload", "Retry": AGAIN, **end, **more}


def _branch(name: str, key: int) -> dict[str, Any]:
    keyed = {"Type": "Pass", "Result": key, "ResultPath": "$.key", "Next": f"do-{name}"}
    return {"StartAt": f"key-{name}", "States": {f"key-{name}": keyed, f"do-{name}": task(name)}}


def workflows() -> dict[str, dict[str, Any]]:
    """The state machines by name."""
    gathering = {"Type": "Pass", "Parameters": {"parts.$": "$"}, "Next": "join"}
    join = task("gather", Next="out")
    each = {
        "StartAt": "one",
        "States": {"one": task("flaky", Next="two"), "two": task("step")},
    }
    mapped = {
        "Type": "Map",
        "ItemsPath": "$.keys",
        "ItemSelector": {
            "key.$": "$$.Map.Item.Value",
            "runs": [],
            "features.$": "$.features",
            "process.$": "$.process",
        },
        "ItemProcessor": each,
        "Next": "gathering",
    }
    keys = {"Type": "Pass", "Result": [0, 1, 2, 3], "ResultPath": "$.keys", "Next": "each"}
    branches = [_branch("flaky", 1), _branch("slow", 2)]
    inner = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "arn:aws:states:local:000000000000:stateMachine:inner", "Input.$": "$"},
        "OutputPath": "$.Output",
        "Next": "out",
    }
    return {
        "straight": {
            "StartAt": "a",
            "States": {"a": task("step", Next="b"), "b": task("flaky", Next="out"), "out": task("publish")},
        },
        "fan": {
            "StartAt": "both",
            "States": {
                "both": {
                    "Type": "Parallel",
                    "Branches": branches,
                    "Next": "gathering",
                },
                "gathering": gathering,
                "join": join,
                "out": task("publish"),
            },
        },
        "many": {
            "StartAt": "keys",
            "States": {
                "keys": keys,
                "each": mapped,
                "gathering": gathering,
                "join": join,
                "out": task("publish"),
            },
        },
        "pause": {
            "StartAt": "a",
            "States": {
                "a": task("step", Next="wait"),
                "wait": {"Type": "Wait", "Seconds": 1, "Next": "b"},
                "b": task("slow", Next="out"),
                "out": task("publish"),
            },
        },
        "inner": {"StartAt": "in-a", "States": {"in-a": task("flaky", Next="in-b"), "in-b": task("step")}},
        "outer": {
            "StartAt": "a",
            "States": {"a": task("step", Next="inner"), "inner": inner, "out": task("publish")},
        },
        "never": {"StartAt": "a", "States": {"a": task("step", Next="b"), "b": task("never")}},
        "refuse": {"StartAt": "a", "States": {"a": task("refuse")}},
        "last": {"StartAt": "a", "States": {"a": task("step", Next="out"), "out": task("publish")}},
    }


@dataclass(frozen=True, slots=True)
class Expected:
    """How a payload must end, after how many recorded steps, and the version of its Item that it publishes."""

    state: str
    steps: int = 0
    version: int = 0


STEPS = {"straight": 3, "fan": 4, "many": 10, "pause": 3, "outer": 4, "last": 2}


def write(folder: Path, lease: float) -> None:
    """The project in a folder."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "workflows").mkdir()
    (folder / "tasks" / "steps.py").write_text(TASKS)
    tables = "".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in NAMES)
    local = f'[deployments.local]\nlease = "{lease}s"\nmax_running = 60\nevents_file = "events.ndjson"\n'
    (folder / "cirrus.toml").write_text(f'[project]\nname = "chaos"\n{tables}{local}')
    for name, definition in workflows().items():
        (folder / "workflows" / f"{name}.asl.json").write_text(json.dumps(definition))


def payloads(number: int, seed: int) -> tuple[list[dict[str, Any]], dict[str, Expected]]:
    """Payloads to submit, and every payload that must come of them (those of the chains too) by id."""
    dice = random.Random(seed)
    given: list[dict[str, Any]] = []
    expected: dict[str, Expected] = {}
    for n in range(number):
        workflow = dice.choice(["straight", "straight", "fan", "many", "pause", "outer", "never", "refuse"])
        one, more = _payload(n, workflow, chained=dice.random() < 0.4)
        given.append(one)
        expected |= more
    return given, expected


def _payload(number: int, workflow: str, chained: bool) -> tuple[dict[str, Any], dict[str, Expected]]:
    item = f"i{number:06d}"
    process: list[Any] = [{"workflow": workflow}]
    if workflow in ("never", "refuse"):
        state = "FAILED" if workflow == "never" else "INVALID"
        expected = {f"chaos/workflow-{workflow}/{item}": Expected(state)}
    else:
        expected = {f"chaos/workflow-{workflow}/{item}": Expected("COMPLETED", STEPS[workflow], 1)}
        if chained and number % 2:
            process.append([{"workflow": "last"}, {"workflow": "pause", "collections": "branch"}])
            expected[f"chaos/workflow-last/{item}"] = Expected("COMPLETED", STEPS["last"], 2)
            expected[f"branch/workflow-pause/{item}"] = Expected("COMPLETED", STEPS["pause"], 2)
        elif chained:
            process += [{"workflow": "last"}, {"workflow": "last", "collections": "end"}]
            process[-1]["chain_filter"] = "@.properties.version == 2"
            expected[f"chaos/workflow-last/{item}"] = Expected("COMPLETED", STEPS["last"], 2)
            expected[f"end/workflow-last/{item}"] = Expected("COMPLETED", STEPS["last"], 3)
    features = [{"type": "Feature", "id": item, "collection": "chaos", "properties": {}, "links": [], "assets": {}}]
    return {"type": "FeatureCollection", "features": features, "process": process}, expected
