"""What the tests of workers share: tasks by name, processes by command line, waiting for what must come true."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from cirrus.ports.compute import Outcome, TaskSpec
from cirrus.testing.compute import DEADLINE, told

Run = Callable[..., Outcome]


def specs(*names: str, **options: object) -> dict[str, TaskSpec]:
    return {name: TaskSpec(name, f"tasks.bad:{name}", **options) for name in names}  # type: ignore[arg-type]


def running(*words: str) -> set[int]:
    """The processes whose command line holds all of these words."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if all(word.encode() in line for word in words):
            found.add(int(entry.name))
    return found


def eventually(condition: Callable[[], bool], patience: float = DEADLINE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def unique() -> str:
    """Seconds to sleep that nobody else sleeps."""
    return f"1000.{time.time_ns()}"


def message(outcome: Outcome) -> str:
    return str(told(outcome)["errorMessage"])
