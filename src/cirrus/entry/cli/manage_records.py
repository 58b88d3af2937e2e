"""`cirrus manage NAME get-state`, `query`, `summary` and `abort`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import chosen, filter_options, raw_option, sort_options
from cirrus.entry.cli.manage import Managed
from cirrus.flow import query
from cirrus.flow.select import select

_LEDGER = ("waiting", "sent", "parked", "last_error")


@click.command("get-state")
@click.argument("payload_id")
@raw_option
@click.pass_obj
def get_state(managed: Managed, payload_id: str, raw: bool) -> None:
    """The record of one payload."""
    output.document(query.record(managed.home(), payload_id).to_json(), raw=raw)


@click.command("query")
@filter_options
@sort_options
@click.pass_obj
def query_records(managed: Managed, /, limit: int | None, **filters: Any) -> None:
    """The records that match, as NDJSON."""
    home = managed.home()
    for record in query.records(home, chosen(home, **filters), limit):
        output.line(encode(record.to_json()))


@click.command()
@click.option("--collections-workflow", help="Only this collections and workflow: <collections>_<workflow>.")
@raw_option
@click.pass_obj
def summary(managed: Managed, collections_workflow: str | None, raw: bool) -> None:
    """How many records are in each state: a table on a terminal, JSON in a pipe."""
    home = managed.home()
    counts = home.state_db.count(select(home, collections_workflow=collections_workflow))
    queued = home.queue.depth()
    ledger = home.outbox.ledger()
    if output.on_terminal():
        rows = [(name, *(found.get(state, 0) for state in State)) for name, found in counts.items()]
        output.table(("COLLECTIONS_WORKFLOW", *State), rows)
        click.echo(f"queued: {queued}")
        for target in ledger:
            parked = f", {target.parked} parked ({target.last_error})" if target.parked else ""
            click.echo(f"{target.target}: {target.sent} sent, {target.waiting} waiting{parked}")
        return
    workflows = {name: {str(state): n for state, n in found.items()} for name, found in counts.items()}
    deliveries = {target.target: {name: getattr(target, name) for name in _LEDGER} for target in ledger}
    output.document({"workflows": workflows, "queued": queued, "deliveries": deliveries}, raw=raw)


@click.command()
@click.argument("payload_id")
@raw_option
@click.pass_obj
def abort(managed: Managed, payload_id: str, raw: bool) -> None:
    """Stop the running execution of a payload; its record ends ABORTED."""
    from cirrus.flow.abort import abort as stop

    output.document(stop(managed.home(), payload_id).to_json(), raw=raw)
