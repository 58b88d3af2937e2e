"""`python -m tests.chaos.run`: kill control processes and workers while they work, then look at what came of it.

The last line is JSON: kills, payloads, lost, doubled, stuck, and more. The exit code is 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.chaos.clock import Clock
from tests.chaos.judge import Verdict, judge
from tests.chaos.reaper import CIRRUS, Reaper
from tests.chaos.scene import payloads, write


def run(
    folder: Path,
    *,
    number: int,
    seconds: float,
    controls: int,
    seed: int,
    pause: float,
    lease: float,
    jumps: bool = False,
) -> tuple[Verdict, dict[str, Any], str]:
    """One chaos run in an empty folder: the verdict, the figures, and what the control processes said.

    With `jumps` the clock of its control processes is set to and fro, too.
    """
    began = time.monotonic()
    write(folder, lease)
    given, expected = payloads(number, seed)
    clock = Clock(folder / "clock") if jumps else None
    reaper = Reaper(folder, controls, seed, lease, clock)
    sender = threading.Thread(target=_submit, args=(folder, given, seconds * 0.6))
    sender.start()
    reaper.rage(seconds, pause)
    sender.join()
    in_time = reaper.finish(120 + number * 0.1)
    verdict = judge(folder, expected, clock)
    verdict.wrong += [f"left behind: {what}" for what in reaper.left()]
    verdict.stuck += [] if in_time else ["the control processes did not come to an end in time, or failed"]
    if "Traceback" in reaper.said:
        verdict.wrong.append("a control process has crashed")
    figures = {
        "kills": sum(count for what, count in reaper.kills.items() if what not in {"asleep", "clock"}),
        "payloads": len(expected),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "stuck": len(verdict.stuck),
        "wrong": len(verdict.wrong),
        "steps": verdict.steps,
        "ran_again_unrecorded": verdict.again,
        "writes_refused": verdict.refused,
        "by_kind": dict(reaper.kills),
        "seconds": round(time.monotonic() - began, 1),
        "seed": seed,
    }
    return verdict, figures, reaper.said


def _submit(folder: Path, given: list[dict[str, Any]], seconds: float) -> None:
    """Queue the payloads in some portions, each of them twice now and then: accepted is what was answered."""
    portions = 10
    for n in range(portions):
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in given[n::portions])
        subprocess.run(
            [*CIRRUS, "manage", "local", "process"], cwd=folder, input=lines, capture_output=True, check=True
        )
        time.sleep(seconds / portions)


def main() -> int:
    """Run once; the exit code."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--payloads", type=int, default=1500)
    options.add_argument("--seconds", type=float, default=100.0, help="how long to kill")
    options.add_argument("--controls", type=int, default=3)
    options.add_argument("--pause", type=float, default=0.4, help="seconds between two kills, on average")
    options.add_argument("--lease", type=float, default=2.0)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--jumps", action="store_true", help="set the clock to and fro, too")
    options.add_argument("--keep", action="store_true", help="keep the project's folder")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    sys.stderr.write(f"seed {given.seed} in {folder}\n")
    verdict, figures, said = run(
        folder / "project",
        number=given.payloads,
        seconds=given.seconds,
        controls=given.controls,
        seed=given.seed,
        pause=given.pause,
        lease=given.lease,
        jumps=given.jumps,
    )
    for line in _lines(verdict):
        sys.stdout.write(f"{line}\n")
    if not verdict.good:
        sys.stderr.write(said[-5000:])
    if given.keep:
        sys.stderr.write(f"kept: {folder}\n")
    else:
        shutil.rmtree(folder)
    sys.stdout.write(f"{json.dumps(figures)}\n")
    return 0 if verdict.good else 1


def _lines(verdict: Verdict) -> Iterator[str]:
    for kind in ("lost", "doubled", "stuck", "wrong"):
        yield from (f"{kind}: {line}" for line in getattr(verdict, kind)[:20])


if __name__ == "__main__":
    sys.exit(main())
