"""`cirrus manage NAME quarantine`: messages that were no payload."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import click

from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.manage import Managed
from cirrus.errors import NotFound
from cirrus.ports.queue import Kept


@click.group(cls=LazyGroup)
def quarantine() -> None:
    """Messages that were no payload, kept with the reason."""


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@click.pass_obj
def list_messages(managed: Managed, limit: int) -> None:
    """The messages in quarantine, newest first, as NDJSON."""
    for one in managed.client().quarantined(limit):
        output.line(encode(_told(one) | {"bytes": len(one.body)}))


def _told(one: Kept) -> dict[str, Any]:
    return {"name": one.name, "at": iso(one.at), "reason": one.reason}


@quarantine.command()
@click.argument("name")
@click.pass_obj
def show(managed: Managed, name: str) -> None:
    """Print a message as it came; when and why it was put aside is said on stderr."""
    found = managed.client().home.queue.kept(name)
    if found is None:
        raise NotFound("message in quarantine", name)
    output.say(f"{iso(found.at)}: {found.reason}")
    output.raw(found.body if found.body.endswith(b"\n") else found.body + b"\n")


def _which(command: Any) -> Any:
    command = click.option("--all", "every", is_flag=True, help="Every one that is in quarantine now.")(command)
    return click.argument("names", nargs=-1, metavar="[NAME]...")(command)


@quarantine.command()
@_which
@click.pass_context
def requeue(ctx: click.Context, names: tuple[str, ...], every: bool) -> None:
    """Queue messages again as they are, once what refused them is mended: a workflow, say, or a dead URL."""
    client = ctx.obj.client()
    ctx.exit(_each(client.requeue, _names(client, names, every), "queued"))


@quarantine.command()
@_which
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def drop(ctx: click.Context, names: tuple[str, ...], every: bool, yes: bool) -> None:
    """Remove messages for good, after asking."""
    client = ctx.obj.client()
    chosen = _names(client, names, every)
    if not yes:
        click.confirm(f"Remove {output.counted(len(chosen), 'message')} for good?", abort=True, err=True)
    ctx.exit(_each(client.discard, chosen, "dropped"))


def _names(client: Any, names: tuple[str, ...], every: bool) -> list[str]:
    if bool(names) == every:
        raise click.UsageError("either NAMEs or --all is expected")
    return [one.name for one in client.quarantined(None)] if every else list(names)


def _each(act: Callable[[Collection[str]], set[str]], names: list[str], done: str) -> int:
    """Do it and say so of each; the exit code."""
    found = act(names)
    for name in names:
        output.line(encode({"name": name, "result": done if name in found else "not in quarantine"}))
    return 0 if found == set(names) else 1
