"""The option --priority, by name or number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def priority_option(command: Command) -> Command:
    """Adds --priority, which is given as a number."""
    return click.option(
        "--priority",
        callback=_read,
        metavar="low|normal|high|-9..9",
        default="normal",
        show_default=True,
        help="Higher ones run first; what follows in a chain keeps it.",
    )(command)


def _read(ctx: click.Context, param: click.Parameter, value: str) -> int:
    from cirrus.core.priority import parse_priority

    try:
        return parse_priority(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
