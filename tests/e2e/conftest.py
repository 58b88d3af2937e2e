"""A project in a fresh folder, and the command line as real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")
DEADLINE = 120.0


class Project:
    """A project of a test: its files, and `cirrus` run in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def workflow(self, name: str, definition: dict[str, Any]) -> None:
        self.write(f"workflows/{name}.asl.json", json.dumps(definition))

    def cirrus(
        self, *words: str, stdin: bytes = b"", timeout: float = DEADLINE, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*CIRRUS, *words],
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env=os.environ | (env or {}),
        )

    def ok(self, *words: str, stdin: bytes = b"") -> bytes:
        done = self.cirrus(*words, stdin=stdin)
        assert done.returncode == 0, (words, done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words))

    def lines(self, *words: str) -> list[Any]:
        return [json.loads(line) for line in self.ok(*words).splitlines()]

    def submit(self, *payloads: dict[str, Any]) -> None:
        self.ok("manage", "local", "process", stdin=b"\n".join(json.dumps(one).encode() for one in payloads) + b"\n")

    def drain(self) -> None:
        self.ok("up", "--until-idle")

    def states(self) -> dict[str, str]:
        return {one["payload_id"]: one["state"] for one in self.lines("manage", "local", "query")}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [*CIRRUS, *words], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.started.append(process)
        return process

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()


def until(condition: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What `condition` gives once it is true; fails when it has not come true in time."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return found


def task_state(name: str, **more: Any) -> dict[str, Any]:
    """A Task state that hands the whole input to a task and gives its payload on."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": f"${{{name}}}", "Payload.$": "$"},
        "OutputPath": "$.Payload",
        **({} if "Next" in more else {"End": True}),
        **more,
    }


def payload(workflow: str, *itemids: str, collection: str = "test", **definition: Any) -> dict[str, Any]:
    """A payload with bare Items of these ids."""
    features = [{"type": "Feature", "id": name, "collection": collection} for name in itemids]
    return {"type": "FeatureCollection", "features": features, "process": [{"workflow": workflow, **definition}]}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An empty project."""
    made = Project(tmp_path / "project")
    made.write("cirrus.toml", '[project]\nname = "test"\n')
    yield made
    made.close()
