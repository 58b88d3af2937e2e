"""`cirrus payload preview`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cirrus.entry.cli import output


@click.command()
@click.argument("items", nargs=-1, metavar="[ITEM]...")
@click.option(
    "--process", "process", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A process definition."
)
@click.option("--deployment", "name", help="Show places as the tasks of this deployment would write them.")
@click.option("-r", "--raw", is_flag=True, help="One line for each Item, not pretty-printed.")
@click.pass_obj
def preview(folder: Path, items: tuple[str, ...], process: Path | None, name: str | None, raw: bool) -> None:
    """Show the output collection and the upload paths of ITEM files or URLs, as if they came out unchanged.

    --process is a file with a process definition, an array of them, or a whole payload. Without ITEM and --process,
    payloads are read from stdin.
    """
    from cirrus.core.placement import placement

    if bool(items) != bool(process):
        raise click.UsageError("ITEM and --process go together; without both, payloads are read from stdin")
    root = _data(folder, name) if name else None
    problems = 0
    for definition, item in _given(items, process):
        found = placement(definition, item)
        problems += found.problem is not None
        output.document(_located(found.to_json(), root), raw=raw)
    output.say("Shown as if each Item came out as it went in: tasks may change ids, collections, dates and Assets.")
    sys.exit(1 if problems else 0)


def _given(items: tuple[str, ...], process: Path | None) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    from cirrus.backends import backend
    from cirrus.core.documents import documents
    from cirrus.core.payload import read_payload
    from cirrus.entry.cli.item_files import read_items

    if process is None:
        for text in documents(sys.stdin.buffer):
            document = read_payload(text).document
            for item in document.get("features", []):
                yield document["process"][0], item
        return
    definition = _definition(process)
    objects = backend("objects", "any")()
    for place in items:
        for item in read_items(objects, place):
            yield definition, item


def _definition(file: Path) -> dict[str, Any]:
    """The first process definition in a file, checked."""
    from cirrus.core.process_text import read_process

    definition: dict[str, Any] = read_process(file.read_text(encoding="utf-8"), str(file))[0]
    return definition


def _data(folder: Path, name: str) -> str:
    from cirrus.app import deployment, open_project

    return deployment(open_project(folder), name).data


def _located(told: dict[str, Any], root: str | None) -> dict[str, Any]:
    """The same with relative places below the data store."""
    from cirrus.core.path_template import is_url

    if root is None:
        return told

    def at(place: str) -> str:
        return place if is_url(place) else f"{root.rstrip('/')}/{place}"

    assets = {key: at(place) for key, place in told.get("assets", {}).items()}
    places: dict[str, Any] = {key: at(told[key]) for key in ("folder", "item") if key in told}
    return told | places | ({"assets": assets} if assets else {})
