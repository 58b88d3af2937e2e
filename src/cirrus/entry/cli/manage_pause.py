"""`cirrus manage NAME pause` and `resume`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cirrus.core.throttle import COLLECTIONS, DEPLOYMENT, WORKFLOW, Pause
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
    project, _, home = managed.open()
    if workflow is not None and workflow not in project.workflows:
        known = ", ".join(sorted(project.workflows)) or "none"
        say(f"warning: there is no workflow {workflow!r} in this project; there are: {known}")
    kind, name = _named(workflow, collections)
    home.queue.pause(Pause(kind, name, home.clock(), reason))
    say(f"paused: {describe(kind, name)}; `cirrus manage {managed.name} resume{_options(kind, name)}` lifts it")


@click.command()
@_scope
@click.option("--all", "every", is_flag=True, help="Whatever is paused.")
@click.pass_obj
def resume(managed: Managed, workflow: str | None, collections: str | None, every: bool) -> None:
    """Lift a pause: that of the whole deployment, of a workflow, or of collections.

    Exits 1 if there was none.
    """
    home = managed.home()
    if every and (workflow or collections):
        raise click.UsageError("--all goes without --workflow and --collections")
    wanted = [(one.kind, one.name) for one in home.queue.pauses()] if every else [_named(workflow, collections)]
    resumed = [pair for pair in wanted if home.queue.resume(*pair)]
    for pair in resumed:
        say(f"resumed: {describe(*pair)}")
    if not resumed:
        say("nothing of the kind was paused" if not every else "nothing was paused")
    for one in home.queue.pauses():
        say(f"still paused: {describe(one.kind, one.name)}")
    sys.exit(0 if resumed else 1)


def _named(workflow: str | None, collections: str | None) -> tuple[str, str]:
    if workflow is not None and collections is not None:
        raise click.UsageError("either --workflow or --collections is expected, or neither for the whole deployment")
    if workflow is not None:
        return WORKFLOW, workflow
    return (DEPLOYMENT, "") if collections is None else (COLLECTIONS, collections)


def describe(kind: str, name: str) -> str:
    """A scope in words."""
    return f"{kind} {name}" if name else "the whole deployment"


def _options(kind: str, name: str) -> str:
    return f" --{kind} {name}" if name else ""
