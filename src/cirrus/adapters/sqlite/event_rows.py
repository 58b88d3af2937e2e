"""Events as rows: what all events of a workflow have in common is stored once.

The URLs and the ARN of an event differ from those of others by its payload and its execution alone, and both are known
by number. What is left of them is a form, of which there are a few for each workflow. An address that cannot be put
together again in this way is kept as it is, in `rest`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cirrus.adapters.sqlite.columns import pack, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.core.event import UNKNOWN, EventType, WorkflowEvent
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import id_key

About = tuple[WorkflowEvent, int | None, int | None]
_INSERT = "INSERT INTO events (at, type, record, execution, form, rest)"
_ADDRESSES = ("input_payload_url", "output_payload_url", "execution")
_PAYLOAD, _EXECUTION = "{payload}", "{execution}"
_MOST_LIKELY = 1000
SELECT = (
    "SELECT e.id, e.at, e.type, e.rest, coalesce(r.full_id, r.key), r.key, x.name, f.name FROM events e"
    " LEFT JOIN records r ON r.id = e.record LEFT JOIN executions x ON x.id = e.execution"
    " LEFT JOIN forms f ON f.id = e.form"
)


class EventRows:
    """Writes the events of a Database."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._likely: dict[tuple[str, bool], _Form] = {}

    def write(self, events: Sequence[About]) -> None:
        """Keep events, each with the numbers of the record and of the execution that it is about."""
        forms: dict[tuple[str | None, ...], int | None] = {}
        self._db.insert(_INSERT, [self._row(forms, *one) for one in events])

    def _row(
        self,
        forms: dict[tuple[str | None, ...], int | None],
        event: WorkflowEvent,
        record: int | None,
        execution: int | None,
    ) -> tuple[Any, ...]:
        """The values of _INSERT; `forms` are those of the addresses of the events before: most come several times."""
        if record is not None and execution is not None:
            addresses = (event.payload_id, event.input_payload_url, event.output_payload_url, event.execution)
            if addresses not in forms:
                form = self._form(event)
                forms[addresses] = None if form is None else self._db.form_id(form)
            number = forms[addresses]
            if number is not None:
                rest = None if event.error is None else encode({"error": event.error}).decode()
                return event.at, str(event.type), record, execution, number, rest
        fields = {name: getattr(event, name) for name in (*_ADDRESSES, "error")}
        fields["payload_id"] = event.payload_id if record is None else None
        given = {name: value for name, value in fields.items() if value is not None}
        return event.at, str(event.type), record, None, None, encode(given).decode() if given else None

    def _form(self, event: WorkflowEvent) -> str | None:
        """The addresses of an event without its payload and its execution; None if they do not follow from those.

        First it is held against the form that the last event of such an execution had.
        """
        given = f"{event.input_payload_url or ''}\n{event.output_payload_url or ''}\n{event.execution or ''}"
        engine, _, execution_id = (event.execution or "").rpartition(":")
        if not execution_id or "{" in given or given.count("\n") != 2:  # nothing in it can be taken for a mark
            return None
        key = id_key(event.payload_id)
        kind = engine, event.output_payload_url is None
        likely = self._likely.get(kind)
        if likely is not None and likely.filled(key, execution_id) == given:
            return likely.name
        form = given.replace(execution_id, _EXECUTION).replace(key, _PAYLOAD)
        urls = (event.input_payload_url is not None) + (event.output_payload_url is not None)
        if form.count(_PAYLOAD) != urls or form.count(_EXECUTION) != urls + 1:
            return None
        if len(self._likely) >= _MOST_LIKELY:
            self._likely.clear()
        self._likely[kind] = _Form(form)
        return form


class _Form:
    """A form, and what stands between its marks."""

    __slots__ = ("_parts", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._parts = [part.split(_PAYLOAD) for part in name.split(_EXECUTION)]

    def filled(self, key: str, execution_id: str) -> str:
        """The addresses of an event of this payload and execution."""
        return execution_id.join([key.join(part) for part in self._parts])


def execution_of(event: WorkflowEvent) -> str:
    """The id of the execution that an event names, empty if it names none."""
    return (event.execution or "").rpartition(":")[2]


def numbers(database: Database, events: Sequence[WorkflowEvent]) -> dict[str, int]:
    """The executions that events name, by id, those that are there."""
    names = {pack(known): known for known in map(execution_of, events) if known}
    return {names[name]: number for name, number in database.rows_of(_NAMED, names)}


_NAMED = "SELECT name, id FROM executions WHERE name IN ({})"


def read(row: Any) -> tuple[int, WorkflowEvent]:
    """The number and the event of a row of SELECT."""
    number, at, kind, rest, payload_id, key, name, form = row
    fields = decode(rest) if rest else {}
    known = fields.pop("payload_id", None) or payload_id or UNKNOWN
    if form and key and name:
        addresses = _Form(form).filled(key, unpack(name)).split("\n")
        fields |= {name: value for name, value in zip(_ADDRESSES, addresses, strict=True) if value}
    return number, WorkflowEvent(EventType(kind), known, at, **fields)
