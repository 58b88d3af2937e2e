"""The options by which commands choose records, and the query that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cirrus.core.instant import parse_since
from cirrus.core.state import State
from cirrus.flow.home import Home
from cirrus.ports.state_db import SORTS, Query

Command = TypeVar("Command", bound=Callable[..., Any])


class _Since(click.ParamType[int]):
    name = "N d|h|m"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_since(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _State(click.ParamType[State]):
    name = "STATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> State:
        try:
            return State.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(str(state)) for state in State if state.startswith(incomplete.upper())]


def filter_options(command: Command) -> Command:
    """Adds the options that choose records."""
    options = (
        click.option(
            "--collections-workflow",
            help="Only records of these collections and workflow: <collections>_<workflow>.",
        ),
        click.option("--collectons-workflow", "misspelt", hidden=True),
        click.option("--state", type=_State(), help=f"One of {', '.join(State)}."),
        click.option("--since", type=_Since(), help="Only what was last updated in this time span: 10h, '3 d', 15m."),
        click.option("--limit", type=click.IntRange(1), help="At most so many."),
        click.option("--error-prefix", help="Only records whose last error begins with this text."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def sort_options(command: Command) -> Command:
    """Adds the options that order records."""
    command = click.option("--ascending/--descending", default=False, help="Oldest or newest first.")(command)
    return click.option("--sort", type=click.Choice(SORTS), default="updated", show_default=True)(command)


def chosen(
    home: Home,
    *,
    collections_workflow: str | None,
    misspelt: str | None,
    state: State | None,
    since: int | None,
    error_prefix: str | None,
    sort: str = "updated",
    ascending: bool = False,
) -> Query:
    """The query for these options: of what was last updated before now, so that no command meets its own work."""
    now = home.clock()
    return Query(
        collections_workflow=collections_workflow or misspelt,
        state=state,
        since=None if since is None else now - since,
        until=now,
        error_prefix=error_prefix,
        sort=sort,
        ascending=ascending,
    )


def raw_option(command: Command) -> Command:
    """Adds -r/--raw."""
    return click.option("-r", "--raw", is_flag=True, help="Compact JSON, not pretty-printed.")(command)
