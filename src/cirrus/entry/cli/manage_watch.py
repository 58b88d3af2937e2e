"""`cirrus manage NAME watch`."""

from __future__ import annotations

import sys
from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filters, meant
from cirrus.entry.cli.formats import row, width
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.manage_records import print_summary


@click.command()
@filters
@click.option("--summary", "counts", is_flag=True, help="The counts per state, renewed, rather than record by record.")
@click.option("--interval", type=click.FloatRange(0.05), default=1.0, show_default=True, help="Seconds between looks.")
@click.pass_obj
def watch(managed: Managed, /, counts: bool, interval: float, **given: Any) -> None:
    """Follow live, until interrupted: records that match whenever they change, or the summary.

    A table on a terminal, NDJSON in a pipe. A record that changes twice between two looks is printed once.
    """
    if counts:
        _summaries(managed, interval, given)
    else:
        _records(managed, interval, given)


def _records(managed: Managed, interval: float, given: dict[str, Any]) -> None:
    table = output.on_terminal()
    if table:
        output.say(f"watching {managed.name}: records as they change; interrupt to stop")
    for record in managed.client().watch(interval, **meant(**given)):
        if record is None:
            sys.stdout.flush()
        elif table:
            click.echo(row(record, width()))
        else:
            output.line(encode(record.to_json()))


def _summaries(managed: Managed, interval: float, given: dict[str, Any]) -> None:
    client = managed.client()
    table = output.on_terminal()
    for found in client.watch_summary(interval, **meant(**given)):
        if table:
            click.clear()
        print_summary(found, None, raw=True)
        sys.stdout.flush()
