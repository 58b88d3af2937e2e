"""Migrating as many records as a deployment has: killed in between, run again, in bounded memory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.core.keys import input_key
from tests.aws.scene import make_scene
from tests.aws.test_existing import TIME, Existing

NUMBER = int(os.environ.get("CIRRUS_MIGRATE", "2000"))
MOST_MEGABYTES = 250


@pytest.fixture
def existing(dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Existing:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return Existing(make_scene(Clients()), "legacy-many")


def fill(existing: Existing, number: int) -> None:
    """Rows of version 2 that are not as they would be written today; a few of version 1, whose input is elsewhere."""
    client = existing.scene.clients("dynamodb")
    names = [f"{n:06d}" for n in range(number)]
    for start in range(0, number, 25):
        requests = []
        for name in names[start : start + 25]:
            arn = existing.scene.where.arns.execution("w", existing.execution(name))
            row = {
                "collections_workflow": {"S": f"{existing.mine}_w"},
                "itemids": {"S": name},
                "created": {"S": TIME},
                "updated": {"S": TIME},
                "state_updated": {"S": f"FAILED_{TIME}"},
                "executions": {"L": [{"S": arn}]},
            }
            requests.append({"PutRequest": {"Item": row}})
        client.batch_write_item(RequestItems={existing.table: requests})
    for name in names[:: max(1, number // 50)]:
        existing.put(f"{existing.id(name)}/input.json", {"id": existing.id(name)})


def migrating(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cirrus.entry.cli.main", "-p", str(folder), "manage", "legacy-many", "migrate"]
    return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def results(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    out, _ = process.communicate(timeout=900)
    return [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]


def peak(pid: int) -> float:
    """The most memory that a process has had, in megabytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def test_killed_and_run_again_it_does_the_rest_once(existing: Existing, tmp_path: Path) -> None:
    fill(existing, NUMBER)
    first = migrating(tmp_path, "--apply")
    assert first.stdout is not None
    done = [json.loads(first.stdout.readline()) for _ in range(NUMBER // 4)]
    most = peak(first.pid)
    first.send_signal(signal.SIGKILL)
    done += [json.loads(line) for line in first.stdout.read().splitlines() if line.endswith(b"}")]
    first.stdout.close()
    first.wait()
    assert all(one["result"] == "migrated" for one in done)

    began = time.monotonic()
    rest = results(migrating(tmp_path, "--apply"))
    rate = len(rest) / (time.monotonic() - began)
    assert all(one["result"] == "migrated" for one in rest)
    assert not {one["payload_id"] for one in done} & {one["payload_id"] for one in rest}
    assert NUMBER - 600 <= len(done) + len(rest) <= NUMBER  # what was written, but not told of, when it was killed
    assert results(migrating(tmp_path, "--apply")) == []
    moved = [one for one in (*done, *rest) if "input" in one.get("done", [])]
    known = moved[0]["payload_id"]
    key = input_key(existing.root, known, next_execution_id(known, []))
    assert existing.body(key) == {"id": known}
    assert most < MOST_MEGABYTES, most
    sys.stderr.write(f"{NUMBER} records, {rate:.0f} a second, {most:.0f} MB at most\n")
