"""Memory: limits of attempts, and workers that grow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from worker_rig import eventually, message, running, specs, unique

from cirrus.adapters.local import memory_limits
from cirrus.adapters.local.oom_killer import Counter
from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Outcome, TaskSpec
from cirrus.testing.compute import attempt, finish

LIMIT = 200_000_000


def value(outcome: Outcome) -> dict[str, object]:
    assert outcome.error is None, outcome
    found: dict[str, object] = orjson.loads(outcome.output or b"")
    return found


def processes_of(outcomes: dict[str, Outcome]) -> list[object]:
    return [value(outcomes[f"attempt-{n}"])["pid"] for n in range(len(outcomes))]


def test_attempt_over_its_memory_limit(pools: Callable[..., LocalPool]) -> None:
    pool = pools({**specs("allocates", memory=LIMIT), **specs("echo")}, workers=1)
    outcomes = finish(pool, [attempt(1, "allocates"), attempt(2, "echo")])
    assert outcomes["attempt-1"].error == "Runtime.OutOfMemory"
    assert "task 'allocates': the attempt used " in message(outcomes["attempt-1"])
    assert "its limit is 200 MB" in message(outcomes["attempt-1"])
    assert outcomes["attempt-1"].log == b"hungry\n"
    assert outcomes["attempt-2"].error is None


def test_child_over_the_memory_limit_of_its_attempt(pools: Callable[..., LocalPool]) -> None:
    pool, mark = pools(specs("allocates_in_child", memory=LIMIT)), unique()
    outcome = finish(pool, [attempt(1, "allocates_in_child", mark=mark)])["attempt-1"]
    assert outcome.error == "Runtime.OutOfMemory"
    eventually(lambda: not running(mark))


def test_command_over_its_memory_limit(pools: Callable[..., LocalPool]) -> None:
    code, mark = "held = [b'x' * 10_000_000 for _ in range(40)]; input(); import time; time.sleep(600)", unique()
    words = (sys.executable, "-c", code.replace("input(); ", ""), "{input}", "{output}", mark)
    outcome = finish(pools({"c": TaskSpec("c", command=words, memory=LIMIT)}), [attempt(1, "c")])["attempt-1"]
    assert outcome.error == "Runtime.OutOfMemory"
    eventually(lambda: not running(mark))


def test_attempts_within_their_limit_end_well(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("echo", "leaks", memory=LIMIT))
    outcomes = finish(pool, [attempt(n, "leaks", bytes=20_000_000) for n in range(30)])
    assert {outcome.error for outcome in outcomes.values()} == {None}
    assert len(set(processes_of(outcomes))) > 1, "a worker that has kept much runs no attempt with a limit"


def test_limit_is_of_one_task_only(pools: Callable[..., LocalPool]) -> None:
    tasks = {"small": TaskSpec("small", "tasks.bad:echo", memory=LIMIT), **specs("allocates")}
    pool = pools(tasks, workers=1)
    finish(pool, [attempt(1, "small")])
    outcome = finish(pool, [attempt(2, "allocates", bytes=2 * LIMIT, seconds=0.3)])["attempt-2"]
    assert outcome.error == "InvalidOutput"


def test_what_keeps_the_limits_is_told(pools: Callable[..., LocalPool]) -> None:
    assert pools(specs("echo")).memory_limits.name == "none"
    mechanism = pools(specs("echo", memory=LIMIT)).memory_limits
    assert mechanism.name in ("cgroup", "watch")
    assert mechanism.why


def test_leak_is_ended_by_a_new_worker(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("leaks"), workers=1, worker_memory=50_000_000)
    outcomes = finish(pool, [attempt(n, "leaks", bytes=10_000_000) for n in range(40)])
    assert max(int(str(value(outcome)["held"])) for outcome in outcomes.values()) <= 6
    assert 6 <= len(set(processes_of(outcomes))) <= 10


def test_workers_are_replaced_after_so_many_attempts(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("pid"), workers=1, worker_attempts=7)
    counts: dict[object, int] = {}
    for process in processes_of(finish(pool, [attempt(n, "pid") for n in range(70)])):
        counts[process] = counts.get(process, 0) + 1
    assert set(counts.values()) == {7}


def test_workers_are_replaced_when_they_are_old(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("pid", "sleeps"), workers=1, worker_age=0.2)
    first = value(finish(pool, [attempt(1, "pid")])["attempt-1"])["pid"]

    def gone() -> bool:
        pool.collect(0.01)
        return not Path(f"/proc/{first}").exists()

    eventually(gone)
    assert value(finish(pool, [attempt(2, "pid")])["attempt-2"])["pid"] != first


def test_no_worker_is_replaced_in_the_middle_of_an_attempt(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("sleeps"), workers=2, worker_age=0.01, worker_attempts=1, worker_memory=1)
    outcomes = finish(pool, [attempt(n, "sleeps", seconds=0.05) for n in range(20)])
    assert {outcome.error for outcome in outcomes.values()} == {None}
    assert {outcome.log for outcome in outcomes.values()} == {b"asleep\n"}


@pytest.fixture
def struck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A counter of the OOM killer that a test can set."""
    file = tmp_path / "memory.events"
    file.write_text("oom 0\noom_kill 3\n")
    counter = [Counter(file, "here")]
    monkeypatch.setattr(memory_limits, "counters", lambda: counter)
    return file


def test_worker_that_the_oom_killer_took(pools: Callable[..., LocalPool], struck: Path) -> None:
    made = pools(specs("kills_itself", "echo"), workers=1)
    assert finish(made, [attempt(1, "kills_itself")])["attempt-1"].error == "Runtime.ExitError"
    struck.write_text("oom 1\noom_kill 4\n")
    outcome = finish(made, [attempt(2, "kills_itself")])["attempt-2"]
    assert outcome.error == "Runtime.OutOfMemory"
    assert message(outcome).endswith("was killed by the kernel, whose OOM killer struck here")
