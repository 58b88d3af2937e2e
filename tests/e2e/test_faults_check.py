"""`cirrus manage NAME check` and `backup`: what they find, and what they copy while it is in use."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, payload, task_state, until

TASKS = """
import pathlib, time

def good(payload):
    return payload

def wait(payload):
    pathlib.Path("began").touch()
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return payload
"""
A = "(SELECT id FROM records WHERE key LIKE '%/a')"
DAMAGE = {
    "record-without-execution": f"UPDATE records SET execution = 999999 WHERE id = {A}",
    "ended-but-running": f"UPDATE records SET state = 6 WHERE id = {A}",
    "running-but-ended": f"UPDATE executions SET stopped = NULL, status = 'RUNNING' WHERE record = {A}",
    "wrong-end": f"UPDATE executions SET status = 'FAILED', error = 'Cirrus.CannotStart' WHERE record = {A}",
    "missing": f"DELETE FROM bodies WHERE id = (SELECT output FROM executions WHERE record = {A})",
    "body-damaged": f"UPDATE bodies SET body = body || x'20' WHERE id = (SELECT output FROM executions"
    f" WHERE record = {A})",
    "journal-gap": "DELETE FROM journal WHERE seq = 0",
    "journal-unreadable": "UPDATE journal SET event = x'7b' WHERE seq = 1",
    "journal-disagrees": "DELETE FROM journal WHERE seq = 1",
    "parked-deliveries": "UPDATE outbox SET sent = NULL, parked = 1, error = 'no'",
}


@pytest.fixture
def done(project: Project) -> Project:
    project.write("tasks/steps.py", TASKS)
    tables = "".join(f'[tasks.{name}]\nhandler = "tasks.steps:{name}"\n' for name in ("good", "wait"))
    project.write("cirrus.toml", f'[project]\nname = "test"\n{tables}[deployments.local]\nlease = "1s"\n')
    for name in ("good", "wait"):
        project.workflow(name, {"StartAt": name, "States": {name: task_state(name)}})
    one = payload("good", "a")
    one["features"][0] |= {"properties": {"datetime": "2024-05-01T00:00:00Z"}, "links": [], "assets": {}}
    project.submit(one)
    project.drain()
    return project


def _run(project: Project, statement: str) -> None:
    with closing(sqlite3.connect(project.folder / ".cirrus/local/cirrus.db", isolation_level=None)) as connection:
        connection.execute(statement)


def _problems(project: Project, *options: str) -> set[str]:
    checked = project.cirrus("manage", "local", "check", *options)
    found = [json.loads(line) for line in checked.stdout.splitlines()]
    assert checked.returncode == (1 if found else 0), checked.stderr
    assert all(one.keys() == {"problem", "subject", "detail"} for one in found)
    return {one["problem"] for one in found}


def test_check_finds_nothing_where_nothing_is(done: Project) -> None:
    assert _problems(done) == set()
    assert _problems(done, "--full") == set()


@pytest.mark.parametrize("problem", DAMAGE)
def test_check_finds_what_is_wrong(done: Project, problem: str) -> None:
    _run(done, DAMAGE[problem])
    assert problem in _problems(done)
    assert problem in _problems(done, "--full")


def test_check_and_backup_of_the_default_deployment(done: Project, tmp_path: Path) -> None:
    assert done.cirrus("check", "--full").returncode == 0
    assert done.json("backup", str(tmp_path / "copy.db"))["bytes"] > 0
    assert done.cirrus("check", "--deployment", "nowhere").returncode == 3


def test_check_finds_what_nobody_works_on(done: Project) -> None:
    done.submit(payload("wait", "b"))
    control = done.start("up")
    until((done.folder / "began").exists)
    assert _problems(done) == set()
    control.kill()
    control.wait()
    assert _problems(done) == set()  # the next one will take it over
    _run(done, "UPDATE owners SET until = until - 3600000000")
    assert _problems(done) == {"abandoned"}


def test_check_finds_damaged_pages(done: Project) -> None:
    _run(done, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = done.folder / ".cirrus/local/cirrus.db"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 9] = b"\xff" * 4096 * 6
    path.write_bytes(data)
    checked = done.cirrus("manage", "local", "check")
    assert checked.returncode in (1, 4), checked.stderr
    assert b"Traceback" not in checked.stderr
    assert b"malformed" in checked.stdout + checked.stderr or b"database-damaged" in checked.stdout


def test_check_of_nothing_makes_no_database(project: Project) -> None:
    checked = project.cirrus("manage", "local", "check")
    assert checked.returncode == 4
    assert b"there is no state database" in checked.stderr
    assert not (project.folder / ".cirrus").exists()


def test_backup_is_of_one_moment_and_whole_while_work_goes_on(done: Project, tmp_path: Path) -> None:
    done.submit(*(payload("good", f"n{n:04d}") for n in range(600)))
    control = done.start("up")
    copies = []
    for n in range(3):
        copy = tmp_path / f"copy-{n}.db"
        told = done.json("manage", "local", "backup", str(copy))
        assert told == {"file": str(copy), "bytes": copy.stat().st_size}
        copies.append(copy)
    control.terminate()
    control.wait()
    assert sorted(tmp_path.glob("*copy*")) == copies
    assert not list(tmp_path.glob(".*"))
    for copy in copies:
        with closing(sqlite3.connect(copy)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            sql = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM records)"
            assert database.execute(sql).fetchone() == (601,)


def test_backup_goes_on_where_it_was_made(done: Project, tmp_path: Path) -> None:
    done.submit(*(payload("good", f"n{n}") for n in range(50)))
    done.ok("manage", "local", "backup", str(tmp_path / "copy.db"))
    done.drain()
    root = done.folder / ".cirrus/local"
    for file in root.glob("cirrus.db*"):
        file.unlink()
    (tmp_path / "copy.db").rename(root / "cirrus.db")
    assert len(done.states()) == 1
    done.drain()
    assert len(done.states()) == 51
    assert _problems(done, "--full") <= {"parked-deliveries"}  # their Items have no properties


def test_backup_writes_over_nothing_unless_told(done: Project, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    refused = done.cirrus("manage", "local", "backup", str(copy))
    assert refused.returncode == 4
    assert b"--force" in refused.stderr
    assert copy.read_text() == "mine"
    done.ok("manage", "local", "backup", str(copy), "--force")
    assert copy.read_bytes().startswith(b"SQLite format 3")
    own = done.cirrus("manage", "local", "backup", str(done.folder / ".cirrus/local/cirrus.db"), "--force")
    assert own.returncode == 4
    nowhere = done.cirrus("manage", "local", "backup", str(tmp_path / "no" / "folder.db"))
    assert nowhere.returncode == 4
    assert b"Traceback" not in nowhere.stderr
