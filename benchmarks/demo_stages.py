"""How long each task of the demo takes, from the journals of its executions, and the whole of it."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.figures import arguments, run, show
from cirrus.core.jsontext import decode

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")


def main() -> None:
    """Run the demo in a temporary folder and print the median milliseconds of each of its stages."""
    given = arguments(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "demo"
        began = time.perf_counter()
        run([*CIRRUS, "demo", str(folder)], Path(scratch))
        whole = time.perf_counter() - began
        records = run([*CIRRUS, "manage", "local", "query", "--state", "COMPLETED"], folder).splitlines()
        stages: dict[str, list[float]] = {}
        for line in records:
            known = decode(line)["payload_id"]
            history = decode(
                run([*CIRRUS, "manage", "local", "get-execution-events", "--payload-id", known, "--raw"], folder)
            )
            for name, took in _stages(history["events"]):
                stages.setdefault(name, []).append(took)
    figures: dict[str, Any] = {f"{name}_ms": statistics.median(took) for name, took in stages.items()}
    show({**figures, "items": len(records), "demo_s": whole}, given.json)


def _stages(events: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """Milliseconds from a state's entry to its exit, waiting for a worker included."""
    entered: dict[str, datetime] = {}
    found = []
    for event in events:
        moment = datetime.fromisoformat(event["timestamp"])
        if event["type"] == "TaskStateEntered":
            entered[event["stateEnteredEventDetails"]["name"]] = moment
        elif event["type"] == "TaskStateExited":
            name = event["stateExitedEventDetails"]["name"]
            found.append((name, (moment - entered[name]).total_seconds() * 1000))
    return found


if __name__ == "__main__":
    main()
