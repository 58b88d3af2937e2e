"""Replay: what goes into the journal, and the executions that it leads to again.

An entry holds what went into a state machine: the event, the time and chance that it may use, and for a started
execution its definition. The context of the root follows from its names and the time, and is made again. A Text stands
apart from an entry, stored once by content, and goes in as the same Text again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from cirrus import asl
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import decode, encode
from cirrus.flow.nest import Level, Nest, Path
from cirrus.flow.process import Begun
from cirrus.flow.startup import context, level
from cirrus.flow.timers import Setbacks
from cirrus.ports.journal import Entry

_PATH = "x"
_CONTEXT = "c"


def journal_entry(
    execution_id: str, seq: int, path: Path, event: Any, definition: bytes | None, more: Mapping[str, Any] | None
) -> Entry:
    """The entry of an event; `definition` is that of an execution that begins inside another, `more` tells of it."""
    body = definition
    apart = False
    if isinstance(event, asl.TaskSucceeded) and isinstance(event.output, asl.Text):
        if not path:
            return Entry(execution_id, seq, asl.answer_to_json(event), event.output.text)
        apart, body = True, event.output.text
    elif isinstance(event, asl.Start) and not path and isinstance(event.input, asl.Text):
        return Entry(execution_id, seq, asl.start_to_json(event), body)
    fields = asl.event_to_json(event, apart=apart)
    if path:
        fields |= {_PATH: path, **(more or {})}
    elif isinstance(event, asl.Start):
        del fields[_CONTEXT]
    return Entry(execution_id, seq, encode(fields), body)


def events(entries: Sequence[Entry], begun: Begun) -> Iterator[tuple[Path, Any, Entry, dict[str, Any]]]:
    """Path, event, entry and all fields of each entry of an execution."""
    for entry in entries:
        fields = decode(entry.event)
        if fields["k"] == "start":
            fields.setdefault("i", asl.Text(begun.input))
            if _CONTEXT not in fields:
                fields[_CONTEXT] = context(begun.workflow, begun.execution_id, round(fields["t"] * SECOND))
        elif fields["k"] == "ok" and "o" not in fields:
            fields["o"] = asl.Text(entry.body or b"null")
        yield tuple(fields.get(_PATH, ())), asl.event_from_json(fields), entry, fields


def fold(
    machine: Callable[[bytes], asl.Machine], begun: Begun, entries: Sequence[Entry], setbacks: Setbacks | None = None
) -> Nest:
    """The nest that a journal leads to; InvalidPayload if a body that states only pass on is damaged.

    `setbacks` learn when each timer was set.
    """
    for body in (begun.input, *(entry.body for entry in entries if entry.body is not None)):
        decode(body)
    nest = Nest({(): Level(machine(begun.definition), begun.workflow, begun.execution_id)})
    for path, event, entry, fields in events(entries, begun):
        if path and isinstance(event, asl.Start):
            nest = nest.enter(path, level(machine(entry.body or b""), fields, event))
        nest, commands = nest.step(path, event)
        if setbacks is not None:
            setbacks.follow(event.at)
            for command in commands:
                if isinstance(command, asl.SetTimer):
                    setbacks.set(path, command.ref)
    return nest
