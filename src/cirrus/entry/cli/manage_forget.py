"""`cirrus manage NAME forget`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant
from cirrus.entry.cli.manage import Managed
from cirrus.flow.forget import FORGOTTEN

_SHOWN = 5


@click.command()
@click.argument("payload_ids", nargs=-1, metavar="[PAYLOAD_ID]...")
@filter_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def forget(ctx: click.Context, /, payload_ids: tuple[str, ...], limit: int | None, yes: bool, **given: Any) -> None:
    """Delete records with their executions, payloads, logs and events, after asking; outputs stay where they are.

    By PAYLOAD_ID, or every record that matches and has ended. The payload is new if it is queued again. What runs is
    left alone; the exit code is 1 if anything was.
    """
    managed: Managed = ctx.obj
    client = managed.client()
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if bool(payload_ids) == bool(chosen):
        raise click.UsageError("either PAYLOAD_IDs or options that choose records are expected")
    ids = list(payload_ids) or [one.payload_id for one in client.query(limit, **meant(**chosen))]
    if not ids:
        output.say("no record matches")
        return
    if not yes:
        more = f"\n  … and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        output.say("\n".join(f"  {known}" for known in ids[:_SHOWN]) + more)
        click.confirm(f"Forget {output.counted(len(ids), 'record')} of {managed.name} for good?", abort=True, err=True)
    left = 0
    for known, result in client.forget(ids):
        left += result != FORGOTTEN
        output.line(encode({"payload_id": known, "result": result}))
    ctx.exit(1 if left else 0)
