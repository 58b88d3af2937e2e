"""`cirrus list-deployments`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cirrus.entry.cli import output

if TYPE_CHECKING:
    from cirrus.settings import Deployment

_POINTERS = "/cirrus/deployments/"


@click.command("list-deployments")
@click.pass_obj
def list_deployments(project: Path) -> None:
    """The deployments of the project, and those in the parameter store of AWS: a table on a terminal, else NDJSON.

    The parameter store is asked where the environment says a region.
    """
    from cirrus.core.jsontext import encode

    named = _of_project(project)
    known = {one.pointer or one.name for one in named if one.home == "aws"}
    rows = [(one.name, one.home, str(one.root) if one.home == "local" else _pointer(one)) for one in named]
    rows += [(name, "aws", f"{_POINTERS}{name}") for name in _stored() if name not in known]
    if output.on_terminal():
        output.table(("NAME", "HOME", "ROOT"), rows)
        return
    for name, home, root in rows:
        output.line(encode({"name": name, "home": home, "root": root}))


def _of_project(folder: Path) -> list[Deployment]:
    """The project's deployments, sorted; none outside of a project, if AWS has some."""
    from cirrus.app import open_project
    from cirrus.errors import ConfigError
    from cirrus.settings import find_project

    try:
        find_project(folder.resolve())
    except ConfigError:
        if _stored():
            return []
        raise
    return sorted(open_project(folder).deployments.values(), key=lambda one: one.name)


@cache
def _stored() -> tuple[str, ...]:
    """Those in the parameter store; a store that does not answer is told of, and hides nothing of the project."""
    from cirrus.errors import StoreError
    from cirrus.stored import stored_names

    try:
        return tuple(stored_names())
    except StoreError as error:
        output.say(f"deployments in the parameter store are not shown: {error}")
        return ()


def _pointer(where: Deployment) -> str:
    return f"{_POINTERS}{where.pointer or where.name}" if where.home == "aws" else str(where.root)
