"""`cirrus doctor`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from cirrus.entry.cli import output

_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM"}


@click.command()
@click.option("--deployment", "name", default="local", show_default=True, help="Which deployment to look at.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each finding.")
@click.pass_context
def doctor(ctx: click.Context, name: str, as_json: bool) -> None:
    """Look for what is wrong with the installation, the project and a deployment, and say what to do.

    Tasks are imported, and a small file or object is written to each store and removed. The exit code is 1 if there is
    a problem; a warning is none.
    """
    from cirrus.client import Client
    from cirrus.client.doctor import BAD, GOOD, examine
    from cirrus.core.jsontext import encode

    folder: Path = ctx.obj
    problems = doubts = 0
    for one in examine(Client(name, folder)):
        problems += one.status == BAD
        doubts += one.status not in (BAD, GOOD)
        if as_json:
            output.line(encode({key: value for key, value in asdict(one).items() if value}))
            continue
        click.echo(f"{_MARKS[one.status]}  {one.check:<12}  {one.found}")
        if one.advice:
            click.echo(f"{'':<23}→ {one.advice}")
    told = f"{output.counted(problems, 'problem')}, {output.counted(doubts, 'warning')}"
    output.say(told if problems or doubts else "nothing is wrong")
    ctx.exit(1 if problems else 0)
