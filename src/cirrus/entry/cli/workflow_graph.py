"""`cirrus workflow graph`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.entry.cli.workflow_named import named
from cirrus.errors import NotFound

if TYPE_CHECKING:
    from cirrus.drawing.visits import Visits


@click.command()
@click.argument("name")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["mermaid", "svg"]),
    help="Mermaid text or an SVG; by default what the ending of --output says, else Mermaid.",
)
@click.option("--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--payload-id", type=PayloadId(), help="Lay the latest execution of this payload over it.")
@click.option("--attempt", type=click.IntRange(1), help="Which of the payload's executions, from 1.")
@click.option("--deployment", default="local", show_default=True, help="Where the payload was processed.")
@click.pass_obj
def graph(
    folder: Path,
    name: str,
    kind: str | None,
    target: Path | None,
    payload_id: str | None,
    attempt: int | None,
    deployment: str,
) -> None:
    """Draw NAME, a workflow of the project or the path of a definition.

    With --payload-id an execution is laid over the definition that it ran: which states it came to, how often, and
    what became of them there.
    """
    from cirrus.drawing.graph import read_graph
    from cirrus.drawing.mermaid import draw_mermaid
    from cirrus.drawing.svg import draw_svg

    if payload_id is None:
        if attempt is not None:
            raise click.UsageError("--attempt goes with --payload-id")
        definition, visits = named(folder, name).definition(), None
    else:
        definition, visits = _executed(folder, name, deployment, payload_id, attempt)
    scope = read_graph(definition)
    drawn = draw_svg(scope, visits, name) if _kind(kind, target) == "svg" else draw_mermaid(scope, visits)
    if target is None:
        sys.stdout.buffer.write(drawn.encode())
        return
    try:
        target.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror or error}") from None


def _kind(kind: str | None, target: Path | None) -> str:
    return kind or ("svg" if target is not None and target.suffix.lower() == ".svg" else "mermaid")


def _executed(
    folder: Path, name: str, deployment: str, payload_id: str, attempt: int | None
) -> tuple[dict[str, Any], Visits]:
    """The definition that an execution ran, and what its history tells."""
    from cirrus.app import deployment as find_deployment
    from cirrus.app import open_home, open_project
    from cirrus.core.jsontext import decode
    from cirrus.core.payload_id import parse
    from cirrus.drawing.visits import read_visits
    from cirrus.flow import query

    project = open_project(folder)
    home = open_home(project, find_deployment(project, deployment))
    if name not in project.workflows:
        named(folder, name)
    found = query.execution(home, payload_id=payload_id, attempt=attempt)
    workflow = parse(found.payload_id).workflow
    if workflow != name:
        raise NotFound("execution", f"{payload_id} of workflow {name}", f"the payload's workflow is {workflow}")
    if not found.definition:
        raise NotFound("definition of execution", found.execution_id)
    return decode(found.definition), read_visits(query.history(home, found))
