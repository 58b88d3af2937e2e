"""The judge: what must be true after a chaos run, from the database, the tasks' own notes, and the catalog."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cirrus.adapters.sqlite.columns import STATE, unpack
from cirrus.core.state import ENDED
from tests.chaos.clock import Clock
from tests.chaos.reaper import CIRRUS
from tests.chaos.scene import NOTES, Expected

Step = tuple[str, str, int]
LEASES = 200_000_000


@dataclass(slots=True)
class Verdict:
    """What was found wrong, in words, by kind; how often a step ran again unrecorded, a write was refused."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    again: int = 0
    refused: int = 0
    steps: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not (self.lost or self.doubled or self.stuck or self.wrong)


def judge(folder: Path, expected: Mapping[str, Expected], clock: Clock | None = None) -> Verdict:
    """Everything that is wrong with the run in a folder, whose processes lived by a clock."""
    verdict = Verdict()
    notes = [json.loads(line) for line in (folder / NOTES).read_text().splitlines()]
    with sqlite3.connect(folder / ".cirrus/local/cirrus.db") as database:
        _records(verdict, database, expected)
        _events(verdict, database, expected)
        _steps(verdict, database, notes, clock)
        _outputs(verdict, database, notes, expected)
        _deliveries(verdict, database)
    database.close()
    _catalog(verdict, folder / "catalog", expected)
    _lines(verdict, folder)
    _checked(verdict, folder)
    return verdict


def _records(verdict: Verdict, database: sqlite3.Connection, expected: Mapping[str, Expected]) -> None:
    sql = "SELECT r.key, r.state, r.last_error, (SELECT count(*) FROM executions WHERE record = r.id) FROM records r"
    found = {key: (STATE[state], error, number) for key, state, error, number in database.execute(sql)}
    for key, wanted in expected.items():
        if key not in found:
            verdict.lost.append(f"{key}: no record")
            continue
        state, error, executions = found[key]
        if state not in ENDED:
            verdict.stuck.append(f"{key}: {state}")
        elif state != wanted.state:
            verdict.wrong.append(f"{key}: {state} ({error}), not {wanted.state}")
        if executions != 1:
            verdict.doubled.append(f"{key}: {executions} executions")
    verdict.wrong += [f"{key}: nobody asked for it" for key in found.keys() - expected.keys()]
    left = database.execute("SELECT count(*) FROM messages").fetchone()[0]
    verdict.stuck += [f"{left} messages in the queue"] * bool(left)
    held = "SELECT l.name FROM locks l JOIN owners o ON o.name = l.owner WHERE min(l.until, o.until) BETWEEN ? AND ?"
    now = time.monotonic() * 1_000_000
    locks = database.execute(held, (now, now + LEASES)).fetchall()
    verdict.stuck += [f"{name} is still held by somebody who lives" for (name,) in locks]


def _events(verdict: Verdict, database: sqlite3.Connection, expected: Mapping[str, Expected]) -> None:
    sql = "SELECT r.key, e.type FROM events e JOIN records r ON r.id = e.record"
    kinds: dict[str, Counter[str]] = defaultdict(Counter)
    for key, kind in database.execute(sql):
        if kind == "WRITE_REFUSED":  # said of a process that was asleep, beside what really happened
            verdict.refused += 1
        else:
            kinds[key][kind] += 1
    ends = {"COMPLETED": "SUCCEEDED", "FAILED": "FAILED", "INVALID": "INVALID"}
    for key, wanted in expected.items():
        right = {"CLAIMED_PROCESSING": 1, "STARTED_PROCESSING": 1, ends[wanted.state]: 1}
        if kinds[key] != right:
            verdict.doubled.append(f"{key}: events {dict(kinds[key])}")


def _recorded(database: sqlite3.Connection, clock: Clock | None) -> dict[str, float]:
    """When the success of each run was decided, by the run; for ever after where that cannot be told."""
    sql = "SELECT j.event, b.body FROM journal j LEFT JOIN bodies b ON b.id = j.body"
    found: dict[str, float] = {}
    for text, body in database.execute(sql):
        event = json.loads(text)
        if event["k"] == "ok":
            output = event["o"] if "o" in event else json.loads(body)
            if isinstance(output, dict) and "run" in output:
                at = event["t"] if clock is None else clock.real(event["t"])
                found[output["run"]] = math.inf if at is None else at
    return found


def _steps(verdict: Verdict, database: sqlite3.Connection, notes: list[dict[str, Any]], clock: Clock | None) -> None:
    """No step that was recorded as finished ran again; each was recorded once."""
    recorded = _recorded(database, clock)
    starts: dict[Step, list[dict[str, Any]]] = defaultdict(list)
    for note in notes:
        if note["kind"] == "start":
            starts[note["execution"], note["state"], note["key"]].append(note)
    for step, runs in starts.items():
        done = [recorded[run["run"]] for run in runs if run["run"] in recorded]
        if len(done) > 1:
            verdict.doubled.append(f"{step}: recorded {len(done)} times")
        if done and (late := [run for run in runs if run["at"] > done[0]]):
            verdict.doubled.append(f"{step}: ran again {late[0]['at'] - done[0]:.3f} s after it was recorded")
        verdict.again += len(runs) - len({run["attempt"] for run in runs})
    verdict.steps = len(starts)
    known = {note["run"] for note in notes if note["kind"] == "end"}
    verdict.wrong += [f"run {run}: recorded as finished, but it never was" for run in recorded.keys() - known]


def _outputs(
    verdict: Verdict, database: sqlite3.Connection, notes: list[dict[str, Any]], expected: Mapping[str, Expected]
) -> None:
    """A completed payload's output is what its own tasks made, every step of it once."""
    ended = {note["run"]: note for note in notes if note["kind"] == "end"}
    sql = (
        "SELECT r.key, e.name, b.body FROM records r JOIN executions e ON e.id = r.execution"
        " JOIN bodies b ON b.id = e.output"
    )
    for key, name, body in database.execute(sql):
        execution, wanted = unpack(name), expected.get(key)
        if wanted is None:
            continue
        own = [run for run in json.loads(body)["runs"] if ended.get(run, {}).get("execution") == execution]
        if len(own) != wanted.steps or len(set(own)) != len(own):
            verdict.wrong.append(f"{key}: {len(own)} steps made its output, not {wanted.steps}")


def _deliveries(verdict: Verdict, database: sqlite3.Connection) -> None:
    sql = "SELECT target, count(*) FROM outbox WHERE sent IS NULL GROUP BY target"
    verdict.stuck += [f"{number} deliveries to {target} were not sent" for target, number in database.execute(sql)]


def _catalog(verdict: Verdict, catalog: Path, expected: Mapping[str, Expected]) -> None:
    """Every Item stands in the catalog in its last version, and its day links to it once."""
    versions: Counter[str] = Counter()
    for key, wanted in expected.items():
        item = key.rpartition("/")[2]
        versions[item] = max(versions[item], wanted.version)
    day = catalog / "chaos/2024/05/01"
    try:
        listed = json.loads((day / "catalog.json").read_text())["links"]
    except (OSError, ValueError, KeyError) as error:
        verdict.lost.append(f"the day's catalog: {error}")
        return
    links = Counter(link["href"] for link in listed if link["rel"] == "item")
    for item, version in versions.items():
        if not version:
            continue
        file = day / f"{item}.json"
        found = json.loads(file.read_text())["properties"]["version"] if file.exists() else None
        if found != version:
            verdict.lost.append(f"{item}: version {found} in the catalog, not {version}")
        if links[f"./{item}.json"] != 1:
            verdict.lost.append(f"{item}: {links[f'./{item}.json']} links in the day's catalog")


def _lines(verdict: Verdict, folder: Path) -> None:
    """The file of events: whole lines, and every end at least once."""
    with (folder / "events.ndjson").open() as file:
        for number, line in enumerate(file, 1):
            try:
                json.loads(line)
            except ValueError:
                verdict.wrong.append(f"events.ndjson: line {number} is torn")


def _checked(verdict: Verdict, folder: Path) -> None:
    done = subprocess.run(
        [*CIRRUS, "manage", "local", "check", "--full"], cwd=folder, capture_output=True, check=False, timeout=300
    )
    if done.returncode:
        verdict.wrong += [f"check: {line}" for line in done.stdout.decode().splitlines()] or [done.stderr.decode()]
