"""`cirrus manage NAME pause` and `resume`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cirrus.core.throttle import COLLECTIONS, WORKFLOW, Pause
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.output import say

Command = TypeVar("Command", bound=Callable[..., Any])


def _scope(command: Command) -> Command:
    """Adds the options that choose what is paused; without any, the whole deployment."""
    command = click.option("--workflow", help="Only this workflow.")(command)
    return click.option("--collections", help="Only these collections: the first part of payload ids.")(command)


@click.command()
@_scope
@click.option("--reason", default="", help="Shown by `summary`.")
@click.pass_obj
def pause(managed: Managed, workflow: str | None, collections: str | None, reason: str) -> None:
    """Begin nothing more, in any control process, until resumed: all of it, a workflow, or collections.

    What runs goes on to its end. Payloads are still queued.
    """
    _refuse_both(workflow, collections)
    client = managed.client()
    if workflow is not None and workflow not in client.project.workflows:
        known = ", ".join(sorted(client.project.workflows)) or "none"
        say(f"warning: there is no workflow {workflow!r} in this project; there are: {known}")
    one = client.pause(workflow=workflow, collections=collections, reason=reason)
    lifts = f"cirrus manage {managed.name} resume{_options(one.kind, one.name)}"
    say(f"paused: {describe(one.kind, one.name)}; `{lifts}` lifts it")


@click.command()
@_scope
@click.option("--all", "every", is_flag=True, help="Whatever is paused.")
@click.pass_obj
def resume(managed: Managed, workflow: str | None, collections: str | None, every: bool) -> None:
    """Lift a pause: that of the whole deployment, of a workflow, or of collections.

    Exits 1 if there was none.
    """
    _refuse_both(workflow, collections)
    if every and (workflow or collections):
        raise click.UsageError("--all goes without --workflow and --collections")
    from cirrus.client.keeping import scope

    client = managed.client()
    wanted = [_words(one) for one in client.pauses()] if every else [{"workflow": workflow, "collections": collections}]
    resumed = [words for words in wanted if client.resume(**words)]
    for words in resumed:
        say(f"resumed: {describe(*scope(**words))}")
    if not resumed:
        say("nothing of the kind was paused" if not every else "nothing was paused")
    for one in client.pauses():
        say(f"still paused: {describe(one.kind, one.name)}")
    sys.exit(0 if resumed else 1)


def _refuse_both(workflow: str | None, collections: str | None) -> None:
    if workflow is not None and collections is not None:
        raise click.UsageError("either --workflow or --collections is expected, or neither for the whole deployment")


def _words(one: Pause) -> dict[str, str | None]:
    """The keywords that name what is paused."""
    return {kind: one.name if one.kind == kind else None for kind in (WORKFLOW, COLLECTIONS)}


def describe(kind: str, name: str) -> str:
    """A scope in words."""
    return f"{kind} {name}" if name else "the whole deployment"


def _options(kind: str, name: str) -> str:
    return f" --{kind} {name}" if name else ""
