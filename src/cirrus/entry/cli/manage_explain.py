"""`cirrus manage NAME explain`."""

from __future__ import annotations

import click

from cirrus.core.instant import iso
from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.flow.explain import Explanation


@click.command()
@click.argument("payload_id", type=PayloadId())
@click.option("--json", "as_json", is_flag=True, help="One JSON document, pretty-printed.")
@click.pass_obj
def explain(managed: Managed, payload_id: str, as_json: bool) -> None:
    """Why a payload is in the state it is in, what it waits for, and what queueing it again would do."""
    found = managed.client().explain(payload_id)
    if as_json:
        output.document(found.to_json(), raw=False)
    else:
        _print(found)


def _print(found: Explanation) -> None:
    click.echo(f"{found.payload_id}: {found.state or 'no record'}")
    for sentence in found.why:
        click.echo(f"  {sentence}")
    click.echo("in the queue:" if found.queue else "in the queue: nothing of it")
    for sentence in found.queue:
        click.echo(f"  {sentence}")
    click.echo(f"queueing it again: {found.again.action}: {found.again.reason}")
    click.echo(f"with replace: {found.replaced.action}: {found.replaced.reason}")
    if found.events:
        click.echo("last events:")
    for event in found.events:
        error = f"  {' '.join(event.error.split())[:200]}" if event.error else ""
        click.echo(f"  {iso(event.at)[:19]}Z {event.type}{error}")
