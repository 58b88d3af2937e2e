"""`cirrus manage NAME stats`."""

from __future__ import annotations

import click

from cirrus.core.state import State
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed


@click.command()
@raw_option
@click.pass_obj
def stats(managed: Managed, raw: bool) -> None:
    """How many records entered each state, per hour and day (UTC): tables on a terminal, JSON in a pipe.

    JSON has 60 days, 36 full hours and this one, and the 36 last times 60 minutes; tables show those in which anything
    happened.
    """
    found = managed.client().stats()
    if not output.on_terminal():
        output.document(found.to_json(), raw=raw)
        return
    for name, periods in (("DAY", found.daily), ("HOUR", found.hourly)):
        rows = [(str(one.rows()[0]).replace("T", " "), *one.rows()[1:]) for one in periods if one.states]
        output.table((name, *State), rows)
        click.echo()
