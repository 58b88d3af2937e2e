"""Attempts in flight: what was asked for, under which id, and what they printed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from cirrus.flow.nest import Path, show_path
from cirrus.flow.result import Wanted
from cirrus.ports.compute import SOURCES, Attempt
from cirrus.ports.journal import AttemptLog


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Doing:
    """An attempt in flight: whose it is, and the command that asked for it."""

    execution_id: str
    path: Path
    command: Any
    wanted: Wanted


def attempt_id(execution_id: str, path: Path, ref: int) -> str:
    """The id of the attempt for a command of an execution of a nest."""
    return f"{execution_id}:{show_path((*path, ref))}" if path else f"{execution_id}:{ref}"


def attempt(key: str, payload_id: str, workflow: str, doing: Doing, sources: str | None = None) -> Attempt:
    """The attempt `key` as the compute takes it; `sources` is JSON of the Items that the execution was given."""
    command = doing.command
    context = {
        "payload_id": payload_id,
        "execution_id": doing.execution_id,
        "workflow": workflow,
        "state": command.state,
        "attempt": str(command.attempt + 1),
    }
    if sources is not None:
        context[SOURCES] = sources
    return Attempt(key, doing.wanted.task, doing.wanted.payload, getattr(command, "timeout", None), context)


def attempt_log(doing: Doing, text: bytes, started: int, ended: int | None, error: str | None) -> AttemptLog:
    """What an attempt printed."""
    command = doing.command
    return AttemptLog(
        doing.execution_id,
        _number(doing.path, command.ref),
        command.state,
        doing.wanted.task,
        command.attempt + 1,
        started,
        ended,
        error,
        text,
    )


def _number(path: Path, ref: int) -> int:
    """A number for a command among all of a nest; the root's are their refs."""
    return ref if not path else int.from_bytes(hashlib.sha256(show_path(path).encode()).digest()[:4]) << 24 | ref
