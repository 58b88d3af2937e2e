"""`cirrus list-deployments`."""

from __future__ import annotations

from pathlib import Path

import click

from cirrus.entry.cli import output


@click.command("list-deployments")
@click.pass_obj
def list_deployments(project: Path) -> None:
    """The deployments of the project: a table on a terminal, NDJSON in a pipe."""
    from cirrus.app import open_project
    from cirrus.core.jsontext import encode

    found = sorted(open_project(project).deployments.values(), key=lambda one: one.name)
    if output.on_terminal():
        output.table(("NAME", "HOME", "ROOT"), [(one.name, one.home, str(one.root)) for one in found])
        return
    for one in found:
        output.line(encode({"name": one.name, "home": one.home, "root": str(one.root)}))
