"""Execution ids: the same attempt at the same payload always has the same one, so a second start is no second run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import NAMESPACE_URL, uuid5

ACCOUNT = "arn:aws:states:local:000000000000"


def next_execution_id(payload_id: str, earlier: Sequence[str]) -> str:
    """The id of the execution after the `earlier` ones (their ids, oldest first)."""
    return str(uuid5(NAMESPACE_URL, f"{payload_id}/{json.dumps(list(earlier))}"))


def execution_arn(workflow: str, execution_id: str) -> str:
    """The ARN of an execution of the local and cluster homes."""
    return f"{ACCOUNT}:execution:{workflow}:{execution_id}"


def state_machine_arn(workflow: str) -> str:
    """The ARN of a workflow's state machine in the local and cluster homes."""
    return f"{ACCOUNT}:stateMachine:{workflow}"


def from_arn(arn: str) -> str:
    """The execution id of an ARN, or of a bare id."""
    return arn.rpartition(":")[2]
