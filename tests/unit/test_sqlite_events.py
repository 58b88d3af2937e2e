"""Events in SQLite: what they have in common is stored once, and each is read as it was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.keys import id_key, input_key
from cirrus.testing.builders import begin

DEFINITION = json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}).encode()
ARN = "arn:aws:states:local:000000000000:execution:w:"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "cirrus.db")
    yield made
    made.close()


def told(payload_id: str, execution_id: str, **more: str) -> WorkflowEvent:
    """An event as `flow` makes it, or with other addresses."""
    url = f"cirrus://local/{input_key('cirrus', payload_id, execution_id)}"
    addresses = {"input_payload_url": url, "execution": ARN + execution_id} | more
    return WorkflowEvent(EventType.ALREADY_PROCESSING, payload_id, 7, **addresses)


def noted(database: Database, payload_id: str, **more: str) -> tuple[WorkflowEvent, tuple[int | None, str | None]]:
    """Note an event about the execution of a new record; gives it, and the form and the rest of its row."""
    state_db = SqliteStateDb(database)
    claim = begin(state_db, payload_id, 5, input=b"{}", definition=DEFINITION)
    event = told(payload_id, claim.execution_id, **more)
    state_db.note([event])
    (*_, (number, read)) = state_db.events(payload_id=payload_id)
    assert read == event
    return event, database.row("SELECT form, rest FROM events WHERE id = ?", (number,))


def test_addresses_of_many_events_are_one_form(database: Database) -> None:
    rows = {noted(database, f"c/workflow-w/{name}")[1] for name in ("a", "b", "w", "local")}
    assert len(rows) == 1
    ((form, rest),) = rows
    assert form is not None
    assert rest is None


def test_long_id_has_the_form_of_short_ones(database: Database) -> None:
    long = f"c/workflow-w/{'x' * 2000}"
    assert id_key(long) != long
    assert noted(database, long)[1] == noted(database, "c/workflow-w/a")[1]


@pytest.mark.parametrize(
    ("itemids", "more"),
    [
        ("é ü", {"input_payload_url": "cirrus://local/cirrus/executions/c/workflow-w/%C3%A9%20%C3%BC/x/input.json"}),
        ("{payload}", {}),
        ("a", {"input_payload_url": "https://elsewhere/a.json"}),
        ("a", {"execution": "arn:of:another:12345678-1234-5678-1234-567812345678"}),
        ("a", {"input_payload_url": "cirrus://local/{execution}/c/workflow-w/a"}),
    ],
)
def test_address_that_does_not_follow_from_payload_and_execution_is_kept(
    database: Database, itemids: str, more: dict[str, str]
) -> None:
    event, (form, rest) = noted(database, f"c/workflow-w/{itemids}", **more)
    assert form is None
    assert json.loads(rest or "")["input_payload_url"] == event.input_payload_url
    assert database.rows("SELECT 1 FROM forms WHERE name LIKE '%elsewhere%'") == []


def test_error_stands_beside_the_form(database: Database) -> None:
    _, (form, rest) = noted(database, "c/workflow-w/a", error="States.Timeout: it took too long")
    assert form is not None
    assert json.loads(rest or "") == {"error": "States.Timeout: it took too long"}
