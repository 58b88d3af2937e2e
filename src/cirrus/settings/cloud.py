"""What `cirrus.toml` says of a deployment on AWS, and of what a task needs there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cirrus.core.throttle import Throttle
from cirrus.errors import ConfigError
from cirrus.settings import values
from cirrus.settings.values import Setting

LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LONGEST_FUNCTION = 900
SMALLEST_FUNCTION, LARGEST_FUNCTION = 128, 10_240
_ROLE = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/\S+")
_TOPIC = re.compile(r"arn:aws[\w-]*:sns:[\w-]+:\d{12}:\S+")
_IMAGE = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)+([:@][\w.:-]+)?")
_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/\s]+)*/?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}")


def _matching(pattern: re.Pattern[str], expected: str) -> Any:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(expected)
        return value

    return _shaped(read, {"type": "string", "pattern": f"^(?:{pattern.pattern})$"})


def _one_of(*known: Any) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, bool) or value not in known:
            raise ValueError(f"one of {', '.join(map(str, known))}")
        return value

    return _shaped(read, {"enum": list(known)})


def _many(pattern: re.Pattern[str], expected: str) -> Any:
    def read(value: Any) -> tuple[str, ...]:
        found = values.names(value)
        if not all(pattern.fullmatch(one) for one in found):
            raise ValueError(expected)
        return found

    items = {"type": "string", "pattern": f"^(?:{pattern.pattern})$"}
    return _shaped(read, {"type": "array", "items": items})


def _shaped(read: Any, shape: dict[str, Any]) -> Any:
    """A reader that tells the JSON Schema of what it reads."""
    read.shape = shape
    return read


def _cores(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 192:
        raise ValueError("a number of virtual cores such as 4 or 0.5")
    return float(value)


image = _matching(_IMAGE, "the URI of an image, such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/mine:1,")
policies = _many(_ROLE, "an array of ARNs of managed policies")

CLOUD = (
    Setting("stack", _matching(_NAME, "1 to 41 letters, digits and '-', a letter first,"), None,
            "on AWS: the name of its stack, and what names of its resources begin with; `<project>-<deployment>`"),
    Setting("payloads", _matching(_PLACE, "s3://bucket or s3://bucket/prefix"), None,
            "on AWS: a bucket of yours for payloads, such as `s3://bucket/prefix`; one is made"),
    Setting("artifacts", values.text, None, "on AWS: a bucket of yours for code and templates; one is made"),
    Setting("python", _one_of(*PYTHONS), "3.13", "on AWS: the Python of its functions"),
    Setting("architecture", _one_of("x86_64", "arm64"), "x86_64", "on AWS: `x86_64` or `arm64`"),
    Setting("requirements", values.text, None,
            "on AWS: the file of what tasks need from PyPI; `requirements.txt` if there is one"),
    Setting("image", image, None, "on AWS: the image that tasks run in; a zip file is made"),
    Setting("function_memory", values.size, 1_073_741_824, "on AWS: the memory of a task's function that names none"),
    Setting("function_timeout", values.duration, 900.0, "on AWS: the time of a task's function that names none"),
    Setting("process_at_once", values.count, 20, "on AWS: at most so many calls of `process` at once, from 2 up"),
    Setting("subnets", _many(re.compile(r"subnet-[0-9a-f]{8,17}"), 'an array of subnets, such as ["subnet-0a1b2c3d"]'),
            (), "on AWS: the subnets of Batch"),
    Setting("security_groups", _many(re.compile(r"sg-[0-9a-f]{8,17}"), 'an array of groups, such as ["sg-0a1b2c3d"]'),
            (), "on AWS: the security groups of Batch"),
    Setting("public_ip", values.flag, False, "on AWS: gives Batch jobs public addresses: for subnets without NAT"),
    Setting("most_cores", values.count, 256, "on AWS: at most so many virtual cores in each environment of Batch"),
    Setting("gpu_instances", values.names, ("g4dn", "g5"), "on AWS: the instance types of Batch jobs with a GPU"),
    Setting("log_days", _one_of(*LOG_DAYS), 30, "on AWS: how many days logs are kept"),
    Setting("api", _one_of("off", "iam", "public"), "iam", "on AWS: who may ask the API: `off`, `iam` or `public`"),
    Setting("alarm_topic", _matching(_TOPIC, "the ARN of a topic"), None, "on AWS: a topic of yours that alarms go to"),
    Setting("alarm_email", _matching(re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"), "an address"), None,
            "on AWS: an address that alarms are mailed to"),
    Setting("permissions_boundary", _matching(_ROLE, "the ARN of a managed policy"), None,
            "on AWS: the boundary of the permissions of every role"),
    Setting("lineage", values.flag, False, "on AWS: keep which executions were given and made which Items"),
    Setting("keep_events", values.flag, False,
            "on AWS: keep events, for `retention.events` or for ever, so that `events` and `explain` show them"),
    Setting("keep_deliveries", values.flag, False,
            "on AWS: keep what was sent on the ledger, for `retention.deliveries` or for ever"),
    Setting("attention_index", values.flag, False,
            "on AWS: an index of the records that failed, are invalid or were aborted, for queries across workflows"),
    Setting("vocabulary", _one_of("COMPLETED", "SUCCEEDED"), "COMPLETED", "on AWS: the word for a good end"),
    Setting("tags", values.texts, {}, "on AWS: tags of everything that is made"),
)  # fmt: skip
TASK_CLOUD = (
    Setting(
        "cpu",
        _shaped(_cores, {"type": "number", "exclusiveMinimum": 0, "maximum": 192}),
        None,
        "on AWS: virtual cores; makes the task a Batch job",
    ),
    Setting("gpu", values.count, None, "on AWS: so many GPUs; makes the task a Batch job"),
    Setting("spot", values.flag, False, "on AWS: `true` runs the task as a Batch job on spot capacity"),
    Setting("image", image, None, "on AWS: the image that the task runs in; that of the deployment"),
    Setting("policies", policies, (), "on AWS: managed policies that the task's role has besides its own"),
)
LOCAL_ONLY = frozenset(
    [
        *(
            "root",
            "workers",
            "worker_attempts",
            "worker_age",
            "worker_memory",
            "max_running",
            "max_running_size",
            "drain",
            "lease",
        ),
        *("events_file", "events_webhook", "items_file", "items_webhook", "delivery_attempts", "catalog"),
    ]
)
"""Settings of a deployment that say nothing to AWS: what they are for is done by its services."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A deployment on AWS; `function_memory` in bytes, `function_timeout` in seconds."""

    stack: str = ""
    payloads: str | None = None
    artifacts: str | None = None
    python: str = "3.13"
    architecture: str = "x86_64"
    requirements: Path | None = None
    image: str | None = None
    function_memory: int = 1_073_741_824
    function_timeout: float = 900.0
    process_at_once: int = 20
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    public_ip: bool = False
    most_cores: int = 256
    gpu_instances: tuple[str, ...] = ("g4dn", "g5")
    log_days: int = 30
    api: str = "iam"
    alarm_topic: str | None = None
    alarm_email: str | None = None
    permissions_boundary: str | None = None
    lineage: bool = False
    attention_index: bool = False
    keep_events: bool = False
    keep_deliveries: bool = False
    vocabulary: str = "COMPLETED"
    tags: Mapping[str, str] = field(default_factory=dict)


def cloud(folder: Path, project: str, name: str, read: Mapping[str, Any]) -> Cloud:
    """A deployment on AWS of what its table says; ConfigError names what does not go together."""
    given = dict(read)
    problems = []
    given["stack"] = given["stack"] or re.sub(r"[^A-Za-z0-9]+", "-", f"{project}-{name}").strip("-")
    named = given["requirements"]
    file = folder / (named or "requirements.txt")
    given["requirements"] = file if file.is_file() else None
    if named and not file.is_file():
        problems.append(f"requirements: there is no file {named}")
    if given["process_at_once"] < 2:
        problems.append("process_at_once: a whole number from 2 up is expected: Lambda takes no less")
    if given["function_timeout"] > LONGEST_FUNCTION:
        problems.append("function_timeout: at most 15m is expected: Lambda takes no more; run longer tasks in Batch")
    if not SMALLEST_FUNCTION <= megabytes(given["function_memory"]) <= LARGEST_FUNCTION:
        problems.append("function_memory: 128MiB to 10GiB are expected: Lambda takes no other")
    if bool(given["subnets"]) != bool(given["security_groups"]):
        problems.append("subnets, security_groups: both are expected, or neither")
    if problems:
        raise ConfigError(name, problems)
    return Cloud(**given)


def is_stack(name: str) -> bool:
    """Whether a stack may be named so, and the names of its resources begin with it."""
    return _NAME.fullmatch(name) is not None


def misplaced(home: str, table: Mapping[str, Any]) -> Iterator[str]:
    """What a deployment's table says that its home does not know."""
    own = {one.name for one in CLOUD}
    for key, value in table.items():
        if home != "aws" and key in own:
            yield f"{key}: says something of home = 'aws' only"
        if home == "aws" and key in LOCAL_ONLY and not (key == "catalog" and value is False):
            yield f"{key}: says nothing where home = 'aws'"
    if home == "aws" and not str(table.get("data", "s3://")).startswith("s3://"):
        yield f"data: s3://bucket or s3://bucket/prefix is expected where home = 'aws', not {table['data']!r}"


def unkept(throttle: Throttle) -> Iterator[str]:
    """The limits of a project that a deployment on AWS does not keep, and what there is instead."""
    for name, limit in throttle.tasks.items():
        if limit.rate:
            yield f"tasks.{name}.rate: is not kept on AWS: limit the task by `concurrency`, or its workflows by `rate`"


def megabytes(size: int) -> int:
    """A size in bytes as Lambda and Batch count it, rounded up."""
    return -(-size // (1024 * 1024))
