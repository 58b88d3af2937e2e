"""Callbacks: tasks that wait for an answer from outside, by token, and activities that wait for a worker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Waiting:
    """A task that waits: `place` says where in its execution; `activity` is the ARN that a worker asks for."""

    token: str
    execution_id: str
    place: str
    activity: str | None = None
    input: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for a waiting task: `kind` is `success` (an output as JSON text), `failure` or `heartbeat`."""

    execution_id: str
    place: str
    kind: str
    output: bytes | None = None
    error: str | None = None
    cause: str | None = None


class Callbacks(Protocol):
    """Waiting tasks and their answers; an answer is kept until the owner of the execution has taken it."""

    def open(self, waiting: Waiting) -> bool:
        """A task begins to wait; False if it waited already and its call was made (after a takeover)."""

    def called(self, token: str) -> None:
        """The call that hands out the token was made."""

    def answer(self, token: str, kind: str, output: bytes | None, error: str | None, cause: str | None) -> None:
        """Keep an answer. NotFound if no task waits for it (any more)."""

    def take(self, owner: str) -> list[Answer]:
        """The answers for executions of `owner`, oldest first; they are gone from here."""

    def next_activity(self, activity: str) -> Waiting | None:
        """The oldest task of an activity that no worker has been given; it is given now."""

    def close(self, execution_id: str, places: Collection[str] | None = None) -> None:
        """Tasks of an execution wait no longer: those of `places`, or all."""
