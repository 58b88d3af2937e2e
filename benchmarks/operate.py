"""What operators wait for, on a local home with a million records: pages, counts, payloads, submitting, help.

The records are written straight into the tables, as a year of work would have left them: forty groups, one record in
ten failed, some tried more than once, errors that differ in numbers and paths. Everything that is measured goes through
`cirrus.Client`, as the command line does.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import arguments, best, median, run, show, tree_mb
from cirrus import Client
from cirrus.adapters.sqlite.columns import NUMBER
from cirrus.adapters.sqlite.database import Database
from cirrus.core.failure_kind import failure_kind
from cirrus.core.state import State

CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")
PROJECT = '[project]\nname = "operate"\n[tasks.same]\nhandler = "tasks.same:same"\n'
MACHINE = {"StartAt": "one", "States": {"one": {"Type": "Task", "Resource": "${same}", "End": True}}}
GROUPS = [(f"sentinel-{n % 8}", f"flow-{n // 8}") for n in range(40)]
SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND
ERRORS = (
    "ValueError: band {n} of /data/scene-{n}/B04.tif has {m} rows, {n} expected",
    "TimedOutError: the execution took longer than {m} s",
    "HTTPError: 503 for https://example.com/items/{n} after {m} tries",
    "RuntimeError: request {u} failed at 2026-05-{d:02d}T10:00:00Z",
    "KeyError: 'proj:epsg'",
)
RECORD = (
    "id, grp, key, full_id, state, created, updated, claimed_at, execution, last_error, outputs, output_collections,"
    " attempts, failure"
)
EXECUTION = "id, name, record, n, status, input, output, definition, error, cause, started, stopped, owner"
RARE = "RuntimeError: the one that nobody has seen before"
FILTERS: dict[str, dict[str, Any]] = {
    "all": {},
    "state": {"state": "FAILED"},
    "states": {"state": ["FAILED", "INVALID"], "since": "30d"},
    "since, few": {"since": "1h"},
    "until": {"until": "300d"},
    "workflow": {"workflow": "flow-2"},
    "collection": {"collection": "sentinel-3"},
    "collections_workflow": {"collections_workflow": "sentinel-3_flow-2", "state": "COMPLETED"},
    "error prefix": {"error_prefix": "HTTPError: 503"},
    "error prefix, one": {"error_prefix": RARE[:30]},
    "error text": {"error_text": "took longer than 7"},
    "error text, one": {"error_text": "nobody has seen"},
    "error text, none": {"error_text": "no such text"},
    "item": {"item": "S2A_000123*"},
    "item, one": {"item": "S2A_00123456"},
    "item, many": {"item": "S2A_*"},
    "item, ending": {"item": "*7"},
    "item, ending, one": {"item": "*_00123456"},
    "attempts": {"min_attempts": 2},
    "attempts, few": {"min_attempts": 5},
    "attempts, at most": {"max_attempts": 1},
    "output collection": {"output_collection": "cog-3"},
    "output collection, none": {"output_collection": "no-such"},
    "by id": {"sort": "id", "state": "FAILED"},
    "by id, few": {"sort": "id", "since": "1h"},
    "by state": {"sort": "state", "ascending": True},
}


def make_project(folder: Path) -> None:
    """A project with one workflow, `flow-0`."""
    (folder / "tasks").mkdir(parents=True)
    (folder / "workflows").mkdir()
    (folder / "cirrus.toml").write_text(PROJECT)
    (folder / "tasks" / "same.py").write_text("def same(payload):\n    return payload\n")
    (folder / "workflows" / "flow-0.asl.json").write_text(json.dumps(MACHINE))


def payload(number: int, size: int = 6000) -> bytes:
    """A payload of about `size` bytes with one Item."""
    collection, _ = GROUPS[number % len(GROUPS)]
    properties = {"datetime": "2026-01-01T00:00:00Z", "text": f"{number:08d}" * ((size - 260) // 8)}
    item = {"type": "Feature", "id": f"S2A_{number:08d}", "collection": collection, "geometry": None}
    return json.dumps({"features": [{**item, "properties": properties}], "process": [{"workflow": "flow-0"}]}).encode()


def fill(path: Path, count: int, now: int) -> None:
    """Write `count` ended records, with executions, inputs and outputs, straight into the tables."""
    database = Database(path)
    dice = random.Random(7)
    ids = {}
    with database.group():
        for collection, workflow in GROUPS:
            ids[collection, workflow] = database.group_id(f"{collection}_{workflow}")
        body = database.body_id(payload(0))
        definition = database.body_id(json.dumps(MACHINE).encode())
    for begin in range(0, count, 50_000):
        numbers = range(begin, min(count, begin + 50_000))
        with database.group():
            connection = database._connection
            rows = [_record(dice, n, ids, now, database) for n in numbers]
            connection.executemany(_insert("records", RECORD), rows)
            executions = [execution for row in rows for execution in _executions(row, body, definition)]
            connection.executemany(_insert("executions", EXECUTION), executions)
    database.close()
    with Path(path).open("rb") as file:  # as warm as a database that is in use
        while file.read(1 << 24):
            pass


def _insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({','.join('?' * len(columns.split(',')))})"


def _record(
    dice: random.Random, n: int, ids: dict[tuple[str, str], int], now: int, database: Database
) -> tuple[Any, ...]:
    collection, workflow = GROUPS[n % len(GROUPS)]
    key = f"{collection}/workflow-{workflow}/S2A_{n:08d}"
    failed = n % 10 == 0
    state = State.FAILED if failed else State.INVALID if n % 997 == 0 else State.COMPLETED
    at = now - dice.randrange(YEAR)
    words = {"n": n, "m": dice.randrange(1000), "u": f"{dice.getrandbits(128):032x}", "d": 1 + n % 28}
    error = RARE if n == 500_000 else ERRORS[dice.randrange(len(ERRORS))].format(**words) if failed else None
    attempts = 1 if n % 50 else 2 + (n % 2500 == 0) * 3
    outputs = None if failed else f'["/catalog/{collection}/{n:08d}.json"]'
    made = None if failed else f'["cog-{n % 8}"]'
    named = (n + 1, ids[collection, workflow], key, None, NUMBER[state], at - SECOND, at, at - SECOND)
    failure = database.failure_id(failure_kind(workflow, "one", error)) if error else None
    return (*named, 8 * n + attempts, error, outputs, made, attempts, failure)


def _executions(row: tuple[Any, ...], body: int, definition: int) -> Iterator[tuple[Any, ...]]:
    for n in range(1, row[12] + 1):
        number = 8 * (row[0] - 1) + n
        name = number.to_bytes(16, "big")
        status = "FAILED" if row[9] or n < row[12] else "SUCCEEDED"
        out = None if status == "FAILED" else body
        yield (number, name, row[0], n, status, body, out, definition, None, None, row[5], row[6], "o")


def pages(client: Client) -> dict[str, float]:
    """Milliseconds of the first page of 100 of each filter, a new connection's first time left out."""
    took = {}
    for name, filters in FILTERS.items():
        query = client.select(**filters)
        took[name] = 1000 * median(5, lambda query=query: client.home.state_db.page(query, 100))  # type: ignore[misc]
    return took


def get_payloads(folder: Path, limit: int) -> tuple[float, float]:
    """Payloads a second of `get-payloads`, start of the command included, and its peak memory in MB."""
    words = [*CIRRUS, "manage", "local", "get-payloads", "--limit", str(limit), "--rerun"]
    took, peak = watched(words, folder, subprocess.DEVNULL)
    return limit / took, peak


def submit(folder: Path, count: int) -> tuple[float, float]:
    """Payloads a second of `process` of NDJSON from stdin, and its peak memory in MB."""
    with tempfile.TemporaryFile() as lines:
        for n in range(count):
            lines.write(payload(10_000_000 + n) + b"\n")
        lines.seek(0)
        took, peak = watched([*CIRRUS, "manage", "local", "process"], folder, lines)
    return count / took, peak


def watched(words: list[str], folder: Path, stdin: Any) -> tuple[float, float]:
    """Seconds of a command, and its peak memory in MB."""
    peak = [0.0]
    began = time.perf_counter()
    with subprocess.Popen(words, cwd=folder, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        thread = threading.Thread(target=_watch, args=(process.pid, lambda: process.poll() is None, peak))
        thread.start()
        error = process.stderr.read() if process.stderr else b""
        process.wait()
        took = time.perf_counter() - began
        thread.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {error.decode(errors='replace')[-2000:]}")
    return took, peak[0]


def _watch(pid: int, alive: Callable[[], bool], peak: list[float]) -> None:
    while alive():
        peak[0] = max(peak[0], tree_mb(pid))
        time.sleep(0.05)


def measure(folder: Path, records: int, payloads: int) -> dict[str, float]:
    """All figures of one home."""
    make_project(folder)
    fill(folder / ".cirrus" / "local" / "cirrus.db", records, time.time_ns() // 1000)
    client = Client("local", folder)
    client.summary()
    took = pages(client)
    figures = {f"page_ms: {name}": value for name, value in took.items()}
    figures["first_page_ms"] = max(took.values())
    figures["search_s: item, ending, one"] = median(3, lambda: list(client.query(item="*_00123456")))
    figures["search_s: output collection, none"] = median(3, lambda: list(client.query(output_collection="no-such")))
    figures["summary_ms"] = 1000 * median(5, client.summary)
    figures["summary_command_ms"] = 1000 * best(3, lambda: run([*CIRRUS, "manage", "local", "summary"], folder))
    figures["errors_ms"] = 1000 * median(3, lambda: list(client.errors()))
    figures["get_payloads_s"], got = get_payloads(folder, payloads)
    figures["process_s"], submitted = submit(folder, payloads)
    figures["help_ms"] = 1000 * best(10, lambda: run([*CIRRUS, "--help"], folder))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures["client_mb"] = own
    figures["peak_mb"] = max(got, submitted)
    return figures


def main() -> None:
    """Print the figures; keys as the issue names them, and a page of each filter beside them."""
    given = arguments(
        __doc__,
        ("records", 1_000_000, "how many records"),
        ("payloads", 50_000, "how many payloads are got and queued"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        show(measure(Path(scratch) / "project", given.records, given.payloads), given.json)


if __name__ == "__main__":
    main()
