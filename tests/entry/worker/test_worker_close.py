"""Nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from worker_rig import eventually, running, specs, unique

from cirrus.adapters.local.pool import LocalPool
from cirrus.testing.compute import DEADLINE, attempt, finish


def open_descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_nothing_is_left_after_close(
    pools: Callable[..., LocalPool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    seconds = unique()
    descriptors = open_descriptors()
    pool = pools(specs("hangs_with_children", "pid"), workers=3, grace=0.2)
    zygote = orjson.loads(finish(pool, [attempt(0, "pid")])["attempt-0"].output or b"")["parent"]
    pool.submit([attempt(n, "hangs_with_children", seconds=seconds) for n in range(1, 4)])
    eventually(lambda: not pool.collect(0.01) and len(running("sleep", seconds)) == 9)
    pool.close()
    assert not running("sleep", seconds)
    assert not Path(f"/proc/{zygote}").exists()
    assert list(scratch.iterdir()) == []
    assert open_descriptors() <= descriptors


def test_nothing_is_left_when_the_control_process_is_killed(project: Path, tmp_path: Path) -> None:
    seconds = unique()
    script = textwrap.dedent(f"""
        from pathlib import Path
        from cirrus.adapters.local.pool import LocalPool
        from cirrus.ports.compute import Attempt, TaskSpec
        tasks = {{"t": TaskSpec("t", "tasks.bad:hangs_with_children")}}
        pool = LocalPool(tasks, project=Path({str(project)!r}), workers=2)
        pool.submit([Attempt(str(n), "t", b'{{"seconds": "{seconds}"}}') for n in range(2)])
        while True:
            pool.collect(1)
    """)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as control:
        eventually(lambda: len(running("sleep", seconds)) == 6)
        assert running("cirrus.entry.worker", next(str(p) for p in scratch.rglob("config.json")))
        control.kill()
    eventually(lambda: not running("sleep", seconds))
    eventually(lambda: not list(scratch.iterdir()))


def test_close_while_another_thread_collects(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps"), grace=0.2)
    pool.submit([attempt(1, "sleeps", seconds=600)])
    found: list[object] = []
    collecting = threading.Thread(target=lambda: found.extend(pool.collect(DEADLINE)))
    collecting.start()
    pool.close()
    collecting.join(DEADLINE / 2)
    assert not collecting.is_alive()
    assert found == []
