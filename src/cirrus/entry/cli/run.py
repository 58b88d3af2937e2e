"""`cirrus run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cirrus.entry.cli import complete
from cirrus.errors import InvalidPayload


@click.command()
@click.argument("workflow", shell_complete=complete.workflows)
@click.argument("items", nargs=-1, required=True, metavar="ITEM...")
@click.option(
    "--deployment",
    "name",
    default="local",
    show_default=True,
    shell_complete=complete.deployments,
    help="Where to run.",
)
@click.option("--collections", help="The collections part of the payload's id.")
@click.option("--path-template", help="Where outputs go, such as '${collection}/${id}'.")
@click.option(
    "--param",
    "params",
    nargs=2,
    multiple=True,
    metavar="TASK.NAME VALUE",
    help="A task's parameter (JSON, or text).",
)
@click.option("--replace/--no-replace", default=False, help="Run again what is completed or invalid.")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait at most.")
@click.pass_obj
def run(
    project: Path,
    workflow: str,
    items: tuple[str, ...],
    name: str,
    collections: str | None,
    path_template: str | None,
    params: tuple[tuple[str, str], ...],
    replace: bool,
    timeout: float,
) -> None:
    """Make a payload from ITEM files or URLs, run WORKFLOW on it, and print the output payload.

    An ITEM is the path or URL of a STAC Item, or of a FeatureCollection of Items. Relative hrefs of a STAC Item lead
    from where it was read: it gets a `self` link if it has no absolute one.
    """
    from cirrus.app import deployment, open_home, open_project
    from cirrus.core.jsontext import encode
    from cirrus.entry.cli.driving import run_payload
    from cirrus.entry.cli.item_files import read_items

    opened = open_project(project)
    where = deployment(opened, name)
    definition: dict[str, Any] = {"workflow": workflow, "tasks": _parameters(params)}
    if collections:
        definition["collections"] = collections
    if path_template:
        definition["upload_options"] = {"path_template": path_template}
    if replace:
        definition["replace"] = True
    objects = open_home(opened, where).objects
    features = [item for place in items for item in read_items(objects, place)]
    document = {"type": "FeatureCollection", "features": features, "process": [definition]}
    sys.exit(run_payload(opened, where, encode(document), timeout, 0.02))


def _parameters(params: tuple[tuple[str, str], ...]) -> dict[str, dict[str, Any]]:
    from cirrus.core.jsontext import decode

    tasks: dict[str, dict[str, Any]] = {}
    for name, text in params:
        task, dot, key = name.partition(".")
        if not dot or not key:
            raise click.UsageError(f"--param {name}: TASK.NAME is expected, such as convert-to-cog.blocksize")
        try:
            value = decode(text)
        except InvalidPayload:
            value = text
        tasks.setdefault(task, {})[key] = value
    return tasks
