"""`cirrus workflow step`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.workflow_named import named, read_json


@click.command()
@click.argument("name")
@click.argument("state")
@click.option("--input", "given", metavar="FILE", help="The state's input, JSON; - is stdin. By default {}.")
@click.option("--context", metavar="FILE", help="The context object: Execution, StateMachine, State, Map.")
@click.option("--variables", metavar="FILE", help="The variables that the state sees, an object.")
@click.option("--mock", metavar="JSON", help='What it calls gives: {"result": ...} or {"errorOutput": {"error": ...}}.')
@click.option("--items", metavar="FILE", help="What the ItemReader of a distributed Map reads.")
@click.option("--retries", type=click.IntRange(0, 1000), default=0, help="How often the state was tried before.")
@click.option(
    "--inspection",
    type=click.Choice(["INFO", "DEBUG", "TRACE"], case_sensitive=False),
    default="DEBUG",
    show_default=True,
    help="Only the end, each stage of the data too, or the task's request and response too.",
)
@raw_option
@click.pass_obj
def step(
    folder: Path,
    name: str,
    state: str,
    given: str | None,
    context: str | None,
    variables: str | None,
    mock: str | None,
    items: str | None,
    retries: int,
    inspection: str,
    raw: bool,
) -> None:
    """Run one STATE of the workflow NAME with an input, and show each stage of its input and output processing.

    Options and answer are those of Step Functions' TestState; what its answer holds as a text of JSON stands as JSON
    here. A task is never called: --mock answers for it. Exits 10 if the state fails.
    """
    from cirrus import asl
    from cirrus.entry.cli import output
    from cirrus.entry.cli.main import RUN_FAILED
    from cirrus.trial.inspection import inspect, read_mock
    from cirrus.trial.play import Unanswered
    from cirrus.trial.spies import NOTHING

    found = named(folder, name)
    machine = asl.parse(found.definition(), name=found.workflow.source)
    try:
        told = inspect(
            machine,
            state,
            read_json(given, "the input"),
            mock=None if mock is None else read_mock(_json_option(mock)),
            items=NOTHING if items is None else read_json(items, "what the reader reads"),
            variables=_object(variables, "variables"),
            context=_object(context, "context"),
            retries=retries,
        )
    except Unanswered as problem:
        raise click.UsageError(f"{problem}: --mock '{{\"result\": ...}}' on the state that is run answers") from None
    output.document(told.body(inspection.upper()), raw=raw)
    sys.exit(RUN_FAILED if told.status == "FAILED" else 0)


def _json_option(text: str) -> Any:
    from cirrus.asl.source import Unusable, read_json

    try:
        return read_json(text).value
    except Unusable as problem:
        where = f"line {problem.line}, column {problem.column}: " if problem.line else ""
        raise click.BadParameter(f"is no JSON: {where}{problem}", param_hint="--mock") from None


def _object(place: str | None, what: str) -> dict[str, Any] | None:
    found = read_json(place, f"the {what}")
    if found is not None and not isinstance(found, dict):
        raise click.BadParameter(f"an object is expected, not {found!r:.100}", param_hint=f"--{what}")
    return found
