"""`cirrus manage NAME exec`, `call` and `template-payload`: what a deployment gives to programs and templates."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from cirrus.entry.cli.filters import silence_option, variable_option
from cirrus.entry.cli.manage import Managed
from cirrus.errors import NotFound

_ANY = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command("exec", context_settings=_ANY)
@click.argument("words", nargs=-1, required=True, metavar="PROGRAM [ARGUMENT]...", type=click.UNPROCESSED)
@click.pass_obj
def exec_program(managed: Managed, words: tuple[str, ...]) -> None:
    """Become a program with the deployment's environment.

    That is its variables, CIRRUS_DEPLOYMENT, CIRRUS_PROJECT, CIRRUS_ROOT, CIRRUS_DATA and CIRRUS_CATALOG. The program
    takes the place of `cirrus`: its exit code and signals are its own.
    """
    environment = managed.client().environment
    sys.stdout.flush()
    try:
        os.execvpe(words[0], words, environment)  # noqa: S606 - the operator's own program
    except FileNotFoundError:
        raise NotFound("program", words[0]) from None


@click.command("call", context_settings=_ANY)
@click.argument("words", nargs=-1, required=True, metavar="PROGRAM [ARGUMENT]...", type=click.UNPROCESSED)
@click.pass_context
def call_program(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Run a program with the deployment's environment, wait for it, and exit as it did."""
    managed: Managed = ctx.obj
    try:
        done = subprocess.run(words, env=managed.client().environment, check=False)
    except FileNotFoundError:
        raise NotFound("program", words[0]) from None
    ctx.exit(done.returncode if done.returncode >= 0 else 128 - done.returncode)


@click.command("template-payload")
@variable_option
@silence_option
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def template_payload(
    managed: Managed, given: tuple[tuple[str, str], ...], silent: bool, files: tuple[Path, ...]
) -> None:
    """Fill ${VAR} and ${VAR?default} in the payload on stdin with the deployment's variables.

    FILES of NAME=VALUE lines win over them, and -x over both. What a path_template needs of the Item is left alone.
    """
    from cirrus.core.substitute import parse_variables, substitute_payload

    variables = managed.client().variables
    for file in files:
        variables |= parse_variables(file.read_text(encoding="utf-8"), str(file))
    click.echo(substitute_payload(sys.stdin.read(), variables | dict(given), silent=silent), nl=False)
