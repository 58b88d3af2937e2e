"""What an attempt prints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from worker_rig import Run, specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.testing.compute import attempt, finish


def test_two_hundred_megabytes_of_output_in_bounded_memory(run: Run) -> None:
    before = peak()
    outcome = run("floods", megabytes=200)
    assert outcome.error is None
    assert len(outcome.log) < 1_100_000
    assert outcome.log.startswith(b"firstxxx")
    assert outcome.log.endswith(b"xxxlast")
    left_out = 200_000_009 - 2 * 512 * 1024
    assert b"\n[... %d bytes left out ...]\n" % left_out in outcome.log
    assert peak() - before < 30_000_000


def peak() -> int:
    """The most memory this process ever had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def test_every_way_to_speak_is_heard(run: Run) -> None:
    lines = run("speaks_every_way").log.decode().splitlines()
    assert sorted(lines) == ["INFO any: logging", "child", "print", "puts", "stderr"]


def test_output_that_a_task_closed_is_open_for_the_next(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("closes_output", "speaks_every_way"), workers=1)
    outcomes = finish(pool, [attempt(1, "closes_output"), attempt(2, "speaks_every_way")])
    assert outcomes["attempt-1"].error is None
    assert b"print\n" in outcomes["attempt-2"].log
