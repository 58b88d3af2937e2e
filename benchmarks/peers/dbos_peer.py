"""DBOS on SQLite with a write-ahead log, eight workflows at a time: payloads a second through three durable steps.

`python dbos_peer.py COUNT FOLDER` prints one JSON object. DBOS needs SQLite 3.42 or newer, so the newer build that is
installed beside it stands in for Python's own.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pysqlite3
import pysqlite3.dbapi2

sys.modules["sqlite3"] = pysqlite3
sys.modules["sqlite3.dbapi2"] = pysqlite3.dbapi2

from dbos import DBOS  # after its SQLite was put in place

CONCURRENT = 8
SIZE = 6000


@DBOS.step()
def same(payload):
    """Give the payload back."""
    return payload


@DBOS.workflow()
def three(payload):
    """Three steps, one after another."""
    return same(same(same(payload)))


def main(count: int, folder: Path) -> None:
    """Let one payload through, then measure `count` of them."""
    database = folder / "dbos.db"
    connection = pysqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    DBOS(
        config={
            "name": "peer",
            "system_database_url": f"sqlite:///{database}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    try:
        _run(-1)
        began = time.perf_counter()
        with ThreadPoolExecutor(CONCURRENT) as threads:
            ended = sum(threads.map(_run, range(count)))
        took = time.perf_counter() - began
    finally:
        DBOS.destroy()
    if ended != count:
        sys.exit(f"only {ended} of {count} workflows ended")
    print(json.dumps({"payloads_s": count / took}))


def _run(number: int) -> int:
    handle = DBOS.start_workflow(three, {"number": number, "text": "x" * (SIZE - 40)})
    return int(handle.get_result()["number"] == number)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
