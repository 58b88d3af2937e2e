"""A progress bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
import time

import click

from cirrus.entry.cli.output import counted

_WIDTH = 24
_PAUSE = 0.2


class Progress:
    """How many are done, how fast, and how much of the whole where that is known (`size` in bytes)."""

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._shown = sys.stderr.isatty()
        self._visible = False
        self._began = time.monotonic()
        self._next = self._began + _PAUSE
        self._read = 0
        self._done = 0

    def read(self, more: int) -> None:
        """So many bytes more were read."""
        self._read += more

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._shown and time.monotonic() >= self._next:
            self._draw()

    def clear(self) -> None:
        """Take the bar away, so that something else can be printed."""
        if self._visible:
            click.echo("\r\x1b[K", err=True, nl=False)
            self._visible = False

    def _draw(self) -> None:
        now = time.monotonic()
        self._next = now + _PAUSE
        part = min(1.0, self._read / self._size) if self._size else None
        bar = "" if part is None else f"[{'#' * round(part * _WIDTH):<{_WIDTH}}] {part:4.0%}  "
        rate = self._done / (now - self._began)
        click.echo(f"\r\x1b[K{bar}{counted(self._done, 'payload')}, {rate:,.0f}/s", err=True, nl=False)
        self._visible = True
