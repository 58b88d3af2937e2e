"""What SQLite alone reaches with the rows of one payload: an insert, three step results stored, four updates.

`python sqlite_limit.py COUNT` prints one JSON object. Imports nothing but the standard library.
"""

import json
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

SIZE = 6000
GROUP = 100


def main(count: int) -> None:
    """Insert `count` payloads and take each through three steps, 100 changes a commit, synchronous=FULL."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "limit.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE payloads (id TEXT PRIMARY KEY, state TEXT, updated REAL, body BLOB)")
        connection.execute("CREATE INDEX by_state ON payloads (state, updated)")
        connection.execute("CREATE TABLE steps (payload TEXT, step INT, result BLOB, PRIMARY KEY (payload, step))")
        began = time.perf_counter()
        changes = [("INSERT INTO payloads VALUES (?, 'QUEUED', ?, ?)", _payload(n)) for n in range(count)]
        _commit(connection, changes)
        inserted = time.perf_counter() - began
        for step in range(4):
            _commit(connection, [change for n in range(count) for change in _step(n, step)])
        took = time.perf_counter() - began
        connection.close()
    print(json.dumps({"payloads_s": count / took, "submit_s": count / inserted}))


def _payload(number: int) -> tuple[object, ...]:
    return (f"bench/workflow-three/{number:08d}", time.time(), f"{number:08d}".encode() * (SIZE // 8))


def _step(number: int, step: int) -> list[tuple[str, tuple[object, ...]]]:
    known, _, body = _payload(number)
    states = ("CLAIMED", "ONE", "TWO", "COMPLETED")
    changes: list[tuple[str, tuple[object, ...]]] = []
    if step:
        changes.append(("INSERT INTO steps VALUES (?, ?, ?)", (known, step, body)))
    changes.append(("UPDATE payloads SET state = ?, updated = ? WHERE id = ?", (states[step], time.time(), known)))
    return changes


def _commit(connection: sqlite3.Connection, changes: list[tuple[str, tuple[object, ...]]]) -> None:
    for begin in range(0, len(changes), GROUP):
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in changes[begin : begin + GROUP]:
            connection.execute(statement, values)
        connection.execute("COMMIT")


if __name__ == "__main__":
    main(int(sys.argv[1]))
