"""Completion of the names that a project gives; of none where there is no project, or it is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cirrus.errors import CirrusError

if TYPE_CHECKING:
    from cirrus.settings import Project


def deployments(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The deployments whose names begin so."""
    project = _project(ctx)
    return _beginning(project.deployments, incomplete) if project else []


def workflows(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The workflows whose names begin so."""
    project = _project(ctx)
    return _beginning(project.workflows, incomplete) if project else []


def tasks(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The tasks, the built-in ones included, whose names begin so."""
    from cirrus.app import task_specs

    project = _project(ctx)
    return _beginning(task_specs(project), incomplete) if project else []


def _project(ctx: click.Context) -> Project | None:
    """The project; while a shell completes, no command has run that would have said which."""
    from cirrus.settings import find_project, load_project

    try:
        return load_project(find_project(Path(ctx.find_root().params.get("project") or ".").resolve()))
    except (CirrusError, OSError):
        return None


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
