"""Huey, SQLite with fsync, two worker processes: payloads a second through three chained tasks.

`python huey_peer.py COUNT FOLDER` prints one JSON object. Its consumer imports this file as a module, and finds the
database by the environment variable PEER_DATABASE.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from huey import SqliteHuey

if __name__ == "__main__":
    os.environ["PEER_DATABASE"] = str(Path(sys.argv[2]) / "huey.db")
DATABASE = os.environ["PEER_DATABASE"]
STEPS = 3
SIZE = 6000
PATIENCE = 300.0
huey = SqliteHuey(filename=DATABASE, fsync=True, results=True)


@huey.task()
def same(payload):
    """Give the payload back."""
    return payload


def main(count: int, folder: Path) -> None:
    """Start the consumer, let one payload through, then measure `count` of them."""
    consumer = Path(sys.executable).with_name("huey_consumer")
    words = [sys.executable, str(consumer), "huey_peer.huey", "-w", "2", "-k", "process", "-d", "0.001", "-b", "1"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with (folder / "consumer.log").open("wb") as log, subprocess.Popen(words, env=environment, stderr=log) as process:
        try:
            _through(1, STEPS)
            began = time.perf_counter()
            submitted = _through(count, STEPS * (count + 1), began)
            took = time.perf_counter() - began
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
    print(json.dumps({"payloads_s": count / took, "submit_s": count / submitted}))


def _through(count: int, results: int, began: float = 0.0) -> float:
    """Submit so many and wait until so many results are stored; gives the seconds that submitting took."""
    for number in range(count):
        huey.enqueue(same.s({"number": number, "text": "x" * (SIZE - 40)}).then(same).then(same))
    submitted = time.perf_counter() - began
    until = time.monotonic() + PATIENCE
    with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as connection:
        while connection.execute("SELECT count(*) FROM kv").fetchone()[0] < results:
            if time.monotonic() > until:
                sys.exit("the consumer did not finish in time")
            time.sleep(0.02)
    return submitted


if __name__ == "__main__":
    import huey_peer  # a task is known by its module's name, which is another one here

    huey_peer.main(int(sys.argv[1]), Path(sys.argv[2]))
