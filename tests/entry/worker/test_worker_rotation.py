"""Credentials that change while attempts come and go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker_rig import eventually

from cirrus.adapters.local.pool import LocalPool
from cirrus.core.bucket import Access
from cirrus.core.grants import Grants
from cirrus.ports.compute import Outcome, TaskSpec
from cirrus.testing.compute import attempt, finish

TASK = """
import os
from cirrus.tasks import access

def keys(payload):
    print("opened with", access.storage_options("scenes"))
    if payload.get("leak"):
        return {"key": access.access("scenes").keys["aws_secret_access_key"]}
    return {"from": os.environ["AWS_ACCESS_KEY_ID"], "parent": os.getppid()}

def within(payload):
    return {"within": True}

def other(payload):
    return {"parent": os.getppid()}
"""


def granted(generation: int) -> Grants:
    keys = {"aws_access_key_id": f"access-key-{generation}", "aws_secret_access_key": f"secret-canary-{generation}"}
    access = Access("scenes", endpoint="http://127.0.0.1:9", region="eu-1", keys=keys)
    return Grants({"scenes": access}, {"keys": ("scenes",), "other": ()})


def test_the_next_attempts_have_the_credentials_that_have_changed(
    project: Path, pools: Callable[..., LocalPool]
) -> None:
    (project / "rotated.py").write_text(TASK)
    tasks = {name: TaskSpec(name, f"rotated:{name}", inline=name == "within") for name in ("keys", "other", "within")}
    changed: list[Grants] = []
    pool = pools(tasks, grants=granted(1), regrant=lambda: changed.pop() if changed else None)

    def one(task: str, **given: Any) -> Outcome:
        (outcome,) = finish(pool, [attempt(len(asked), task, **given)]).values()
        asked.append(task)
        return outcome

    def output(outcome: Outcome) -> dict[str, Any]:
        assert outcome.output is not None, outcome.cause
        found: dict[str, Any] = json.loads(outcome.output)
        return found

    asked: list[str] = []
    before, other = output(one("keys")), output(one("other"))
    assert before["from"] == "access-key-1"
    assert output(one("within")) == {"within": True}
    changed.append(granted(2))
    after = output(one("keys"))
    assert after["from"] == "access-key-2"
    assert output(one("within")) == {"within": True}
    assert output(one("other")) == other, "a task whose buckets have not changed keeps its workers"
    eventually(lambda: bool(one("keys")) and not Path(f"/proc/{before['parent']}").exists())

    told = one("keys")
    assert b"secret-canary" not in told.log
    assert b"***" in told.log
    assert one("keys", leak=True).error == "Cirrus.SecretInOutput"
