"""Projects to be deployed: one with everything that a template knows, and a small one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

INVOKE = "arn:aws:states:::lambda:invoke"
EVERYTHING = """
[project]
name = "sentinel"

[tasks.to-stac]
handler = "tasks.mine:to_stac"
timeout = "5m"
memory = "2GiB"
concurrency = 4
env = { GDAL_CACHEMAX = "512" }
buckets = ["scenes", "partner"]
policies = ["arn:aws:iam::123456789012:policy/extra"]

[tasks.boxed]
handler = "tasks.mine:boxed"
image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/boxed:3"

[tasks.heavy]
command = ["heavy", "{input}", "{output}"]
cpu = 4
memory = "20GiB"
timeout = "3h"

[tasks.cheap]
handler = "tasks.mine:boxed"
cpu = 0.25
spot = true

[tasks.neural]
handler = "tasks.mine:boxed"
cpu = 4
gpu = 1
memory = "16GiB"
image = "public.ecr.aws/mine/neural:1"

[tasks.neural-spot]
handler = "tasks.mine:boxed"
gpu = 1
spot = true

[buckets.scenes]
region = "eu-central-1"
[buckets.partner]
secret = "secretsmanager"

[deployments.prod]
home = "aws"
region = "eu-central-1"
image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/tasks:1"
subnets = ["subnet-0a1b2c3d4e5f60718"]
security_groups = ["sg-0a1b2c3d4e5f60718"]
alarm_email = "me@example.com"
api = "public"
permissions_boundary = "arn:aws:iam::123456789012:policy/boundary"
tags = { team = "eo" }
"""
SMALL = """
[project]
name = "small"

[tasks.hello]
handler = "tasks.mine:hello"

[deployments.prod]
home = "aws"
python = "3.11"
"""


def job(task: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {
            "JobName": task,
            "JobQueue": "any",
            "JobDefinition": f"${{{task}}}",
            "Parameters": {"url.$": "$.url", "url_out.$": "$.url_out"},
        },
    }


def call(task: str) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": INVOKE,
        "Parameters": {"FunctionName": f"${{{task}}}", "Payload.$": "$"},
        "OutputPath": "$.Payload",
    }


def chain(*states: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in states]
    linked = {
        name: {**state, **({"Next": following} if following else {"End": True})}
        for (name, state), following in zip(states, [*names[1:], None], strict=True)
    }
    return {"StartAt": names[0], "States": linked}


def nested(name: str) -> dict[str, Any]:
    arn = f"arn:aws:states:local:000000000000:stateMachine:{name}"
    parameters = {"StateMachineArn": arn, "Input.$": "$"}
    return {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": parameters}


def everything(folder: Path) -> Path:
    """A project with everything that a template knows."""
    jobs = [step for name in ("heavy", "cheap", "neural", "neural-spot") for step in around(name)]
    mapped = {
        "Type": "Map",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            **chain(("stac", call("to-stac"))),
        },
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:listObjectsV2",
            "Parameters": {"Bucket": "scenes", "Prefix": "in/"},
        },
    }
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:local:000000000000:activity:approve",
        "TimeoutSeconds": 60,
    }
    told = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {
            "QueueUrl": "https://sqs.eu-central-1.amazonaws.com/123456789012/heard",
            "MessageBody.$": "$",
        },
    }
    return write(
        folder,
        EVERYTHING,
        {
            "cog": chain(("to-stac", call("to-stac")), ("box", call("boxed")), ("publish", call("publish"))),
            "batch": chain(*jobs),
            "outer": chain(("inner", nested("cog")), ("map", mapped), ("wait", waiting), ("tell", told)),
        },
    )


def around(task: str) -> list[tuple[str, dict[str, Any]]]:
    return [(f"pre-{task}", call("pre-batch")), (task, job(task)), (f"post-{task}", call("post-batch"))]


def small(folder: Path, more: str = "") -> Path:
    """A project of one task and one workflow."""
    return write(folder, SMALL + more, {"greet": chain(("hello", call("hello")))})


def write(folder: Path, settings: str, workflows: dict[str, dict[str, Any]]) -> Path:
    (folder / "workflows").mkdir(parents=True)
    (folder / "tasks").mkdir()
    (folder / "cirrus.toml").write_text(settings)
    (folder / "tasks/mine.py").write_text("def hello(payload):\n    print('hello')\n    return payload\n")
    for name, definition in workflows.items():
        (folder / f"workflows/{name}.asl.json").write_text(json.dumps(definition))
    return folder
