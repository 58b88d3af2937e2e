"""`cirrus manage NAME deliveries`: the ledger of the outbox, and what was given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.ports.outbox import STATES, Entered

if TYPE_CHECKING:
    from cirrus.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(cls=LazyGroup)
def deliveries() -> None:
    """What was and is to be sent to webhooks, files and the catalog, one by one."""


@deliveries.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those that wait, were sent, or were given up.")
@click.option("--target", help="Only those to this target.")
@click.option("--payload-id", type=PayloadId(), help="Only those of this payload.")
@click.option("--limit", type=click.IntRange(1), help="At most so many.")
@click.pass_obj
def list_deliveries(managed: Managed, /, limit: int | None, **chosen: Any) -> None:
    """The deliveries that match, oldest first, as NDJSON."""
    for one in islice(managed.client().deliveries(**chosen), limit):
        output.line(encode(_shown(one)))


def _which(command: Command) -> Command:
    """Adds the argument and options that choose parked deliveries."""
    for option in (
        click.option("--all", "every", is_flag=True, help="Every one that is parked."),
        click.option("--payload-id", type=PayloadId(), help="Every one that is parked, of this payload."),
        click.option("--target", help="Every one that is parked, to this target."),
        click.argument("ids", nargs=-1, type=int, metavar="[ID...]"),
    ):
        command = option(command)
    return command


@deliveries.command()
@_which
@click.pass_context
def retry(ctx: click.Context, /, **which: Any) -> None:
    """Send parked deliveries again: by ID, or all that match.

    They are tried as often as new ones, before later ones of their payload. Items are left parked where later ones of
    the same payload were sent: they would put an old version over a new one.
    """
    client = ctx.obj.client()
    results = client.retry_deliveries(_ids(client, **which))
    ctx.exit(_tell("retried", results, "not parked, or outdated by later Items"))


@deliveries.command()
@_which
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def drop(ctx: click.Context, /, yes: bool, **which: Any) -> None:
    """Take parked deliveries off the ledger for good, after asking: by ID, or all that match. They are never sent."""
    client = ctx.obj.client()
    ids = _ids(client, **which)
    if ids and not yes:
        many = output.counted(len(ids), "delivery", "deliveries")
        click.confirm(f"Drop {many} of {client.name} for good?", abort=True, err=True)
    ctx.exit(_tell("dropped", client.drop_deliveries(ids), "not parked"))


def _ids(client: Client, ids: tuple[int, ...], target: str | None, payload_id: str | None, every: bool) -> list[int]:
    if bool(ids) == bool(target or payload_id or every):
        raise click.UsageError("either IDs, or --target, --payload-id or --all is expected")
    found = client.deliveries(state="parked", target=target, payload_id=payload_id)
    return list(ids) or [one.id for one in found]


def _tell(done: str, results: Iterable[tuple[int, bool]], why_not: str) -> int:
    """One line for each; the exit code."""
    refused = 0
    for number, good in results:
        refused += not good
        output.line(encode({"id": output.whole(number), "result": done if good else f"left: {why_not}"}))
    return 1 if refused else 0


def _shown(one: Entered) -> dict[str, Any]:
    body = {
        "id": output.whole(one.id),
        "target": one.target,
        "kind": one.kind,
        "payload_id": one.payload_id,
        "state": one.state,
        "attempts": one.attempts,
        "due": iso(one.due) if one.state == "waiting" and one.due else None,
        "sent": None if one.sent is None else iso(one.sent),
        "parked": None if one.parked is None else iso(one.parked),
        "error": one.error,
    }
    return {name: value for name, value in body.items() if value is not None}
