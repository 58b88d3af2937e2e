"""`cirrus check` and `cirrus backup`: those of `cirrus manage`, for the deployment that a project has by default."""

from __future__ import annotations

import click

from cirrus.entry.cli import manage_backup, manage_check
from cirrus.entry.cli.manage import Managed

_named = click.option("--deployment", "name", default="local", show_default=True, help="Which deployment.")


@click.command()
@_named
@click.option("--full", is_flag=True, help="Read every page, body and history; without it, a part of them.")
@click.pass_context
def check(ctx: click.Context, name: str, full: bool) -> None:
    """Look for what should not be in the state database: `cirrus manage NAME check`."""
    ctx.obj = Managed(ctx.obj, name)
    ctx.invoke(manage_check.check, full=full)


@click.command()
@_named
@click.argument("file")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@click.pass_context
def backup(ctx: click.Context, name: str, file: str, force: bool) -> None:
    """Copy the state database to FILE while it is in use: `cirrus manage NAME backup`."""
    ctx.obj = Managed(ctx.obj, name)
    ctx.invoke(manage_backup.backup, file=file, force=force)
