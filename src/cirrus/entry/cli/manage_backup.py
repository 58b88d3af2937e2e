"""`cirrus manage NAME backup`."""

from __future__ import annotations

import sys

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed


@click.command()
@click.argument("file")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@click.pass_obj
def backup(managed: Managed, file: str, force: bool) -> None:
    """Copy the state database to FILE while it is in use: all of it as it is at one moment.

    FILE is there only once the copy is whole and verified. The Items and data that tasks wrote are not in it.
    """
    size = managed.client().backup(file, force=force, progress=_show if sys.stderr.isatty() else None)
    output.line(encode({"file": file, "bytes": size}))


def _show(done: int, of: int) -> None:
    end = "\n" if done == of else ""
    click.echo(f"\r\x1b[K{done} of {of} pages{end}", err=True, nl=False)
