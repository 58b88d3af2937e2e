"""Payloads per second, from first submit to last recorded end, for a workflow of three trivial Python steps.

Payloads are of 6 KB, every change is durable, tasks run in worker processes. Beside it, in the same run: SQLite alone
writing the same rows in commits of 100 (`limit`, a script that imports nothing of cirrus).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import arguments, cpu_of_children, run, show, tree_mb

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")
TASK = "def same(payload):\n    return payload\n"
PROJECT = '[project]\nname = "throughput"\n[tasks.same]\nhandler = "tasks.same:same"\n'


def make_project(folder: Path) -> None:
    """A project whose workflow `three` is three steps that each give their payload back."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "workflows").mkdir()
    (folder / "cirrus.toml").write_text(PROJECT)
    (folder / "tasks" / "same.py").write_text(TASK)
    names = ("one", "two", "three")
    states = {
        name: {"Type": "Task", "Resource": "${same}", **({"Next": names[n + 1]} if n < 2 else {"End": True})}
        for n, name in enumerate(names)
    }
    (folder / "workflows" / "three.asl.json").write_text(json.dumps({"StartAt": "one", "States": states}))


def payload(number: int, size: int = 6000) -> bytes:
    """A payload of about `size` bytes with one Item."""
    text = f"{number:08d}" * ((size - 260) // 8)
    properties = {"datetime": "2026-01-01T00:00:00Z", "text": text}
    item = {"type": "Feature", "id": f"scene-{number:08d}", "collection": "bench", "geometry": None}
    return json.dumps({"features": [{**item, "properties": properties}], "process": [{"workflow": "three"}]}).encode()


def measure(count: int) -> dict[str, float]:
    """One run: submit, then work the queue until it is empty."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "project"
        make_project(folder)
        lines = b"\n".join(payload(n) for n in range(count))
        before, began = cpu_of_children(), time.perf_counter()
        run([*CIRRUS, "manage", "local", "process"], folder, lines)
        submitted = time.perf_counter() - began
        with subprocess.Popen([*CIRRUS, "up", "--until-idle"], cwd=folder, stderr=subprocess.PIPE) as process:
            peak = _watch(process.pid, lambda: process.poll() is None)
            process.wait()
        took = time.perf_counter() - began
        told = json.loads(run([*CIRRUS, "manage", "local", "summary", "--raw"], folder))
        if told["workflows"] != {"bench_three": {"COMPLETED": count}}:
            raise SystemExit(f"not every payload completed: {told}")
        used = cpu_of_children() - before
    return {
        "payloads_s": count / took,
        "submit_s": count / submitted,
        "peak_mb": peak[0],
        "cpu_ms_per_payload": used / count * 1000,
    }


def _watch(pid: int, alive: Callable[[], bool]) -> list[float]:
    peak = [0.0]

    def watch() -> None:
        while alive():
            peak[0] = max(peak[0], tree_mb(pid))
            time.sleep(0.2)

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    return peak


def main() -> None:
    """Print the medians, and their ratio to the limit."""
    given = arguments(__doc__, ("payloads", 5000, "how many payloads a run has"), ("runs", 3, "how many runs"))
    runs = [measure(given.payloads) for _ in range(given.runs)]
    figures = {name: statistics.median(one[name] for one in runs) for name in runs[0]}
    limit = Path(__file__).with_name("sqlite_limit.py")
    words = [sys.executable, str(limit), str(given.payloads)]
    limits = [json.loads(run(words, limit.parent)) for _ in range(given.runs)]
    figures["limit_payloads_s"] = statistics.median(one["payloads_s"] for one in limits)
    figures["limit_submit_s"] = statistics.median(one["submit_s"] for one in limits)
    figures["ratio_to_limit"] = figures["payloads_s"] / figures["limit_payloads_s"]
    figures["submit_ratio_to_limit"] = figures["submit_s"] / figures["limit_submit_s"]
    show(figures, given.json)


if __name__ == "__main__":
    main()
