"""`cirrus init`."""

from __future__ import annotations

from pathlib import Path

import click

from cirrus.entry.cli.output import say


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="The project's name; by default the folder's.")
def init(folder: Path, name: str | None) -> None:
    """Make a project in FOLDER that runs as it is."""
    from cirrus import scaffold

    scaffold.create(folder, name or folder.resolve().name)
    say(f"made a project in {folder}; try it:")
    for command in (
        f"cd {folder}",
        "cirrus manage local process < payload.json",
        "cirrus up --until-idle",
        "cirrus manage local summary",
    ):
        say(f"  {command}")
