"""The pool of worker processes: attempts a second, what a worker costs to start, and memory.

`python -m benchmarks.pool [--json] [--attempts N] [--workers N]`
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Attempt, TaskSpec

FUNCTIONS = """
import os
def echo(payload):
    return payload
def pid(payload):
    return {"pid": os.getpid(), "parent": os.getppid()}
def nap(payload):
    __import__("time").sleep(0.2)
    return pid(payload)
"""
CLASSES = """
from stactask import Task
class Pass(Task):
    name = "pass"
    def process(self, **options):
        return self.payload["features"]
"""
BODY = json.dumps({"process": [{"workflow": "w"}], "features": [{"id": "i", "properties": {"x": "x" * 6000}}]}).encode()


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--attempts", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "functions.py").write_text(FUNCTIONS)
        (project / "classes.py").write_text(CLASSES)
        figures = measure(project, options.attempts, options.workers)
    for name, value in figures.items():
        print(f"{name:28} {value:>12,.2f}")
    if options.json:
        print(json.dumps(figures))


def measure(project: Path, attempts: int, workers: int) -> dict[str, float]:
    """All figures of a pool of so many workers."""
    names = {name: TaskSpec(name, f"functions:{name}") for name in ("echo", "pid", "nap")}
    specs = {**names, "class": TaskSpec("class", "classes:Pass")}
    started = time.perf_counter()
    pool = LocalPool(specs, project=project, workers=workers)
    try:
        run(pool, "pid", 1)
        first = time.perf_counter() - started
        fresh = [fork_ms(project, specs) for _ in range(3)]
        run(pool, "echo", 2000)
        before = time.process_time()
        rates = [rate(lambda: run(pool, "echo", attempts), attempts) for _ in range(3)]
        control = (time.process_time() - before) / (3 * attempts)
        small = [rate(lambda: run(pool, "echo", attempts, b"{}"), attempts) for _ in range(3)]
        classes = [rate(lambda: run(pool, "class", attempts // 20), attempts // 20) for _ in range(3)]
        singly = [timed(lambda: run(pool, "echo", 1)) * 1000 for _ in range(300)]
        process = json.loads(run(pool, "pid", 1)[0])
        return {
            "attempts_s": statistics.median(rates),
            "attempts_empty_s": statistics.median(small),
            "stactask_attempts_s": statistics.median(classes),
            "control_cpu_us": control * 1e6,
            "p50_ms": statistics.median(singly),
            "p95_ms": statistics.quantiles(singly, n=20)[-1],
            "first_outcome_ms": first * 1000,
            "worker_start_ms": statistics.median(fresh),
            "worker_private_mb": private_mb(process["pid"]),
            "zygote_mb": resident_mb(process["parent"]),
        }
    finally:
        pool.close()


def fork_ms(project: Path, specs: dict[str, TaskSpec]) -> float:
    """What a further worker costs, until it has answered, where the first one is busy."""
    pool = LocalPool(specs, project=project, workers=2)
    try:
        run(pool, "pid", 1)
        pool.submit([Attempt("nap", "nap", b"{}")])
        return timed(lambda: run(pool, "pid", 1)) * 1000
    finally:
        pool.close()


def run(pool: LocalPool, task: str, count: int, body: bytes = BODY) -> list[bytes]:
    """Outputs of so many attempts, submitted in batches of 500 as a driver would."""
    outputs: list[bytes] = []
    for first in range(0, count, 500):
        size = min(500, count - first)
        pool.submit([Attempt(f"{task}-{first + n}-{time.time_ns()}", task, body) for n in range(size)])
        while pool.in_flight() > 500:
            outputs += [outcome.output or b"" for outcome in pool.collect(1)]
    while len(outputs) < count:
        outputs += [outcome.output or b"" for outcome in pool.collect(1)]
    return outputs


def rate(work: Callable[[], object], count: int) -> float:
    """How many a second."""
    return count / timed(work)


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def private_mb(pid: int) -> float:
    """What a process has for itself alone."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024


def resident_mb(pid: int) -> float:
    """What a process has in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
