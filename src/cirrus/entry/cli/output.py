"""What a command prints: data on stdout, everything that is said to a person on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from cirrus.core.jsontext import encode, encode_pretty

_EXACT = 2**53


def say(message: str) -> None:
    """A message to a person, on stderr."""
    click.echo(message, err=True)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: `1 record`, `1,200 records`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def whole(number: int) -> int | str:
    """A number as JSON can hold it exactly: text where it is too large for that."""
    return number if abs(number) < _EXACT else str(number)


def line(text: bytes) -> None:
    """One line of NDJSON."""
    sys.stdout.buffer.write(text + b"\n")


def raw(text: bytes) -> None:
    """Bytes as they are."""
    sys.stdout.buffer.write(text)


class Lines:
    """Lines of NDJSON about work that goes on whether or not anybody still reads them."""

    def __init__(self) -> None:
        self._read = True

    def __call__(self, text: bytes) -> None:
        """One line; nothing once the reader has gone."""
        if self._read:
            self._try(lambda: line(text))

    def flush(self) -> None:
        """Send what is still held back."""
        if self._read:
            self._try(sys.stdout.flush)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except BrokenPipeError:
            self._read = False
            silence()


def silence() -> None:
    """Throw away what stdout still holds: its reader has gone, and the interpreter would try to send it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(value: Any, *, raw: bool) -> None:
    """One JSON document, pretty-printed unless `raw`."""
    line(encode(value) if raw else encode_pretty(value))


def on_terminal() -> bool:
    """Whether stdout is a terminal: a table is shown there, JSON in a pipe."""
    return sys.stdout.isatty()


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table of text, its columns as wide as they need to be; numbers stand to the right."""
    cells = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(str(row[n])) for row in cells) for n in range(len(head))]
    for row in cells:
        shown = (
            str(cell).rjust(width) if isinstance(cell, int) else str(cell).ljust(width)
            for cell, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(shown).rstrip())
