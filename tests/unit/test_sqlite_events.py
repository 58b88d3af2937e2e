"""Events in SQLite: what they have in common is stored once, and each is read as it was written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.keys import id_key, input_key, output_key
from cirrus.testing.builders import begin

DEFINITION = json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}).encode()
ARN = "arn:aws:states:local:000000000000:execution:w:"


class Store(NamedTuple):
    """A database and what writes events to it."""

    database: Database
    state_db: SqliteStateDb


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Database(tmp_path / "cirrus.db")
    yield Store(made, SqliteStateDb(made))
    made.close()


def told(payload_id: str, execution_id: str, **more: str) -> WorkflowEvent:
    """An event as `flow` makes it, or with other addresses."""
    url = f"cirrus://local/{input_key('cirrus', payload_id, execution_id)}"
    addresses = {"input_payload_url": url, "execution": ARN + execution_id} | more
    return WorkflowEvent(EventType.ALREADY_PROCESSING, payload_id, 7, **addresses)


def kept(store: Store, event: WorkflowEvent) -> tuple[int | None, str | None]:
    """Note an event, and see that it is read as it was; gives the form and the rest of its row."""
    store.state_db.note([event])
    (*_, (number, read)) = store.state_db.events(payload_id=event.payload_id)
    assert read == event
    row: tuple[int | None, str | None] = store.database.row("SELECT form, rest FROM events WHERE id = ?", (number,))
    return row


def noted(store: Store, payload_id: str, **more: str) -> tuple[WorkflowEvent, tuple[int | None, str | None]]:
    """Note an event about the execution of a new record; gives it, and the form and the rest of its row."""
    claim = begin(store.state_db, payload_id, 5, input=b"{}", definition=DEFINITION)
    event = told(payload_id, claim.execution_id or "", **more)
    return event, kept(store, event)


def test_addresses_of_many_events_are_one_form(store: Store) -> None:
    rows = {noted(store, f"c/workflow-w/{name}")[1] for name in ("a", "b", "w", "local")}
    assert len(rows) == 1
    ((form, rest),) = rows
    assert form is not None
    assert rest is None


def test_forms_are_told_apart_however_they_follow_one_another(store: Store) -> None:
    found: dict[int, set[int | None]] = {kind: set() for kind in range(5)}
    for name in "abc":
        for kind, forms in found.items():
            payload_id = f"c/workflow-w/{name}{kind}"
            execution_id = begin(store.state_db, payload_id, 5, input=b"{}", definition=DEFINITION).execution_id or ""
            url = f"cirrus://local/{output_key('cirrus', payload_id, execution_id)}"
            more = {"execution": f"arn:{kind % 2}:{execution_id}"} if kind in {1, 2, 3} else {}
            more |= {"output_payload_url": url} if kind == 3 else {}
            more |= {"input_payload_url": url} if kind == 4 else {}
            forms.add(kept(store, told(payload_id, execution_id, **more))[0])
    assert all(len(forms) == 1 and None not in forms for forms in found.values())
    assert len({form for forms in found.values() for form in forms}) == len(found)


def test_long_id_has_the_form_of_short_ones(store: Store) -> None:
    long = f"c/workflow-w/{'x' * 2000}"
    assert id_key(long) != long
    assert noted(store, long)[1] == noted(store, "c/workflow-w/a")[1]


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
    store: Store, itemids: str, more: dict[str, str]
) -> None:
    assert noted(store, "c/workflow-w/before")[1][0] is not None
    event, (form, rest) = noted(store, f"c/workflow-w/{itemids}", **more)
    assert form is None
    assert json.loads(rest or "")["input_payload_url"] == event.input_payload_url
    assert store.database.rows("SELECT 1 FROM forms WHERE name LIKE '%elsewhere%'") == []


def test_error_stands_beside_the_form(store: Store) -> None:
    _, (form, rest) = noted(store, "c/workflow-w/a", error="States.Timeout: it took too long")
    assert form is not None
    assert json.loads(rest or "") == {"error": "States.Timeout: it took too long"}
