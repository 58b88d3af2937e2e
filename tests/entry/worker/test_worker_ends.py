"""Time limits, cancelling, and workers that die: each costs its own attempt only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from worker_rig import Run, eventually, message, running, specs, unique

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Attempt
from cirrus.testing.compute import DEADLINE, attempt, finish, gather


def test_time_limit(run: Run) -> None:
    outcome = run("sleeps", timeout=0.2, seconds=600)
    assert outcome.error == "Sandbox.Timedout"
    assert message(outcome) == "task 'sleeps' timed out after 0.20 seconds"
    assert outcome.log == b"asleep\n"
    assert outcome.ended - outcome.started >= 0.2


def test_attempts_own_limit_wins_where_it_is_shorter(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps", timeout=600))
    pool.submit([Attempt("a", "sleeps", b'{"seconds": 600}', timeout=0.1)])
    assert gather(pool, 1)["a"].error == "States.Timeout"


@pytest.mark.parametrize("task", ["sleeps_deaf", "swallows"])
def test_time_limit_of_a_task_that_does_not_listen(run: Run, task: str) -> None:
    assert run(task, timeout=0.2).error == "Sandbox.Timedout"


def test_task_may_clean_up_when_its_time_is_over(run: Run, tmp_path: Path) -> None:
    outcome = run("cleans_up", timeout=0.2, grace=DEADLINE, file=str(tmp_path / "clean"))
    assert outcome.error == "Sandbox.Timedout"
    assert (tmp_path / "clean").exists()


def test_children_end_with_the_attempt_that_is_killed(run: Run) -> None:
    seconds = unique()
    outcome = run("hangs_with_children", timeout=0.5, seconds=seconds)
    assert outcome.error == "Sandbox.Timedout"
    eventually(lambda: not running("sleep", seconds))


def test_children_left_behind_do_not_hold_up_the_attempt(pools: Callable[..., LocalPool]) -> None:
    pool, seconds = pools(specs("leaves_child", "leaves_detached_child", "echo")), unique()
    outcomes = finish(
        pool,
        [attempt(1, "leaves_child", seconds=seconds), attempt(2, "leaves_detached_child", seconds=seconds)],
    )
    assert {outcome.error for outcome in outcomes.values()} == {None}
    eventually(lambda: len(running("sleep", seconds)) == 2)
    assert finish(pool, [attempt(3, "echo")])["attempt-3"].error is None
    pool.close()
    eventually(lambda: not running("sleep", seconds))


def test_cancel_of_a_running_attempt(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps", "echo"), workers=1)
    pool.submit([attempt(1, "sleeps", seconds=600), attempt(2, "echo")])
    printed: dict[str, bytes] = {}

    def asleep() -> bool:
        """Whether the line is there: a print may come in two pieces, its end by itself."""
        pool.collect(0.01)
        for name, data in pool.running_logs().items():
            printed[name] = printed.get(name, b"") + data
        return printed == {"attempt-1": b"asleep\n"}

    eventually(asleep)
    assert pool.running_logs() == {}
    pool.cancel("attempt-1")
    outcomes = gather(pool, 2)
    assert outcomes["attempt-1"].error == "Cirrus.Cancelled"
    assert outcomes["attempt-1"].log == b"asleep\n"
    assert outcomes["attempt-2"].error is None


def test_cancel_of_a_waiting_attempt(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps", "echo"), workers=1)
    pool.submit([attempt(1, "sleeps", seconds=0.2), attempt(2, "echo")])
    pool.cancel("attempt-2")
    outcomes = gather(pool, 2)
    assert outcomes["attempt-1"].error is None
    assert outcomes["attempt-2"].error == "Cirrus.Cancelled"


@pytest.mark.parametrize(
    ("task", "words", "log"),
    [
        ("leaves", "exit code 3", b"last words"),
        ("kills_itself", "signal 9 (SIGKILL", b""),
        ("segfaults", "signal 11 (SIGSEGV", b"before the fault\n"),
    ],
)
def test_worker_that_dies_costs_its_own_attempt_only(
    pools: Callable[..., LocalPool], task: str, words: str, log: bytes
) -> None:
    pool = pools(specs(task, "echo"))
    outcomes = finish(pool, [attempt(n, task if n % 10 == 5 else "echo", n=n) for n in range(60)])
    for n in range(60):
        outcome = outcomes[f"attempt-{n}"]
        if n % 10 == 5:
            assert outcome.error == "Runtime.ExitError"
            assert words in message(outcome)
            assert task in message(outcome)
            assert outcome.log.startswith(log)
        else:
            assert orjson.loads(outcome.output or b"") == {"n": n}


def test_attempts_queued_behind_a_dying_one_run_elsewhere(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("echo", "leaves"), workers=1)
    finish(pool, [attempt(f"warm-{n}", "echo") for n in range(300)])
    attempts = [attempt(n, "leaves" if n == 100 else "echo", n=n) for n in range(200)]
    outcomes = finish(pool, attempts)
    assert [name for name, outcome in outcomes.items() if outcome.error] == ["attempt-100"]


def test_worker_killed_from_outside(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("pid", "sleeps"), workers=1)
    process = orjson.loads(finish(pool, [attempt(1, "pid")])["attempt-1"].output or b"")["pid"]
    pool.submit([attempt(2, "sleeps", seconds=600)])
    eventually(lambda: not pool.collect(0.01) and bool(pool.running_logs()))
    os.kill(process, signal.SIGKILL)
    assert gather(pool, 1)["attempt-2"].error == "Runtime.ExitError"
    assert finish(pool, [attempt(3, "pid")])["attempt-3"].error is None


def test_zygote_killed_from_outside(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("pid", "sleeps"), workers=1)
    zygote = orjson.loads(finish(pool, [attempt(1, "pid")])["attempt-1"].output or b"")["parent"]
    pool.submit([attempt(2, "sleeps", seconds=600)])
    eventually(lambda: not pool.collect(0.01) and bool(pool.running_logs()))  # else it only begins elsewhere
    os.kill(zygote, signal.SIGKILL)
    assert gather(pool, 1)["attempt-2"].error == "Runtime.ExitError"
    assert finish(pool, [attempt(3, "pid")])["attempt-3"].error is None


def test_child_that_returns_from_the_task_does_not_answer(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("forks_and_returns", "echo"))
    outcomes = finish(pool, [attempt(1, "forks_and_returns"), attempt(2, "echo")])
    assert outcomes["attempt-1"].output == b'{"child":false}'
    assert outcomes["attempt-2"].output == b"{}"
