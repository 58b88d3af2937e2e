"""`process` and streams: a pipe that stays open, and documents larger than memory should be."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.e2e.conftest import CIRRUS, Project, payload, task_state

M = ("manage", "local")


@pytest.fixture
def made(project: Project) -> Project:
    project.write("cirrus.toml", '[project]\nname = "t"\n[tasks.same]\nhandler = "tasks.t:same"\n')
    project.write("tasks/t.py", "def same(payload):\n    return payload\n")
    project.workflow("w", {"StartAt": "same", "States": {"same": task_state("same")}})
    return project


def test_what_trickles_in_is_queued_while_the_pipe_stays_open(made: Project) -> None:
    with subprocess.Popen(
        [*CIRRUS, *M, "process"], cwd=made.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        for n in range(3):
            process.stdin.write(json.dumps(payload("w", f"a{n}")).encode() + b"\n")
            process.stdin.write(b'{"id": "half')
            process.stdin.flush()
            told = json.loads(process.stdout.readline())  # an answer, though the next line has only begun
            assert told == {"payload_id": f"test/workflow-w/a{n}", "result": "queued"}
            assert json.loads(made.ok(*M, "summary", "--raw"))["queued"] == n + 1
            process.stdin.write(b'"}\n')
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["result"] == "rejected"
        process.stdin.close()
        assert process.wait(60) == 1
