"""Workflow events: one for everything that Cirrus decides about a payload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cirrus.core import payload_id as ids
from cirrus.core.instant import from_iso, iso
from cirrus.errors import InvalidPayload


class EventType(StrEnum):
    """What was decided."""

    CLAIMED_PROCESSING = "CLAIMED_PROCESSING"
    STARTED_PROCESSING = "STARTED_PROCESSING"
    ALREADY_PROCESSING = "ALREADY_PROCESSING"
    ALREADY_CLAIMED = "ALREADY_CLAIMED"
    ALREADY_COMPLETED = "ALREADY_COMPLETED"
    ALREADY_INVALID = "ALREADY_INVALID"
    DUPLICATE_ID_ENCOUNTERED = "DUPLICATE_ID_ENCOUNTERED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    INVALID = "INVALID"
    ABORTED = "ABORTED"
    RECORD_EXTRACT_FAILED = "RECORD_EXTRACT_FAILED"
    NOT_A_PROCESS_PAYLOAD = "NOT_A_PROCESS_PAYLOAD"
    CHAIN_ENDED = "CHAIN_ENDED"
    WRITE_REFUSED = "WRITE_REFUSED"


MEANINGS: Mapping[EventType, str] = {
    EventType.CLAIMED_PROCESSING: "a payload was claimed",
    EventType.STARTED_PROCESSING: "its execution began",
    EventType.ALREADY_PROCESSING: "a payload was queued and skipped: an execution of it runs",
    EventType.ALREADY_CLAIMED: "it was skipped: another process has claimed it",
    EventType.ALREADY_COMPLETED: "it was skipped: it has completed, and `replace` is not set",
    EventType.ALREADY_INVALID: "it was skipped: it is invalid, and `replace` is not set",
    EventType.DUPLICATE_ID_ENCOUNTERED: "the same id was twice in one batch",
    EventType.SUCCEEDED: "an execution succeeded",
    EventType.FAILED: "an execution failed",
    EventType.TIMED_OUT: "an execution took longer than its limit",
    EventType.INVALID: "a task said that the input can never work",
    EventType.ABORTED: "an execution was stopped on purpose",
    EventType.RECORD_EXTRACT_FAILED: "a message was no JSON, or the URL in it led nowhere",
    EventType.NOT_A_PROCESS_PAYLOAD: "a message was JSON, but no valid payload",
    EventType.CHAIN_ENDED: "a chain ended before its last workflow: no Items were left",
    EventType.WRITE_REFUSED: (
        "a control process or an operator wrote about an execution that had ended, was "
        "taken over, or is no longer the current one; nothing of it was kept"
    ),
}
"""When each is written, as the reference says it."""

UNKNOWN = "unknown"


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class WorkflowEvent:
    """One event; `at` in microseconds since the epoch, URLs and the execution's as a person can open them."""

    type: EventType
    payload_id: str
    at: int
    input_payload_url: str | None = None
    output_payload_url: str | None = None
    execution: str | None = None
    error: str | None = None

    def body(self) -> dict[str, Any]:
        """The JSON body; absent fields are left out."""
        fields = {
            "event_type": str(self.type),
            "payload_id": self.payload_id,
            "isotimestamp": iso(self.at),
            "input_payload_url": self.input_payload_url,
            "output_payload_url": self.output_payload_url,
            "execution": self.execution,
            "error": self.error,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def attributes(self) -> dict[str, str]:
        """The attributes by which subscribers filter, all strings."""
        found = {"event_type": str(self.type)}
        try:
            parts = ids.parse(self.payload_id)
        except InvalidPayload:
            pass
        else:
            found |= {"workflow": parts.workflow, "collections": parts.collections}
        if self.error:
            found["error"] = self.error
        return found


def from_body(body: Mapping[str, Any]) -> WorkflowEvent:
    """The event of a body, as `body` makes it."""
    fields = dict(body)
    return WorkflowEvent(EventType(fields.pop("event_type")), at=from_iso(fields.pop("isotimestamp")), **fields)
