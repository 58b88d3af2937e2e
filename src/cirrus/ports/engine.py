"""The engine of homes whose workflows run elsewhere: start, look, stop, list what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

UNKNOWN = "Step Functions knows no such execution: it is too old, an express one, or was never started"


@dataclass(frozen=True, slots=True)
class Begin:
    """An execution to start: `input` is the payload's JSON text, of any size."""

    workflow: str
    execution_id: str
    payload_id: str
    input: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """An execution as the engine tells of it; instants in microseconds since the epoch, bodies resolved.

    `redrives` counts how often it went on after an end, `fixed` says why it cannot go on now (None: it can).
    """

    execution_id: str
    workflow: str
    payload_id: str
    status: str
    started: int
    stopped: int | None = None
    error: str | None = None
    cause: str | None = None
    input: bytes = b""
    output: bytes | None = None
    redrives: int = 0
    fixed: str | None = None


class Engine(Protocol):
    """Runs state machines; an execution's id is chosen by who starts it, so that starting it again is no second run."""

    def start(self, begin: Begin) -> None:
        """Start an execution; one of that id that runs or ran is left as it is.

        NotFound if there is no such workflow, InvalidPayload if the input will never be taken, StoreError if it could
        not be started now.
        """

    def redrive(self, arn: str, number: int) -> None:
        """Let an execution that has ended badly go on at the step that failed, for the `number`th time.

        One that has gone on so often already is left as it is. InvalidPayload says why it never can, StoreError that it
        could not now.
        """

    def describe(self, arn: str) -> Described | None:
        """An execution, None if the engine knows none of that ARN (any more)."""

    def stop(self, arn: str, error: str, cause: str) -> None:
        """Stop an execution; one that has ended or is unknown is left as it is."""

    def history(self, arn: str) -> list[dict[str, Any]]:
        """What happened in an execution, as Step Functions lists it, oldest first."""

    def definition(self, workflow: str) -> bytes:
        """The state machine of a workflow as JSON text. NotFound if there is none."""

    def workflows(self) -> Sequence[str]:
        """The names of the workflows that it runs, sorted."""
