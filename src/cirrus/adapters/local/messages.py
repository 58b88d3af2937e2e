"""The messages that a delivery stands for: a workflow event, or one for each Item of an output payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.core import payload_id as ids
from cirrus.core.jsontext import decode
from cirrus.core.publication import output_items, publication
from cirrus.errors import InvalidPayload
from cirrus.ports.outbox import Delivery

Message = tuple[Any, Mapping[str, str | float]]


def messages(delivery: Delivery) -> Iterator[Message]:
    """Each message's body and its attributes."""
    body = decode(delivery.body)
    if delivery.kind == "event":
        yield body, _event_attributes(body)
        return
    for item in output_items(body):
        yield item, publication(item).attributes


def _event_attributes(body: Mapping[str, Any]) -> dict[str, str | float]:
    found: dict[str, str | float] = {"event_type": body["event_type"]}
    try:
        parts = ids.parse(body["payload_id"])
    except InvalidPayload:
        pass
    else:
        found |= {"workflow": parts.workflow, "collections": parts.collections}
    return found | ({"error": body["error"]} if body.get("error") else {})
