"""The id of a payload as a command takes it: that of thousands of Items is longer than a command line may be."""

from __future__ import annotations

import sys
from typing import Any

import click


class PayloadId(click.ParamType[str]):
    """An id as it is, or `-` for the one on stdin."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The id; a misuse where stdin is to give it and is empty."""
        if value != "-":
            return str(value)
        found = sys.stdin.read().strip()
        if not found:
            self.fail("stdin holds no id", param, ctx)
        return found
