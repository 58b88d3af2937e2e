"""`cirrus manage NAME get-state`, `query`, `summary` and `abort`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.instant import iso
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, filters, meant, raw_option, sort_options
from cirrus.entry.cli.formats import format_option, print_records
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.manage_pause import describe
from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.flow.summary import Summary


@click.command("get-state")
@click.argument("payload_id", type=PayloadId())
@raw_option
@click.pass_obj
def get_state(managed: Managed, payload_id: str, raw: bool) -> None:
    """The record of one payload."""
    output.document(managed.client().record(payload_id).to_json(), raw=raw)


@click.command("query")
@filter_options
@sort_options
@format_option
@click.pass_obj
def query_records(managed: Managed, /, limit: int | None, style: str | None, **given: Any) -> None:
    """The records that match, the last updated first."""
    print_records(managed.client().query(limit, **meant(**given)), style)


@click.command()
@filters
@click.option("--format", "style", type=click.Choice(("table", "json", "csv")), help="By default as on a terminal.")
@raw_option
@click.pass_obj
def summary(managed: Managed, /, style: str | None, raw: bool, **given: Any) -> None:
    """How many records are in each state: a table on a terminal, JSON in a pipe."""
    print_summary(managed.client().summary(**meant(**given)), style, raw=raw)


def print_summary(found: Summary, style: str | None, *, raw: bool) -> None:
    """Print a summary."""
    style = style or ("table" if output.on_terminal() else "json")
    if style == "json":
        output.document(found.to_json(), raw=raw)
    elif style == "csv":
        for row in (("collections_workflow", *State), *found.rows()):
            click.echo(",".join(_quoted(str(cell)) for cell in row))
    else:
        output.table(("COLLECTIONS_WORKFLOW", *State), found.rows())
        click.echo(f"queued: {found.queued}")
        for pause in found.pauses:
            why = f": {pause.reason}" if pause.reason else ""
            click.echo(f"paused: {describe(pause.kind, pause.name)} since {iso(pause.at)}{why}")
        for target in found.deliveries:
            parked = f", {target.parked} parked ({target.last_error})" if target.parked else ""
            click.echo(f"{target.target}: {target.sent} sent, {target.waiting} waiting{parked}")


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(one in cell for one in ',"\n') else cell


@click.command()
@click.argument("payload_id", type=PayloadId(), required=False)
@filters
@raw_option
@click.pass_obj
def abort(managed: Managed, /, payload_id: str | None, raw: bool, **given: Any) -> None:
    """Stop the running execution of a payload, or of every record that matches; records end ABORTED."""
    chosen = {name: value for name, value in given.items() if value not in (None, ())}
    if (payload_id is None) == (not chosen):
        raise click.UsageError("either PAYLOAD_ID or options that choose records are expected")
    if payload_id is not None:
        output.document(managed.client().abort(payload_id).to_json(), raw=raw)
        return
    stopped = 0
    for record in managed.client().abort_all(**meant(**chosen)):
        stopped += 1
        output.line(encode(record.to_json()))
    output.say(f"{stopped} stopped")
