"""Records as tables, JSON, NDJSON or CSV; all of them stream."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from cirrus.core.jsontext import encode
from cirrus.core.record import Record
from cirrus.entry.cli import output

Command = TypeVar("Command", bound=Callable[..., Any])
FORMATS = ("table", "json", "ndjson", "csv")
_CSV = ("payload_id", "collections_workflow", "itemids", "state", "created", "updated", "attempts", "last_error")
_HEAD = f"{'STATE':<10}  {'UPDATED':<19}  TRIES  PAYLOAD_ID  LAST_ERROR"


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
    {"table": _table, "json": _json, "ndjson": _ndjson, "csv": _csv}[style](records)


def row(record: Record, width: int) -> str:
    """A record in one line of a table, cut to a width."""
    at = record.to_json()["updated"][:19]
    tries = len(record.executions)
    error = f"  {' '.join(record.last_error.split())}" if record.last_error else ""
    text = f"{record.state:<10}  {at}  {tries:>5}  {record.payload_id}{error}"
    return text if len(text) <= width else f"{text[: width - 1]}…"


def width() -> int:
    """How wide a line may be: the terminal's width, or what a whole id and error need."""
    return shutil.get_terminal_size().columns if output.on_terminal() else 10_000


def _table(records: Iterable[Record]) -> None:
    most = width()
    click.echo(_HEAD)
    for record in records:
        click.echo(row(record, most))


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
