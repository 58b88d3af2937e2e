"""`cirrus manage NAME check`."""

from __future__ import annotations

from dataclasses import asdict

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed


@click.command()
@click.option("--full", is_flag=True, help="Read every page, body and history; without it, a part of them.")
@click.pass_context
def check(ctx: click.Context, full: bool) -> None:
    """Look for what should not be in the state database; it may be in use.

    Prints one line of JSON for each finding: `problem`, `subject`, `detail`. The exit code is 1 if there are any.
    """
    managed: Managed = ctx.obj
    found = 0
    for finding in managed.client().check(full=full):
        found += 1
        output.line(encode(asdict(finding)))
    output.say(f"{found} found" if found else "nothing found")
    ctx.exit(1 if found else 0)
