"""Execution ids: the same attempt at the same payload always has the same one, so a second start is no second run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import NAMESPACE_URL

_REDRIVEN = "#"  # which names of executions cannot hold
ACCOUNT = "arn:aws:states:local:000000000000"
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@dataclass(frozen=True, slots=True)
class Arns:
    """How state machines and executions are named: `base` is the ARN of a state machine without its name."""

    base: str = f"{ACCOUNT}:stateMachine:"

    def state_machine(self, workflow: str) -> str:
        """The ARN of a workflow's state machine."""
        return f"{self.base}{workflow}"

    def execution(self, workflow: str, execution_id: str) -> str:
        """The ARN of an execution."""
        return _arn(self.base, workflow) + execution_id

    def shown(self, workflow: str, execution_id: str) -> str:
        """What a person opens: the console's page of an execution on AWS, else its ARN."""
        return _page(self.base, workflow) + execution_id


@lru_cache(1024)
def _arn(base: str, workflow: str) -> str:
    """The ARN of an execution, up to its id."""
    return f"{base.replace(':stateMachine:', ':execution:')}{workflow}:"


@lru_cache(1024)
def _page(base: str, workflow: str) -> str:
    """What a person opens, up to the id of the execution."""
    arn = _arn(base, workflow)
    _, partition, _, region, account = arn.split(":")[:5]
    if region == "local" or account == "local":
        return arn
    host = _CONSOLES.get(partition, "console.aws.amazon.com")
    return f"https://{region}.{host}/states/home?region={region}#/v2/executions/details/{arn}"


LOCAL = Arns()


def next_execution_id(payload_id: str, earlier: Sequence[str]) -> str:
    """The id of the execution after the `earlier` ones (their ids, oldest first)."""
    text = f"{payload_id}/{json.dumps(list(earlier)) if earlier else '[]'}"
    digits = hashlib.sha1(NAMESPACE_URL.bytes + text.encode(), usedforsecurity=False).hexdigest()
    variant = f"{int(digits[16], 16) & 3 | 8:x}"  # a UUID of version 5, as uuid5 makes it, but sooner
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"


def numbered(execution_id: str, redrives: int) -> str:
    """An execution as far as it has come: its id, and how often it went on after an end, where it did."""
    return f"{execution_id}{_REDRIVEN}{redrives}" if redrives else execution_id


def unnumbered(run: str) -> str:
    """The execution id of what `numbered` gives."""
    return run.partition(_REDRIVEN)[0]


def execution_arn(workflow: str, execution_id: str) -> str:
    """The ARN of an execution of the local and cluster homes."""
    return LOCAL.execution(workflow, execution_id)


def state_machine_arn(workflow: str) -> str:
    """The ARN of a workflow's state machine in the local and cluster homes."""
    return LOCAL.state_machine(workflow)


def from_arn(arn: str) -> str:
    """The execution id of an ARN, or of a bare id."""
    return arn.rpartition(":")[2]
