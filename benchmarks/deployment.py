"""A project of three trivial steps with a control process that works its queue, for benchmarks to give work to."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.figures import environment, tree, tree_cpu, tree_mb

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")
TASK = "def same(payload):\n    return payload\n"
PROJECT = '[project]\nname = "throughput"\n[tasks.same]\nhandler = "tasks.same:same"\n'
SIZE = 6000
PATIENCE = 600.0


def make_project(folder: Path, *, inline: bool = False, catalog: bool = False) -> None:
    """A project whose workflow `three` is three steps that each give their payload back."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "workflows").mkdir()
    settings = PROJECT + ("inline = true\n" if inline else "")
    settings += "" if catalog else "[deployments.local]\ncatalog = false\n"
    (folder / "cirrus.toml").write_text(settings)
    (folder / "tasks" / "same.py").write_text(TASK)
    names = ("one", "two", "three")
    states = {
        name: {"Type": "Task", "Resource": "${same}", **({"Next": names[n + 1]} if n < 2 else {"End": True})}
        for n, name in enumerate(names)
    }
    (folder / "workflows" / "three.asl.json").write_text(json.dumps({"StartAt": "one", "States": states}))


def payload(name: str, size: int = SIZE) -> bytes:
    """A payload of about `size` bytes with one Item of that name."""
    properties = {"datetime": "2026-01-01T00:00:00Z", "text": (name * (size // len(name)))[: size - 260]}
    item = {"type": "Feature", "id": name, "collection": "bench", "geometry": None, "properties": properties}
    return json.dumps({"features": [item], "process": [{"workflow": "three"}]}).encode()


def payloads(prefix: str, count: int) -> list[bytes]:
    """So many payloads of their own ids."""
    return [payload(f"{prefix}-{number:08d}") for number in range(count)]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of payloads took, in seconds from the first submit, and used: our processes and the submitter."""

    seconds: float
    submitting: float
    cpu: float


class Deployment:
    """The local deployment of a project, with its database opened for reading."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self.peak_mb = 0.0

    def submit(self, texts: Iterable[bytes]) -> float:
        """Queue payloads by the command line; gives the seconds that it took."""
        began = time.perf_counter()
        words = [*CIRRUS, "manage", "local", "process"]
        text = b"\n".join(texts)
        done = subprocess.run(words, cwd=self.folder, input=text, env=environment(), capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"could not submit: {done.stderr.decode(errors='replace')[-2000:]}")
        return time.perf_counter() - began

    @cached_property
    def client(self) -> Any:
        """A client in this process, which has queued a payload already: the peers' submitters are warm too."""
        from cirrus import Client

        client = Client("local", project=self.folder)
        list(client.submit([payload(f"first-{time.time_ns()}")]))
        return client

    def queue(self, texts: Iterable[bytes]) -> float:
        """Queue payloads by the client; gives the seconds that it took."""
        client = self.client
        began = time.perf_counter()
        for one in client.submit(texts):
            if one.result != "queued":
                raise SystemExit(f"could not submit: {one.reason}")
        return time.perf_counter() - began

    def let_go(self) -> None:
        """Close what this process has open of the deployment, for another to write all of it."""
        if "client" in self.__dict__:
            self.client.home.unit.close()
            del self.client

    @contextmanager
    def up(self) -> Iterator[None]:
        """A control process whose workers are warm."""
        with self.working():
            self.queue([payload(f"warm-{time.time_ns()}-{n}") for n in range(20)])
            self.wait()
            yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """A control process, its memory watched."""
        with (self.folder / "up.log").open("wb") as log:
            self._running = subprocess.Popen([*CIRRUS, "up"], cwd=self.folder, env=environment(), stderr=log)
        self._stop.clear()
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._stop.set()
            watch.join()
            self._running.send_signal(signal.SIGTERM)
            try:
                self._running.wait(60)
            except subprocess.TimeoutExpired:
                print(f"cirrus up (pid {self._running.pid}) did not end on SIGTERM: killed", file=sys.stderr)
                self._running.kill()

    def run(self, texts: list[bytes]) -> Ran:
        """Submit to the control process that is up, and wait for the last terminal state."""
        assert self._running is not None
        before = tree_cpu(self._running.pid) + sum(os.times()[:2])
        began = time.time()
        submitting = self.queue(texts)
        self.wait()
        used = tree_cpu(self._running.pid) + sum(os.times()[:2]) - before
        return Ran(self.last_end() - began, submitting, used)

    def wait(self) -> None:
        """Until nothing is queued and nothing runs."""
        until = time.monotonic() + PATIENCE
        while self.value("SELECT EXISTS (SELECT 1 FROM messages) + EXISTS (SELECT 1 FROM executions" + _RUNNING + ")"):
            if time.monotonic() > until:
                raise SystemExit(f"not done in time:\n{(self.folder / 'up.log').read_text()[-2000:]}")
            time.sleep(0.1)  # nobody tells another process of an end, and to look all the time slows what is measured

    def last_end(self) -> float:
        """When the last record got its state, in seconds since the epoch."""
        return (
            float(self.value("SELECT max(stopped) FROM executions WHERE id > (SELECT max(id) FROM executions) - 99"))
            / 1e6
        )

    def completed(self) -> int:
        """How many executions have succeeded."""
        return int(self.value("SELECT count(*) FROM executions WHERE status = 'SUCCEEDED'"))

    def value(self, sql: str) -> Any:
        """The first value of a query."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as connection:
            found = connection.execute(sql).fetchone()
        connection.close()
        return found[0]

    @property
    def database(self) -> Path:
        """Its file."""
        return self.folder / ".cirrus" / "local" / "cirrus.db"

    def _watch(self) -> None:
        assert self._running is not None
        while not self._stop.wait(0.5) and tree(self._running.pid):
            self.peak_mb = max(self.peak_mb, tree_mb(self._running.pid))


_RUNNING = " INDEXED BY executions_running WHERE stopped IS NULL"


@contextmanager
def deployment(*, inline: bool = False, catalog: bool = False) -> Iterator[Deployment]:
    """A fresh deployment in a folder that goes away."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        make_project(folder, inline=inline, catalog=catalog)
        yield Deployment(folder)
