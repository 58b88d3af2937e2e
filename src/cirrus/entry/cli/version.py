"""`cirrus version`."""

from __future__ import annotations

import click

from cirrus import __version__


@click.command()
def version() -> None:
    """The version of Cirrus."""
    click.echo(__version__)
