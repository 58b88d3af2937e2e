"""`cirrus manage NAME export`."""

from __future__ import annotations

from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import filter_options, meant
from cirrus.entry.cli.manage import Managed


@click.command()
@click.argument("target")
@filter_options
@click.pass_obj
def export(managed: Managed, /, target: str, limit: int | None, **given: Any) -> None:
    """Write the payloads of every record that matches to TARGET, a folder or a store's URL; one line for each file."""
    for payload_id, url in managed.client().export(target, limit, **meant(**given)):
        output.line(encode({"payload_id": payload_id, "url": url}))
