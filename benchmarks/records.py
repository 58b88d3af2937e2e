"""What a payload costs while the database grows: from a thousand to millions of records that have ended before.

A bulk generator writes the old records with SQL, their bodies shared, each with its execution, its history, events and
Items. At each size the same number of new payloads goes all the way, by one control process; figures are per payload.
With --queued so many more payloads wait in the queue while memory is measured.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.deployment import Deployment, deployment, payload, payloads
from benchmarks.figures import arguments, show

ROUNDS = 3
CHUNK = 100_000
MOST = 10_000_000
SPACING = 1000  # microseconds between the ends of old records
BULK = ("journal_mode=DELETE", "journal_mode=OFF", "synchronous=OFF", "cache_size=-500000")


def grow(database: Path, first: int, last: int) -> None:
    """Copy record 1 until there are `last` old ones, `first` of which are there already; bodies are shared.

    Each table and index is written in its order, once: nothing else has the database open, so there is no log. The
    secondary indexes are made anew at the end, which sorts them.
    """
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    connection.create_function("spread", 1, _spread, deterministic=True)
    for setting in BULK:
        connection.execute(f"PRAGMA {setting}")
    indexes = connection.execute(_INDEXES).fetchall()
    base = max(connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in ("records", "executions"))
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for begin in range(first, last, CHUNK):
        end = min(begin + CHUNK, last) - 1
        connection.execute("BEGIN IMMEDIATE")
        for sql in _copies(connection):
            connection.execute(sql, {"begin": begin, "end": end, "base": base - first + 1})
        connection.execute("COMMIT")
    for _, sql in indexes:
        connection.execute(sql)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    with database.open("rb") as file:
        os.fsync(file.fileno())  # gigabytes that are yet to be written would be measured too


_INDEXES = (
    "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
    " AND tbl_name IN ('records', 'executions', 'events')"
)
_TIMES = ("created", "updated", "claimed_at", "started", "stopped", "at")


def _spread(number: int) -> bytes:
    """16 bytes for an execution id that come in order and yet from the whole range, as those of other ids do."""
    return (number * (1 << 128) // MOST).to_bytes(16, "big")


def _copies(connection: sqlite3.Connection) -> list[str]:
    """Statements that copy the first record and all that belongs to it to the numbers from `begin` to `end`."""
    key = "printf('bench/workflow-three/old-%08d', i)"
    item = "printf('old-%08d', i)"
    number = ":base + i"
    times = {name: f"t.{name} - ({MOST} - i) * {SPACING}" for name in _TIMES}
    events = {"id": "NULL", "record": number, "execution": number} | times
    return [
        _copy(connection, "records", "id = 1", {"id": number, "key": key, "execution": number} | times),
        _copy(connection, "executions", "id = 1", {"id": number, "name": "spread(i)", "record": number} | times),
        _copy(connection, "journal", "execution = 1", {"execution": number}),
        _copy(connection, "events", "record = 1", events),
        _copy(connection, "items", "execution = 1", {"execution": number, "item": item}),
    ]


def _copy(connection: sqlite3.Connection, table: str, which: str, others: dict[str, str]) -> str:
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(others.get(column, f"t.{column}") for column in columns)
    series = "n(i) AS (SELECT :begin UNION ALL SELECT i + 1 FROM n WHERE i < :end)"
    kept = f"t AS MATERIALIZED (SELECT * FROM {table} WHERE {which} ORDER BY 1, 2)"
    into = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM n CROSS JOIN t"
    return f"WITH RECURSIVE {series}, {kept} {into}"


def queue(database: Path, count: int) -> None:
    """Add waiting messages, each with a body of its own."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    connection.execute("PRAGMA synchronous=OFF")
    number = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM bodies").fetchone()[0]
    lane = connection.execute(
        "SELECT c.id, r.grp FROM collections c, records r WHERE r.id = 1 AND c.name = 'bench'"
    ).fetchone()
    for begin in range(0, count, CHUNK):
        connection.execute("BEGIN IMMEDIATE")
        for n in range(begin, min(begin + CHUNK, count)):
            known = f"bench/workflow-three/wait-{n:08d}"
            text = json.dumps({"id": known, **json.loads(payload(f"wait-{n:08d}", 600))}).encode()
            connection.execute("INSERT INTO bodies VALUES (?, randomblob(32), ?)", (number + n, text))
            connection.execute(
                "INSERT INTO messages (body, key, priority, collections, grp, queued) VALUES (?, ?, 0, ?, ?, 0)",
                (number + n, known, *lane),
            )
        connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def measure(one: Deployment, records: int, count: int) -> dict[str, float]:
    """The medians of some rounds with so many records."""
    with one.up():
        ran = [one.run(payloads(f"new-{records}-{number}", count)) for number in range(ROUNDS)]
    return {
        "records": records,
        "cpu_ms_per_payload": statistics.median(each.cpu for each in ran) / count * 1000,
        "ms_per_payload": statistics.median(each.seconds for each in ran) / count * 1000,
        "database_mb": one.database.stat().st_size / 1e6,
    }


def memory(one: Deployment, count: int) -> dict[str, float]:
    """Peak memory of the control process and all its workers while it begins to work a long queue."""
    queue(one.database, count)
    one.peak_mb = 0.0
    with one.working():
        time.sleep(15)
    return {"queued": count, "peak_mb": one.peak_mb}


def main() -> None:
    """Print one line for each size; with --json one object that holds them all."""
    given = arguments(
        __doc__,
        ("payloads", 2000, "how many payloads a round has"),
        ("largest", 1_000_000, "up to how many records"),
        ("queued", 0, "how many payloads wait while memory is measured"),
    )
    sizes = [size for size in (10**power for power in range(3, 8)) if size <= given.largest]
    found: list[dict[str, Any]] = []
    with deployment() as one:
        with one.up():
            pass
        held = 0
        for size in sizes:
            began = time.perf_counter()
            one.let_go()
            grow(one.database, held, size)
            held = size
            print(f"{size} records written in {time.perf_counter() - began:.0f} s", file=sys.stderr)
            found.append(measure(one, size, given.payloads))
            show(found[-1], False)
        figures: dict[str, Any] = {"sizes": found}
        if given.queued:
            figures |= memory(one, given.queued)
    if given.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
