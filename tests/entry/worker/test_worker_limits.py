"""Who runs when."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from worker_rig import specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import TaskSpec
from cirrus.testing.compute import attempt, finish, gather


def test_concurrency_limit_is_never_exceeded_and_holds_up_nobody(
    pools: Callable[..., LocalPool], tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    tasks = {"overlaps": TaskSpec("overlaps", "tasks.bad:overlaps", concurrency=2), **specs("echo")}
    pool = pools(tasks, workers=4)
    limited = [attempt(n, "overlaps", journal=str(journal)) for n in range(40)]
    pool.submit([*limited, attempt("free", "echo")])
    order: list[str] = []
    while len(order) < 41:
        order += [outcome.id for outcome in pool.collect(1)]
    assert order.index("attempt-free") < 20
    depth = deepest = 0
    for mark in journal.read_text():
        depth += 1 if mark == "+" else -1
        deepest = max(deepest, depth)
    assert deepest <= 2


def test_long_attempt_does_not_hold_up_quick_ones(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps", timeout=600), workers=2)
    finish(pool, [attempt(f"warm-{n}", "sleeps", seconds=0) for n in range(100)])
    pool.submit([attempt("long", "sleeps", seconds=600)])
    pool.submit([attempt(n, "sleeps", seconds=0) for n in range(300)])
    outcomes = gather(pool, 300)
    assert "attempt-long" not in outcomes
    pool.cancel("attempt-long")
    gather(pool, 1)


def test_workers_start_as_needed(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("pid"), workers=8)
    found = {finish(pool, [attempt(n, "pid")])[f"attempt-{n}"].output for n in range(20)}
    assert len(found) == 1


def test_room_is_for_what_is_done_in_a_moment(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("echo", "sleeps"), workers=2)
    assert 2 <= pool.room() <= 8
    for _ in range(4):
        finish(pool, [attempt(n, "echo") for n in range(50)])
    assert pool.room() > 100
    slow = [attempt(f"slow-{n}", "sleeps", seconds=600) for n in range(4)]
    pool.submit(slow)
    assert pool.room() == 0
    for one in slow:
        pool.cancel(one.id)
    gather(pool, 4)
