"""`cirrus payload`: check and fill in payloads from stdin; needs no deployment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import silence_option, variable_option
from cirrus.entry.cli.group import LazyGroup
from cirrus.entry.cli.output import say

COMMANDS = {
    "preview": (
        "cirrus.entry.cli.payload_preview:preview",
        "The output collection and upload paths that Items would get.",
    ),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def payload() -> None:
    """Check and fill in payloads, without a deployment."""


@payload.command()
def validate() -> None:
    """Check the payloads on stdin; prints one line for each, and exits 1 if any is invalid."""
    from cirrus.core.jsontext import encode
    from cirrus.core.payload import read_payload
    from cirrus.errors import InvalidPayload

    wrong = 0
    for text in _documents():
        try:
            found = read_payload(text)
        except InvalidPayload as error:
            wrong += 1
            output.line(encode({"valid": False, "problems": list(error.problems)}))
        else:
            output.line(encode({"valid": True, "payload_id": str(found.id), "warnings": list(found.warnings)}))
    sys.exit(1 if wrong else 0)


def _documents() -> Iterator[bytes]:
    """The documents on stdin; an empty stdin is told, and is no success."""
    from cirrus.core.documents import documents

    given = documents(sys.stdin.buffer)
    first = next(given, None)
    if first is None:
        say("cirrus: stdin holds no payload")
        sys.exit(1)
    yield first
    yield from given


@payload.command()
@click.option("--project", is_flag=True, help="That of cirrus.toml instead.")
def schema(project: bool) -> None:
    """Print the JSON Schema of payloads, for editors and other programs."""
    from cirrus.core.payload_schema import payload_schema
    from cirrus.settings.schema import project_schema

    output.document(project_schema() if project else payload_schema(), raw=False)


@payload.command("get-id")
def get_id() -> None:
    """Print the id that the payload on stdin has, or would be given."""
    from cirrus.core.payload import read_payload

    for text in _documents():
        click.echo(str(read_payload(text).id))


@payload.command()
@variable_option
@silence_option
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def template(given: tuple[tuple[str, str], ...], silent: bool, files: tuple[Path, ...]) -> None:
    """Fill ${VAR} and ${VAR?default} in the text on stdin, from -x and from FILES of NAME=VALUE lines."""
    from cirrus.core.substitute import parse_variables, substitute

    variables: dict[str, str] = {}
    for file in files:
        variables |= parse_variables(file.read_text(encoding="utf-8"), str(file))
    click.echo(substitute(sys.stdin.read(), variables | dict(given), silent=silent), nl=False)
