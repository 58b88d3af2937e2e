"""`cirrus manage NAME lineage`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed

if TYPE_CHECKING:
    from cirrus.flow.lineage import Descent, Making, Origin


@click.command()
@click.argument("item_id")
@click.option("--collection", help="The Item's collection, where several have one of this id.")
@click.option("--depth", type=click.IntRange(1), default=5, show_default=True, help="How many generations at most.")
@click.option("--json", "as_json", is_flag=True, help="JSON on a terminal, too.")
@raw_option
@click.pass_obj
def lineage(managed: Managed, item_id: str, collection: str | None, depth: int, as_json: bool, raw: bool) -> None:
    """What an Item was made from, by which tasks, and what was made from it: a tree on a terminal, JSON in a pipe."""
    client = managed.client()
    back = client.origin(item_id, collection=collection, depth=depth)
    forward = client.descent(item_id, collection=back.item.collection, depth=depth)
    if output.on_terminal() and not (as_json or raw):
        for line in (*_origin(back), *_descents(forward)):
            click.echo(line)
        return
    output.document({**back.to_json(), "used_by": [one.to_json() for one in forward]}, raw=raw)


def _origin(one: Origin, indent: str = "") -> Iterator[str]:
    where = f" in {one.item.collection}" if one.item.collection else ""
    yield f"{indent}{one.item.id}{where}" + (f"  {one.href}" if one.href else "")
    if one.made_by is None:
        return
    yield from (f"{indent}  {line}" for line in _making(one.made_by))
    for source in one.sources:
        first, *rest = _origin(source, f"{indent}       ")
        yield f"{indent}  from {first.strip()}"
        yield from rest


def _making(made: Making) -> Iterator[str]:
    yield f"made by {made.payload_id}"
    yield f"        execution {made.execution_id}, attempt {made.attempt}, {made.status}"
    for step in made.steps:
        version = made.software.get(step.task)
        tried = f", tried {step.attempts} times" if step.attempts > 1 else ""
        yield f"        {step.state}: {step.task}" + (f" {version}" if version else "") + tried


def _descents(descents: tuple[Descent, ...], indent: str = "") -> Iterator[str]:
    for one in descents:
        yield f"{indent}used by {one.payload_id}, {one.state}"
        for item, below in one.made:
            where = f" in {item.collection}" if item.collection else ""
            yield f"{indent}  which made {item.id}{where}"
            yield from _descents(below, f"{indent}    ")
