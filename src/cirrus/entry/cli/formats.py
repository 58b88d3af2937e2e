"""Records as tables, JSON, NDJSON or CSV; all of them stream."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeVar

import click

from cirrus.core.jsontext import encode
from cirrus.core.record import Record
from cirrus.entry.cli import output

Command = TypeVar("Command", bound=Callable[..., Any])
FORMATS = ("table", "json", "ndjson", "csv")
_CSV = ("payload_id", "collections_workflow", "itemids", "state", "created", "updated", "attempts", "last_error")
_LOOKED_AT = 200
_MOMENT = 0.2


def format_option(command: Command) -> Command:
    """Adds --format."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(FORMATS),
        help="How records are printed; by default a table on a terminal, and NDJSON in a pipe.",
    )(command)


def print_records(records: Iterable[Record], style: str | None) -> None:
    """Print records as they come."""
    style = style or ("table" if output.on_terminal() else "ndjson")
    stream = iter(records)
    some = list(islice(stream, 1))
    if not some:
        output.say("no record matches")
    records = chain(some, stream)
    {"table": _table, "json": _json, "ndjson": _ndjson, "csv": _csv}[style](records)


def row(record: Record, width: int, ids: int = 0) -> str:
    """A record in one line of a table, cut to a width; its id takes at least `ids` characters."""
    at = record.to_json()["updated"][:19]
    error = " ".join(record.last_error.split()) if record.last_error else ""
    return _line(record.state, at, str(len(record.executions)), record.payload_id, error, width, ids)


def _line(state: str, at: str, tries: str, known: str, error: str, width: int, ids: int) -> str:
    text = f"{state:<10}  {at:<19}  {tries:>5}  {known:<{ids}}  {error}".rstrip()
    return text if len(text) <= width else f"{text[: width - 1]}…"


def width() -> int:
    """How wide a line may be: the terminal's width, or what a whole id and error need."""
    return shutil.get_terminal_size().columns if output.on_terminal() else 10_000


def _table(records: Iterable[Record]) -> None:
    """Streamed: the first records say how wide the column of ids is."""
    most, stream = width(), iter(records)
    first = _first(stream)
    ids = max([len(one.payload_id) for one in first] + [len("PAYLOAD_ID")])
    click.echo(_line("STATE", "UPDATED", "TRIES", "PAYLOAD_ID", "LAST_ERROR", most, ids))
    for record in chain(first, stream):
        click.echo(row(record, most, ids))


def _first(stream: Iterator[Record]) -> list[Record]:
    """The first records, as many as come in a moment."""
    until = time.monotonic() + _MOMENT
    found: list[Record] = []
    for record in islice(stream, _LOOKED_AT):
        found.append(record)
        if time.monotonic() > until:
            break
    return found


def _json(records: Iterable[Record]) -> None:
    output.raw(b"[")
    for n, record in enumerate(records):
        output.raw((b",\n" if n else b"\n") + encode(record.to_json()))
    output.raw(b"\n]\n")


def _ndjson(records: Iterable[Record]) -> None:
    for record in records:
        output.line(encode(record.to_json()))


def _csv(records: Iterable[Record]) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_CSV)
    for record in records:
        told = record.to_json() | {"attempts": len(record.executions)}
        writer.writerow([told.get(name, "") for name in _CSV])
