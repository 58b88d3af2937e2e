"""The reaper: keeps control processes going, and at random moments kills them, their workers, or both, lets them
sleep, or sets their clock."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.chaos.clock import Clock

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")
MARK = "CIRRUS_CHAOS_RUN"
JUMPS = 0.4


def processes(mark: str) -> list[int]:
    """Every process that this run has started, directly or not, and that still lives."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0") and not _is_zombie(entry):
                found.append(int(entry.name))
    return found


def _is_zombie(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z"


class Reaper:
    """`controls` processes of `cirrus up` on the project in `folder`; with a clock, it is set to and fro."""

    def __init__(self, folder: Path, controls: int, seed: int, lease: float, clock: Clock | None = None) -> None:
        self.folder = folder
        self.mark = f"{os.getpid()}-{seed}-{time.time_ns()}"
        self.kills: Counter[str] = Counter()
        self.said = ""
        self._dice = random.Random(seed)
        self._lease = lease
        self._scratch = folder / "scratch"
        self._scratch.mkdir()
        self._said = (folder / "said.txt").open("wb")
        self._environment = {**os.environ, MARK: self.mark, "TMPDIR": str(self._scratch)}
        self._environment |= clock.environment if clock else {}
        self._clock = clock
        self._controls = [self._start() for _ in range(controls)]
        self._asleep: list[tuple[float, int]] = []

    def _start(self, *options: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*CIRRUS, "up", "--workers", "2", *options],
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
        )

    def rage(self, seconds: float, pause: float) -> None:
        """Kill something every `pause` seconds on average, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(self._dice.expovariate(1 / pause), 5 * pause))
            self._wake(time.monotonic())
            self._strike()
            self._controls = [one if one.poll() is None else self._start() for one in self._controls]
        self._wake(float("inf"))

    def _strike(self) -> None:
        if self._clock is not None and self._dice.random() < JUMPS:
            self._clock.turn(self._dice.choice((-1, 1)) * self._dice.choice((5, 600, 86_400)) * self._dice.random())
            self.kills["clock"] += 1
            return
        control = self._dice.choice(self._controls)
        what = self._dice.choices(("control", "worker", "both", "asleep"), (4, 4, 2, 1))[0]
        if what in ("worker", "both"):
            below = [pid for pid in processes(self.mark) if pid not in {one.pid for one in self._controls}]
            if below:
                self._signal(self._dice.choice(below), signal.SIGKILL)
        if what in ("control", "both"):
            self._signal(control.pid, signal.SIGKILL)
            control.wait()
        if what == "asleep":
            self._signal(control.pid, signal.SIGSTOP)
            self._asleep.append((time.monotonic() + self._lease * 2.5, control.pid))
        self.kills[what] += 1

    def _wake(self, now: float) -> None:
        for due, pid in self._asleep:
            if due <= now:
                self._signal(pid, signal.SIGCONT)
        self._asleep = [(due, pid) for due, pid in self._asleep if due > now]

    def _signal(self, pid: int, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def finish(self, seconds: float) -> bool:
        """Let the work come to its end without more kills; whether it did in time, and everybody left when told."""
        good = _ends(self._start("--until-idle"), seconds)
        for one in self._controls:
            one.terminate()
        good = {good, *(_ends(one, 30.0) for one in self._controls)} == {True}
        self._said.close()
        self.said = (self.folder / "said.txt").read_text(errors="replace")
        return good

    def left(self) -> list[str]:
        """Processes and temporary files that should be gone."""
        deadline = time.monotonic() + 10
        while (alive := processes(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.1)
        files = [path for path in self._scratch.rglob("*") if path.is_file()]
        files += self.folder.rglob("*.part")
        return [f"process {pid}" for pid in alive] + [str(path.relative_to(self.folder)) for path in files]


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
