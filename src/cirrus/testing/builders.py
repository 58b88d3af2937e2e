"""Small values to test with: claims, ends, events, payloads, Items."""

from __future__ import annotations

from typing import Any

from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import next_execution_id
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.ports.state_db import Claim, Conclusion, Start, StateDb

AT = 1_800_000_000_000_000
LONG = "x" * 300_000
ODD_IDS = (
    "scenes/workflow-w/with space",
    "scenes/workflow-w/per%cent_under",
    "scenes/workflow-w/'quote\";--",
    "scenes/workflow-w/back\\slash?query#fragment",
    "scenes/workflow-w/Zürich-東京-🛰",
    "scenes/workflow-w/e\u0301 and \u00e9",
    "Ünïcode/more/workflow-w/a/b/c",
    "scenes/workflow-w/CaSe",
    "scenes/workflow-w/case",
    f"scenes/workflow-w/{LONG}",
    f"scenes/workflow-w/{LONG}y",
    f"scenes/workflow-w/{'東' * 900}",
)


def payload_id(name: object, workflow: str = "w", collections: str = "scenes") -> str:
    """A payload id that holds a name."""
    return f"{collections}/workflow-{workflow}/{name}"


def event(known: str, kind: EventType = EventType.CLAIMED_PROCESSING, at: int = AT, **more: Any) -> WorkflowEvent:
    """A workflow event about a payload."""
    return WorkflowEvent(kind, known, at, **more)


def claim(known: str, previous: Record | None = None, at: int = AT, **more: Any) -> Claim:
    """The claim of a payload's next execution after `previous`."""
    given: dict[str, Any] = {"input": b'{"id":"in"}', "definition": b'{"StartAt":"A"}', **more}
    given.setdefault("execution_id", next_execution_id(known, previous.executions if previous else ()))
    return Claim(payload_id=known, previous=previous, at=at, **given)


def begin(state_db: StateDb, known: str, at: int = AT, **more: Any) -> Record:
    """Claim a payload, with whatever record it has, and give its record."""
    previous = state_db.get([known]).get(known)
    assert state_db.claim([claim(known, previous, at, **more)]) == [True]
    return state_db.get([known])[known]


def starting(record: Record, at: int = AT, **more: Any) -> Start:
    """The start of a record's current execution."""
    assert record.execution_id is not None
    return Start(record.payload_id, record.execution_id, at, **more)


def ending(record: Record, state: State = State.COMPLETED, at: int = AT, **more: Any) -> Conclusion:
    """The end of a record's current execution."""
    assert record.execution_id is not None
    return Conclusion(payload_id=record.payload_id, execution_id=record.execution_id, state=state, at=at, **more)


def finish(
    state_db: StateDb, known: str, state: State = State.COMPLETED, at: int = AT, owner: str = "o", **more: Any
) -> Record:
    """Claim and end a payload, and give its record."""
    record = begin(state_db, known, at, owner=owner)
    assert state_db.conclude([ending(record, state, at, **more)]) == [True]
    return state_db.get([known])[known]


def item(name: str, collection: str | None = "scenes", **properties: Any) -> dict[str, Any]:
    """A STAC Item."""
    found: dict[str, Any] = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": {"type": "Point", "coordinates": [7.0, 47.0]},
        "bbox": [7.0, 47.0, 7.0, 47.0],
        "properties": {"datetime": "2026-05-18T10:00:00Z", **properties},
        "links": [],
        "assets": {},
    }
    return found if collection is None else {**found, "collection": collection}


def document(*items: str | dict[str, Any], process: Any = "w", **more: Any) -> dict[str, Any]:
    """A payload document of Items (or Items of these ids) for one workflow, or with these process definitions."""
    definitions = [{"workflow": process}] if isinstance(process, str) else process
    features = [item(one) if isinstance(one, str) else one for one in items]
    return {"type": "FeatureCollection", "features": features, "process": definitions, **more}
