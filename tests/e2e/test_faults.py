"""Faults as they happen: full disks, locks, damage, sleep, and targets that do not answer."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cirrus.adapters.local.append import append
from cirrus.errors import StoreError
from tests.e2e.conftest import Project, payload, task_state, until

TASKS = """
import os, pathlib, time

def note(payload):
    file = os.open("journal.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{os.environ['CIRRUS_STATE']} {os.environ['CIRRUS_PAYLOAD_ID']}\\n".encode())
    os.close(file)
    return payload

def wait(payload):
    note(payload)
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return payload

def item(payload):
    for one in payload["features"]:
        one.update(properties={"datetime": "2024-05-01T00:00:00Z"}, links=[], assets={})
    return note(payload)
"""
SEND = {
    "Type": "Task",
    "Resource": "arn:aws:states:::sns:publish",
    "Parameters": {"TopicArn": "arn:aws:sns:local:0:told", "Message.$": "$.id"},
    "ResultPath": None,
    "Next": "third",
}


def make(project: Project, **settings: str | int) -> Project:
    """Tasks and workflows, and settings of the deployment `local`."""
    project.write("tasks/steps.py", TASKS)
    tables = "".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in ("note", "wait", "item"))
    given = "".join(f"{name} = {json.dumps(value)}\n" for name, value in ({"lease": "1s"} | settings).items())
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}[deployments.local]\n{given}')
    for name in ("note", "wait", "item"):
        project.workflow(name, {"StartAt": name, "States": {name: task_state(name)}})
    states = {
        "first": task_state("note", Next="second"),
        "second": task_state("wait", Next="send"),
        "send": SEND,
        "third": task_state("item"),
    }
    project.workflow("steps", {"StartAt": "first", "States": states})
    return project


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves nothing free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def journal(project: Project) -> Counter[str]:
    path = project.folder / "journal.txt"
    return Counter(path.read_text().splitlines() if path.exists() else [])


def database(project: Project, *statements: str, root: Path | None = None) -> list[tuple[object, ...]]:
    """Run statements on the database; gives the rows of the last."""
    path = (root or project.folder / ".cirrus/local") / "cirrus.db"
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def sound(project: Project) -> None:
    done = project.cirrus("manage", "local", "check", "--full")
    assert done.returncode == 0, (done.stdout, done.stderr)


# ---------------------------------------------------------------- disks


def test_full_disk_of_the_database_stops_and_loses_nothing(project: Project, disk: Path) -> None:
    make(project, root=str(disk / "root"))
    project.submit(*(payload("steps", name) for name in "abc"))
    control = project.start("up", "--workers", "3")
    until(lambda: sum(line.startswith("second") for line in journal(project).elements()) == 3)
    filler = fill(disk)
    project.write("go", "")
    refused = project.cirrus("manage", "local", "process", stdin=json.dumps(payload("note", "x" * 200)).encode())
    assert refused.returncode == 4
    assert b"full" in refused.stderr
    assert b"Traceback" not in refused.stderr
    time.sleep(1.0)
    assert control.poll() is None
    assert set(project.states().values()) == {"PROCESSING"}
    filler.unlink()
    until(lambda: set(project.states().values()) == {"COMPLETED"}, 30)
    control.terminate()
    _, said = control.communicate(timeout=30)
    assert b"disk is full" in said
    assert set(journal(project).values()) == {1}  # every outcome was kept until it could be written
    sound(project)


def test_full_disk_of_the_catalog_holds_up_publishing_alone(project: Project, disk: Path) -> None:
    make(project, catalog=str(disk / "catalog"))
    filler = fill(disk)
    project.submit(payload("item", "a"))
    project.start("up")
    until(lambda: set(project.states().values()) == {"COMPLETED"})
    ledger = until(lambda: project.json("manage", "local", "summary", "-r")["deliveries"]["catalog"]["last_error"])
    assert "No space left" in ledger
    filler.unlink()
    until(lambda: (disk / "catalog/test/2024/05/01/a.json").exists(), 30)
    until(lambda: project.json("manage", "local", "summary", "-r")["deliveries"]["catalog"]["waiting"] == 0)
    assert not list(disk.rglob("*.part"))


def test_full_disk_tears_no_line(disk: Path) -> None:
    log = disk / "events.ndjson"
    append(log, [b'{"n":1}\n'])
    filler = fill(disk)
    with pytest.raises(StoreError, match="No space left"):
        append(log, [b'{"n":"%s"}\n' % (b"y" * 9000), b'{"n":3}\n'])
    assert log.read_bytes() == b'{"n":1}\n'
    filler.unlink()
    append(log, [b'{"n":2}\n'])
    assert log.read_bytes() == b'{"n":1}\n{"n":2}\n'


def test_line_that_a_kill_has_torn_is_mended(tmp_path: Path) -> None:
    log = tmp_path / "events.ndjson"
    log.write_bytes(b'{"n":1}\n{"n":')
    append(log, [b'{"n":2}\n'])
    assert log.read_bytes() == b'{"n":1}\n{"n":2}\n'
    log.write_bytes(b"somebody else's")
    append(log, [b'{"n":2}\n'])
    assert log.read_bytes() == b'somebody else\'s\n{"n":2}\n'


def test_read_only_database_is_said_and_left_alone(project: Project, disk: Path) -> None:
    make(project, root=str(disk / "root"))
    project.submit(payload("note", "a"))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for words in (("manage", "local", "process"), ("up", "--until-idle")):
        done = project.cirrus(*words, stdin=json.dumps(payload("note", "b")).encode())
        assert done.returncode == 4, (words, done.stderr)
        assert b"state database" in done.stderr
        assert b"Traceback" not in done.stderr
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    project.drain()
    assert project.states() == {"test/workflow-note/a": "COMPLETED"}


# ---------------------------------------------------------------- locks

STORM = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
end = time.monotonic() + float(sys.argv[3])
while time.monotonic() < end:
    database.execute("BEGIN IMMEDIATE" if sys.argv[2] == "write" else "BEGIN")
    database.execute("SELECT count(*) FROM records").fetchone()
    time.sleep(0.2)
    database.execute("COMMIT")
    time.sleep(0.02)
"""


def test_storm_of_locks_only_slows(project: Project) -> None:
    make(project)
    project.submit(*(payload("item", f"n{n}") for n in range(60)))
    path = str(project.folder / ".cirrus/local/cirrus.db")
    kinds = ("write", "read", "read", "read")
    storm = [subprocess.Popen([sys.executable, "-c", STORM, path, kind, "6"]) for kind in kinds]
    project.drain()
    assert [one.wait() for one in storm] == [0, 0, 0, 0]
    assert Counter(project.states().values()) == {"COMPLETED": 60}
    assert set(journal(project).values()) == {1}
    sound(project)


def test_four_that_open_a_new_database_at_once(project: Project) -> None:
    make(project)
    started = [project.start("up", "--until-idle") for _ in range(4)]
    for one in started:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said


# ---------------------------------------------------------------- damage


def test_damaged_bodies_fail_their_own_payload_and_no_other(project: Project) -> None:
    make(project)
    project.submit(payload("steps", "a"), payload("steps", "b"))
    first = project.start("up")
    until(lambda: sum(line.startswith("second") for line in journal(project).elements()) == 2)
    first.kill()
    first.wait()
    project.submit(payload("note", "c"), payload("note", "d"))
    input_of_a = "SELECT e.input FROM executions e JOIN records r ON r.id = e.record WHERE r.key LIKE '%/a'"
    database(
        project,
        f"UPDATE bodies SET body = x'7b22ff' WHERE id = ({input_of_a})",
        "UPDATE bodies SET body = x'00' WHERE id = (SELECT min(body) FROM messages)",
    )
    project.write("go", "")
    project.drain()
    assert project.states() == {
        "test/workflow-steps/a": "FAILED",
        "test/workflow-steps/b": "COMPLETED",
        "test/workflow-note/d": "COMPLETED",
    }
    error = project.json("manage", "local", "get-state", "test/workflow-steps/a")["last_error"]
    assert error.startswith("Cirrus.CannotStart: its history cannot be replayed: InvalidPayload")
    kinds = [one["type"] if "type" in one else one["event_type"] for one in project.lines("manage", "local", "events")]
    assert kinds.count("RECORD_EXTRACT_FAILED") == 1
    found = project.cirrus("manage", "local", "check")
    assert found.returncode == 1
    problems = Counter(json.loads(line)["problem"] for line in found.stdout.splitlines())
    assert problems["body-damaged"] == 2


def test_damaged_delivery_holds_up_no_other(project: Project) -> None:
    make(project)
    project.submit(payload("item", "a"), payload("item", "b"))
    filler = project.write("catalog", "in the way")  # a file: nothing can be published below it
    one = project.start("up")
    until(lambda: Counter(project.states().values()) == {"COMPLETED": 2})
    one.terminate()
    one.wait()
    database(
        project,
        "UPDATE bodies SET body = x'7b22ff' WHERE id = (SELECT body FROM outbox WHERE payload_id LIKE '%/a')",
        "UPDATE outbox SET due = 0",
    )
    filler.unlink()
    project.start("up")
    until(lambda: (project.folder / "catalog/test/2024/05/01/b.json").exists(), 20)
    (error,) = until(lambda: database(project, "SELECT error FROM outbox WHERE error LIKE '%InvalidPayload%'"))
    assert "no valid JSON" in str(error)


# ---------------------------------------------------------------- sleep


def test_process_that_slept_through_its_lease_doubles_nothing(project: Project) -> None:
    make(project)
    project.submit(*(payload("steps", name) for name in "abc"))
    asleep = project.start("up", "--workers", "3")
    until(lambda: sum(line.startswith("second") for line in journal(project).elements()) == 3)
    asleep.send_signal(signal.SIGSTOP)
    time.sleep(1.2)
    project.write("go", "")
    project.drain()
    assert Counter(project.states().values()) == {"COMPLETED": 3}
    done = journal(project)
    asleep.send_signal(signal.SIGCONT)
    project.submit(payload("item", "after"))
    until(lambda: project.states().get("test/workflow-item/after") == "COMPLETED")
    time.sleep(0.5)
    assert asleep.poll() is None
    assert journal(project) - done == Counter({"item test/workflow-item/after": 1})
    assert all(done[f"{state} test/workflow-steps/{name}"] == 1 for name in "abc" for state in ("first", "third"))
    told = (project.folder / ".cirrus/local/messages/told.ndjson").read_text().splitlines()
    assert Counter(json.loads(line)["body"] for line in told) == {f"test/workflow-steps/{name}": 1 for name in "abc"}
    asleep.terminate()
    _, said = asleep.communicate(timeout=30)
    assert b"Traceback" not in said
    sound(project)


# ---------------------------------------------------------------- targets


class Webhook(BaseHTTPRequestHandler):
    """Answers as its server is told: well, wrongly, or not."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        assert isinstance(server, WebhookServer)
        mood = server.mood
        if mood == "silent":
            server.released.wait(30)
            return
        time.sleep(0.3 if mood == "slow" else 0)
        if mood != "wrong":  # noted before the answer, after which the next one may come
            server.got.append(json.loads(body))
        self.send_response(500 if mood == "wrong" else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class WebhookServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Webhook)
        self.mood = "well"
        self.got: list[dict[str, str]] = []
        self.released = threading.Event()


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    server = WebhookServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("mood", ["silent", "wrong", "slow"])
def test_webhook_in_a_mood_holds_up_nothing(project: Project, webhook: WebhookServer, mood: str) -> None:
    webhook.mood = mood
    make(project, events_webhook=f"http://127.0.0.1:{webhook.server_port}/in")
    names = [f"n{n}" for n in range(20)]
    project.submit(*(payload("item", name) for name in names))
    project.start("up")
    day = project.folder / "catalog/test/2024/05/01"
    until(lambda: all((day / f"{name}.json").exists() for name in names), 8)
    webhook.mood = "well"
    webhook.released.set()
    until(lambda: Counter(one["event_type"] for one in webhook.got)["SUCCEEDED"] >= 20, 40)
    for name in names:
        mine = [one["event_type"] for one in webhook.got if one["payload_id"].endswith(f"/{name}")]
        assert list(dict.fromkeys(mine)) == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"]


def test_delivery_that_was_given_up_is_sent_again_when_told(project: Project, webhook: WebhookServer) -> None:
    webhook.mood = "wrong"
    make(project, events_webhook=f"http://127.0.0.1:{webhook.server_port}/in", delivery_attempts=1)
    project.submit(payload("item", "a"), payload("item", "b"))
    project.start("up")
    parked = ("manage", "local", "deliveries", "list", "--state", "parked", "--target", "events_webhook")
    until(lambda: len(project.lines(*parked)) == 6)
    assert Counter(project.states().values()) == {"COMPLETED": 2}
    one = project.lines(*parked)[0]
    assert (one["state"], one["attempts"], one["kind"]) == ("parked", 1, "event")
    assert one["error"].endswith("the answer was 500")
    found = project.cirrus("manage", "local", "check")
    assert [json.loads(line)["problem"] for line in found.stdout.splitlines()] == ["parked-deliveries"]
    webhook.mood = "well"
    assert project.cirrus("manage", "local", "deliveries", "drop", str(one["id"])).returncode == 130  # nobody says yes
    assert project.lines("manage", "local", "deliveries", "drop", str(one["id"]), "--yes") == [
        {"id": one["id"], "result": "dropped"}
    ]
    again = project.lines("manage", "local", "deliveries", "retry", "--target", "events_webhook")
    assert Counter(one["result"] for one in again) == {"retried": 5}
    until(lambda: len(webhook.got) == 5)
    for name in "ab":
        mine = [told["event_type"] for told in webhook.got if told["payload_id"].endswith(f"/{name}")]
        assert mine == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"][3 - len(mine) :]
    until(lambda: not project.lines("manage", "local", "deliveries", "list", "--state", "waiting"))
    sound(project)
    for words in (["retry", str(one["id"])], ["drop", "999", "--yes"]):
        refused = project.cirrus("manage", "local", "deliveries", *words)
        assert refused.returncode == 1
        assert b"left: not parked" in refused.stdout
    assert project.cirrus("manage", "local", "deliveries", "drop").returncode == 2


# ---------------------------------------------------------------- signals


def test_sigterm_is_heeded_while_the_database_is_locked(project: Project) -> None:
    make(project)
    project.submit(payload("wait", "a"))
    control = project.start("up")
    until(lambda: journal(project))
    with closing(sqlite3.connect(project.folder / ".cirrus/local/cirrus.db", isolation_level=None)) as lock:
        lock.execute("BEGIN IMMEDIATE")
        control.terminate()
        time.sleep(1)
        control.terminate()
        lock.execute("COMMIT")
    _, said = control.communicate(timeout=30)
    assert control.returncode == 0
    assert b"1 left running" in said
