"""How every benchmark says what it measured: a table to read, and with --json one object as the last line."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any


def arguments(about: str | None, *more: tuple[str, int, str]) -> argparse.Namespace:
    """The command line of a benchmark: --json, and whole numbers (name, default, help)."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    for name, default, text in more:
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default {default})")
    return parser.parse_args()


def show(figures: Mapping[str, Any], as_json: bool) -> None:
    """Print the figures, one a line, and as JSON if asked."""
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        text = f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
        print(f"{name:<{width}}  {text}")
    if as_json:
        print(json.dumps(figures))


def environment() -> dict[str, str]:
    """The environment of a user, whose Python keeps the byte code of what it imports."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def best(times: int, work: Callable[[], Any]) -> float:
    """The shortest of several runs, in seconds."""
    return min(_timed(work) for _ in range(times))


def median(times: int, work: Callable[[], Any]) -> float:
    """The median of several runs, in seconds."""
    return statistics.median(_timed(work) for _ in range(times))


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def run(words: Sequence[str], folder: Path, stdin: bytes = b"") -> bytes:
    """Run a command, give its output; an error ends the benchmark."""
    done = subprocess.run(words, cwd=folder, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def cpu_of_children() -> float:
    """Seconds of CPU that ended child processes, and theirs, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_mb(pid: int) -> float:
    """Resident memory of a process and its descendants in MB, pages that they share counted once (PSS)."""
    total = 0
    for process in tree(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def tree_cpu(pid: int) -> float:
    """Seconds of CPU that a process, its descendants and those of them that have ended have used."""
    ticks = 0
    for process in tree(pid):
        with suppress(OSError, IndexError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def fsyncs_a_second(seconds: float = 1.0) -> float:
    """How many small writes a second reach the disk one by one, where temporary files are."""
    count, until = 0, time.perf_counter() + seconds
    with tempfile.TemporaryFile() as file:
        while time.perf_counter() < until:
            file.write(b"x" * 4096)
            file.flush()
            os.fdatasync(file.fileno())
            count += 1
    return count / seconds
