"""The client on a project of its own: what the command line stands on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cirrus
from cirrus import scaffold
from cirrus.errors import NotFound, StoreError
from cirrus.ports.outbox import Entered

PAYLOAD = {"features": [{"id": "a", "collection": "c"}], "process": [{"workflow": "hello"}]}


@pytest.fixture
def client(tmp_path: Path) -> cirrus.Client:
    scaffold.create(tmp_path / "p", "p")
    return cirrus.Client("local", tmp_path / "p")


def test_pauses_come_and_go(client: cirrus.Client) -> None:
    client.pause(workflow="hello", reason="a look")
    client.pause()
    assert {(one.kind, one.name, one.reason) for one in client.pauses()} == {
        ("workflow", "hello", "a look"),
        ("deployment", "", ""),
    }
    assert client.resume(workflow="hello")
    assert not client.resume(workflow="hello")
    assert [one.kind for one in client.pauses()] == ["deployment"]
    with pytest.raises(ValueError, match="either a workflow or collections"):
        client.pause(workflow="hello", collections="c")


def test_definitions_have_their_tasks_filled_in(client: cirrus.Client) -> None:
    assert "function:hello" in json.dumps(client.definition("hello"))
    with pytest.raises(NotFound):
        client.definition("none")


def test_checks_and_backups_need_a_store(client: cirrus.Client, tmp_path: Path) -> None:
    for what in (client.check, lambda: client.backup(tmp_path / "copy.db")):
        with pytest.raises(StoreError, match="there is no state database"):
            list(what())  # type: ignore[call-overload]
    assert not (tmp_path / "p" / ".cirrus").exists()
    (queued,) = client.submit([PAYLOAD])
    assert queued.result == "queued"
    assert list(client.check(full=True)) == []
    told: list[tuple[int, int]] = []
    size = client.backup(tmp_path / "copy.db", progress=lambda done, of: told.append((done, of)))
    assert size == (tmp_path / "copy.db").stat().st_size
    assert told[-1][0] == told[-1][1]


def test_deliveries_that_are_not_parked_are_left(client: cirrus.Client) -> None:
    found: list[Entered] = list(client.deliveries())
    assert found == []
    assert list(client.retry_deliveries([7])) == [(7, False)]
    assert list(client.drop_deliveries([7, 8])) == [(7, False), (8, False)]


def test_answers_to_nobody_are_told(client: cirrus.Client) -> None:
    assert client.activity_task("arn:aws:states:local:000000000000:activity:a") is None
    for answer in (
        lambda: client.send_task_success("token", {}),
        lambda: client.send_task_failure("token"),
        lambda: client.send_task_heartbeat("token"),
    ):
        with pytest.raises(NotFound):
            answer()
