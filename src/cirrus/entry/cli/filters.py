"""The options by which commands choose records, in one place, and the query that they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cirrus.core.instant import parse_moment
from cirrus.core.state import State
from cirrus.flow.home import Home
from cirrus.flow.select import select
from cirrus.ports.query import SORTS, Query

Command = TypeVar("Command", bound=Callable[..., Any])


class _Moment(click.ParamType[str]):
    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_moment(value, 0)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return str(value)


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


_FILTERS = (
    click.option(
        "--collections-workflow",
        help="Only records of these collections and workflow: <collections>_<workflow>.",
    ),
    click.option("--collectons-workflow", "misspelt", hidden=True),
    click.option("--workflow", help="Only records of this workflow."),
    click.option("--collection", help="Only records with this one among their input collections."),
    click.option("--state", type=_State(), multiple=True, help=f"One of {', '.join(State)}; may be given again."),
    click.option(
        "--since",
        type=_Moment(),
        help="Only what was last updated in this time span (10h, '3 d', 15m) or since this time (ISO 8601).",
    ),
    click.option("--until", type=_Moment(), help="Only what was last updated before this time, given in the same way."),
    click.option("--item", help="Only records whose Items' ids match this pattern, such as 'LC08_*' or '*_T1'."),
    click.option("--error-prefix", help="Only records whose last error begins with this text."),
    click.option("--error-text", help="Only records whose last error contains this text."),
    click.option("--min-attempts", type=click.IntRange(1), help="Only what was tried so often at least."),
    click.option("--max-attempts", type=click.IntRange(1), help="Only what was tried so often at most."),
    click.option("--fingerprint", help="Only records that failed in this way, as `errors` names it."),
    click.option("--output-collection", help="Only records whose last success made an Item of this collection."),
)


def filters(command: Command) -> Command:
    """Adds the options that choose records, without --limit."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def filter_options(command: Command) -> Command:
    """Adds the options that choose records, and --limit."""
    return filters(click.option("--limit", type=click.IntRange(1), help="At most so many.")(command))


def sort_options(command: Command) -> Command:
    """Adds the options that order records."""
    command = click.option("--ascending/--descending", default=False, help="Oldest or newest first.")(command)
    return click.option("--sort", type=click.Choice(SORTS), default="updated", show_default=True, help="By what.")(
        command
    )


def chosen(home: Home, *, misspelt: str | None = None, **given: Any) -> Query:
    """The query for these options: of what was last updated before now, so that no command meets its own work."""
    return select(home, **meant(misspelt=misspelt, **given))


def meant(*, misspelt: str | None = None, **given: Any) -> dict[str, Any]:
    """The options as `Client.query` and its kin take them."""
    return {**given, "collections_workflow": given.get("collections_workflow") or misspelt}


def raw_option(command: Command) -> Command:
    """Adds -r/--raw."""
    return click.option("-r", "--raw", is_flag=True, help="Compact JSON, not pretty-printed.")(command)


def variable_option(command: Command) -> Command:
    """Adds -x/--var, variables of a template."""
    told = "A variable; wins over files."
    return click.option("-x", "--var", "given", nargs=2, multiple=True, metavar="NAME VALUE", help=told)(command)


def silence_option(command: Command) -> Command:
    """Adds --silence-templating-errors."""
    told = "Leave variables that have no value as they are."
    return click.option("--silence-templating-errors", "silent", is_flag=True, help=told)(command)
