"""`cirrus manage NAME catalog check`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.manage import Managed


@click.group(cls=LazyGroup)
def catalog() -> None:
    """The static catalog of a deployment."""


@catalog.command()
@filter_options
@click.option("--web/--no-web", default=False, help="Also ask for Assets with http and https URLs.")
@click.pass_context
def check(ctx: click.Context, /, limit: int | None, web: bool, **filters: Any) -> None:
    """Whether the Items of everything that completed stand in the catalog, with Assets that exist.

    Prints one line of JSON for each flaw: `problem`, `item`, `payload_id`, `detail`. The exit code is 1 if there are
    any.
    """
    from cirrus.core.jsontext import encode
    from cirrus.flow.catalog_check import Tally

    managed: Managed = ctx.obj
    tally, flaws = Tally(), 0
    for flaw in managed.client().check_catalog(tally, limit=limit, web=web, **meant(**filters)):
        flaws += 1
        output.line(encode(asdict(flaw)))
    told = f"{tally.items} Items and {tally.assets} Assets looked at, {flaws} flaws"
    told += f"; {tally.waiting} Items wait to be delivered" if tally.waiting else ""
    output.say(told + (f"; {tally.not_checked} Assets on the web, see --web" if tally.not_checked else ""))
    ctx.exit(1 if flaws else 0)
