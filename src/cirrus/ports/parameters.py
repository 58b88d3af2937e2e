"""Parameters of tasks: what a task has declared that it takes, checked before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with parameters, and what could not be checked and why; both name the parameter or task."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Parameters(Protocol):
    """The schemas that tasks declare; a task that declares none takes anything."""

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Hold a process definition's `tasks` to what the tasks of a state machine (JSON text) declare."""

    def schema(self, definition: bytes) -> dict[str, Any]:
        """The JSON schema of `tasks` for a state machine: the union of what its tasks declare."""
