"""`cirrus manage NAME export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import chosen, filter_options
from cirrus.entry.cli.manage import Managed


@click.command()
@click.argument("target")
@filter_options
@click.pass_obj
def export(managed: Managed, /, target: str, limit: int | None, **filters: Any) -> None:
    """Write the payloads of every record that matches to TARGET, a folder or a store's URL; one line for each file."""
    from cirrus.app import open_payloads
    from cirrus.flow.export import export as write

    home = managed.home()
    root = target if "://" in target else str(Path(target).absolute())
    for payload_id, url in write(home, chosen(home, **filters), open_payloads(home, root), limit):
        output.line(encode({"payload_id": payload_id, "url": url}))
