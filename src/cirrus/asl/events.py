"""What a driver tells the engine, and how a journal holds it.

Every event carries all of the time and chance that a step may use: `at`, in seconds since the epoch, and `seed`.
The input of a Start and the output of a TaskSucceeded may be a Text. A journal has to give a Text again as the same
Text, or its value each time: a Text is as large as its text, which need not be compact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from cirrus.asl.data import opened


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Start:
    """Begin an execution; `context` gives texts: Execution {Id, Name, RoleArn, StartTime}, StateMachine {Id, Name}."""

    at: float
    seed: int
    input: Any
    context: dict[str, Any]


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class TaskSucceeded:
    """The task, reader or writer `ref` gave `output`."""

    at: float
    seed: int
    ref: int
    output: Any


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The task, reader or writer `ref` failed."""

    at: float
    seed: int
    ref: int
    error: str
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSubmitted:
    """The task `ref` was accepted by its service, which answered `output`; only the history shows it."""

    at: float
    seed: int
    ref: int
    output: Any


@dataclass(frozen=True, slots=True)
class TaskHeartbeat:
    """The task `ref` is alive."""

    at: float
    seed: int
    ref: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of timer `ref` has come."""

    at: float
    seed: int
    ref: int


@dataclass(frozen=True, slots=True)
class Abort:
    """Stop the execution."""

    at: float
    seed: int
    error: str | None = None
    cause: str | None = None


Event = Start | TaskSucceeded | TaskFailed | TaskSubmitted | TaskHeartbeat | TimerFired | Abort

KEYS = {
    "at": "t",
    "seed": "s",
    "ref": "r",
    "input": "i",
    "context": "c",
    "output": "o",
    "error": "e",
    "cause": "w",
}

KINDS: dict[str, type[Any]] = {
    "start": Start,
    "ok": TaskSucceeded,
    "fail": TaskFailed,
    "sub": TaskSubmitted,
    "beat": TaskHeartbeat,
    "timer": TimerFired,
    "abort": Abort,
}

_BODIES = ("input", "output")
_SHAPES = {  # of the JSON: a kind's name, its fields but the body, its body's field; looked up for every event
    kind: (
        name,
        [(KEYS[field], field) for field in kind.__dataclass_fields__ if field not in _BODIES],
        next((field for field in kind.__dataclass_fields__ if field in _BODIES), None),
    )
    for name, kind in KINDS.items()
}


def event_to_json(event: Event, *, apart: bool = False) -> dict[str, Any]:
    """The event for a journal; its keys never change their meaning. With `apart` without its input or output."""
    name, named, body = _SHAPES[type(event)]
    fields = {"k": name}
    for key, field in named:
        fields[key] = getattr(event, field)
    if body is not None and not apart:
        fields[KEYS[body]] = opened(getattr(event, body))
    return fields


def start_to_json(event: Start) -> bytes:
    """What `event_to_json` gives for a start whose input stands apart, but for its context, as JSON text."""
    return orjson.dumps({"k": "start", "t": event.at, "s": event.seed})


def answer_to_json(event: TaskSucceeded) -> bytes:
    """What `event_to_json` gives for an answer whose output stands apart, as JSON text: most of a journal is this."""
    return orjson.dumps({"k": "ok", "t": event.at, "s": event.seed, "r": event.ref})


def event_from_json(entry: dict[str, Any]) -> Event:
    """The event that a journal holds; raises ValueError if it holds none."""
    kind = KINDS.get(entry.get("k", ""))
    if kind is None:
        raise ValueError(f"not an event of this engine: kind {entry.get('k')!r}")
    try:
        event: Event = kind(**{field: entry[KEYS[field]] for field in kind.__dataclass_fields__})
    except KeyError as error:
        raise ValueError(f"the {entry['k']} event lacks the key {error}") from None
    return event
