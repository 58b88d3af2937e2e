"""Targets of every kind that do not take what they are sent: shown, parked, tried again when told, in nobody's way."""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter

from tests.e2e.conftest import Project, payload, until
from tests.e2e.test_faults import WebhookServer, make, sound, webhook

__all__ = ["webhook"]
NAMES = [f"n{n}" for n in range(8)]
BAD = ("catalog", "events_file", "events_webhook", "items_file", "messages")


def entries(project: Project, *options: str) -> list[dict[str, str]]:
    return project.lines("manage", "local", "deliveries", "list", *options)


def targets(found: list[dict[str, str]]) -> set[str]:
    """The targets of some entries."""
    return {one["target"] for one in found}


def test_every_kind_that_is_wrong_is_parked_and_goes_out_when_told(project: Project, webhook: WebhookServer) -> None:
    here = project.folder
    make(
        project,
        catalog=str(here / "catalog"),
        events_file=str(here / "events.ndjson"),
        items_file="/dev/full",
        events_webhook=f"http://127.0.0.1:{free_port()}/nobody",
        items_webhook=f"http://127.0.0.1:{webhook.server_port}/in",
        delivery_attempts=2,
    )
    project.write("catalog", "a file where the folder would be")
    (here / "events.ndjson").mkdir()
    project.write(".cirrus/local/messages", "in the way, too")
    project.write("go", "")
    project.submit(*(payload("steps", name) for name in NAMES))
    control = project.start("up")
    until(lambda: Counter(project.states().values()) == {"COMPLETED": len(NAMES)}, 30)
    until(lambda: len(webhook.got) == len(NAMES), 10)  # the one that is well gets all meanwhile
    # Of what a webhook that cannot be reached is sent, one a round is tried and counts.
    until(lambda: targets(entries(project, "--state", "waiting")) <= {"events_webhook"}, 40)
    parked = until(
        lambda: (found := entries(project, "--state", "parked")) and targets(found) == set(BAD) and found, 40
    )
    assert {one["attempts"] for one in parked} <= {1, 2}
    errors = {one["target"]: one["error"] for one in parked}
    assert "catalog" in errors["catalog"]
    assert "Is a directory" in errors["events_file"]
    assert "No space left" in errors["items_file"]
    assert "cannot be reached" in errors["events_webhook"]
    assert "messages" in errors["messages"]
    ledger = project.json("manage", "local", "summary", "-r")["deliveries"]
    assert {name for name, one in ledger.items() if one["parked"]} == set(BAD)
    found = project.cirrus("manage", "local", "check").stdout.splitlines()
    assert {json.loads(line)["subject"] for line in found} == set(BAD)
    for name in ("catalog", ".cirrus/local/messages"):
        (here / name).unlink()
    (here / "events.ndjson").rmdir()
    for target in ("catalog", "events_file", "messages"):
        project.ok("manage", "local", "deliveries", "retry", "--target", target)
    until(lambda: targets(entries(project, "--state", "parked")) == {"events_webhook", "items_file"})
    until(lambda: targets(entries(project, "--state", "waiting")) <= {"events_webhook"})
    day = here / "catalog/test/2024/05/01"
    assert all((day / f"{name}.json").exists() for name in NAMES)
    told = [json.loads(line)["body"] for line in (here / "events.ndjson").read_text().splitlines()]
    for name in NAMES:
        mine = [one["event_type"] for one in told if one["payload_id"].endswith(f"/{name}")]
        assert mine == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"]
    sent = (here / ".cirrus/local/messages/told.ndjson").read_text().splitlines()
    assert Counter(json.loads(line)["body"] for line in sent) == {f"test/workflow-steps/{name}": 1 for name in NAMES}
    assert control.poll() is None


def free_port() -> int:
    """A port at which nobody listens."""
    with WebhookServer() as server:
        return server.server_port


def test_catalog_that_never_lets_a_writer_in_holds_up_no_other(project: Project, webhook: WebhookServer) -> None:
    make(project, items_webhook=f"http://127.0.0.1:{webhook.server_port}/in", events_file="events.ndjson")
    catalog = project.folder / "catalog"
    catalog.mkdir()
    hung = os.open(catalog, os.O_RDONLY)
    fcntl.flock(hung, fcntl.LOCK_EX)  # as one who sleeps in the middle of a change
    project.submit(*(payload("item", name) for name in NAMES))
    project.start("up")
    until(lambda: Counter(project.states().values()) == {"COMPLETED": len(NAMES)}, 30)
    until(lambda: len(webhook.got) == len(NAMES), 10)
    until(lambda: {one["state"] for one in entries(project, "--target", "events_file")} == {"sent"}, 10)
    waits = until(lambda: [one for one in entries(project, "--target", "catalog") if "error" in one])
    assert all("another process is in the middle of a change" in one["error"] for one in waits)
    assert not list(catalog.rglob("n*.json"))
    os.close(hung)
    until(lambda: {one["state"] for one in entries(project, "--target", "catalog")} == {"sent"})
    assert len(list(catalog.rglob("n*.json"))) == len(NAMES)
    sound(project)
