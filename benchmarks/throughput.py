"""Payloads per second, from first submit to last terminal state, for a workflow of three trivial Python steps.

Payloads are of 6 KB, every change is durable, tasks run in worker processes. They are submitted by the client from this
process, as the peers' are; `submit_command_s` is the command line, its start included. In the same run, round by round
so that noise hits all alike: SQLite alone writing the same rows in commits of 100 (`limit`, a script that imports
nothing of cirrus), and two peers, Huey and DBOS, each in an environment of its own that is made on demand. A peer that
cannot be measured is null, with the reason on stderr. `inline` is the same workflow with its steps in the control
process, `catalog` with the static catalog written meanwhile; neither counts.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.deployment import Deployment, deployment, payload, payloads
from benchmarks.figures import arguments, run, show
from benchmarks.peer import PEERS, measure_peer

LIMIT = Path(__file__).with_name("sqlite_limit.py")
LATENCIES = 200
PAUSE = 0.02

Figures = dict[str, float | None]


def ours(count: int) -> Figures:
    """The whole way of payloads with a control process up, and one at a time when idle; then submitting alone."""
    with deployment() as one:
        with one.up():
            ran = one.run(payloads("scene", count))
            latencies = latency(one)
        _check(one, count + LATENCIES)
    with deployment() as other:
        submitting = other.queue(payloads("queued", count))
        by_command = other.submit(payloads("by-command", count))
    return {
        "payloads_s": count / ran.seconds,
        "submit_s": count / submitting,
        "submit_command_s": count / by_command,
        "cpu_ms_per_payload": ran.cpu / count * 1000,
        "p50_ms": statistics.median(latencies) * 1000,
        "p95_ms": statistics.quantiles(latencies, n=20)[-1] * 1000,
        "peak_mb": one.peak_mb,
    }


def variant(count: int, *, inline: bool = False, catalog: bool = False) -> float:
    """Payloads a second with inline steps, or with a catalog."""
    with deployment(inline=inline, catalog=catalog) as one, one.up():
        return count / one.run(payloads("scene", count)).seconds


def latency(one: Deployment) -> list[float]:
    """Seconds from the submit call to the terminal state as another connection sees it, of one payload at a time."""
    from cirrus.app import deployment as named
    from cirrus.app import open_home, open_project
    from cirrus.flow.submit import submit

    project = open_project(one.folder)
    home = open_home(project, named(project, "local"))
    reader = sqlite3.connect(f"file:{one.database}?mode=ro", uri=True, timeout=30)
    sql = (
        "SELECT 1 FROM records WHERE key = ? AND state = (SELECT state FROM records WHERE key LIKE '%/warm-%' LIMIT 1)"
    )
    took = []
    for number in range(LATENCIES):
        text = payload(f"single-{number:08d}")
        began = time.perf_counter()
        (submitted,) = submit(home, [text])
        while reader.execute(sql, (submitted.payload_id,)).fetchone() is None:
            time.sleep(0.0002)
        took.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    return took


def limit(count: int) -> Figures:
    """What SQLite alone reaches."""
    told = json.loads(run([sys.executable, str(LIMIT), str(count)], LIMIT.parent))
    return {"limit_payloads_s": told["payloads_s"], "limit_submit_s": told["submit_s"]}


def peers(count: int) -> Figures:
    """What the peers reach, with as many payloads as take each of them some seconds."""
    return {f"{name}_payloads_s": measure_peer(name, max(1, count // PEERS[name].share)) for name in PEERS}


def fsyncs() -> Figures:
    """How many small writes a second reach the disk one by one."""
    from benchmarks.figures import fsyncs_a_second

    return {"fsyncs_s": fsyncs_a_second()}


def _check(one: Deployment, count: int) -> None:
    done = one.completed()
    if done < count:
        raise SystemExit(f"not every payload completed: {done} of {count}")


def medians(rounds: list[Figures]) -> Figures:
    """The median of each figure; null if it is missing in any round."""
    found: Figures = {}
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        known = [value for value in values if value is not None]
        found[name] = statistics.median(known) if len(known) == len(values) else None
    return found


def ratios(figures: Figures) -> Figures:
    """Ours to each of the others."""
    pairs = {
        "ratio_to_limit": ("payloads_s", "limit_payloads_s"),
        "ratio_to_huey": ("payloads_s", "huey_payloads_s"),
        "ratio_to_dbos": ("payloads_s", "dbos_payloads_s"),
        "submit_ratio_to_limit": ("submit_s", "limit_submit_s"),
    }
    found: Figures = {}
    for name, (over, under) in pairs.items():
        upper, lower = figures.get(over), figures.get(under)
        found[name] = upper / lower if upper is not None and lower else None
    return found


def main() -> None:
    """Print the medians of all rounds."""
    given = arguments(__doc__, ("payloads", 10_000, "how many payloads a run has"), ("runs", 3, "how many rounds"))
    count = given.payloads
    parts: list[Callable[[], Figures]] = [
        lambda: limit(count),
        lambda: ours(count),
        lambda: peers(count),
        lambda: {"inline_payloads_s": variant(count, inline=True)},
        lambda: {"catalog_payloads_s": variant(count // 4, catalog=True)},
        fsyncs,
    ]
    rounds = []
    for number in range(given.runs):
        one: Figures = {}
        for part in parts:
            os.sync()  # what the part before has written and removed is none of this one's
            one |= part()
        print(f"round {number + 1}: {json.dumps(one)}", file=sys.stderr)
        rounds.append(one)
    figures = medians(rounds)
    show(figures | ratios(figures), given.json)


if __name__ == "__main__":
    main()
