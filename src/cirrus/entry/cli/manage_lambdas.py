"""`cirrus manage NAME list-lambdas` and `invoke-lambda`: a deployment's functions; locally its tasks."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from cirrus.core.failure import last_error
from cirrus.core.jsontext import decode, encode
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed


@click.command("list-lambdas")
@click.pass_obj
def list_lambdas(managed: Managed) -> None:
    """The functions of the deployment (locally the tasks): a table on a terminal, NDJSON in a pipe."""
    client = managed.client()
    if client.deployment.home == "aws":
        _show(client.functions())
        return
    tasks = sorted(client.tasks.values(), key=lambda one: one.name)
    if output.on_terminal():
        rows = [(one.name, one.handler or " ".join(one.command or ())) for one in tasks]
        output.table(("NAME", "RUNS"), rows)
        return
    for one in tasks:
        told = asdict(one) | {"env": sorted(one.env)}
        output.line(encode({name: value for name, value in told.items() if value}))


def _show(functions: list[dict[str, Any]]) -> None:
    """Functions on AWS."""
    if output.on_terminal():
        names = ("name", "runtime", "memory", "timeout", "modified")
        output.table(
            [name.upper() for name in names], [tuple(one.get(name, "") for name in names) for one in functions]
        )
        return
    for one in functions:
        output.line(encode(one))


@click.command("invoke-lambda")
@click.argument("name")
@click.option("--timeout", type=click.FloatRange(0.0, min_open=True), help="Seconds that it may take at most.")
@raw_option
@click.pass_context
def invoke_lambda(ctx: click.Context, name: str, timeout: float | None, raw: bool) -> None:
    """Call one function (locally a task) with the JSON on stdin, and print what it returns.

    A task runs in a worker process, outside of any workflow; nothing is recorded. What it prints goes to stderr: of a
    function on AWS the end of it. Exits 10 if it failed.
    """
    from cirrus.entry.cli.main import RUN_FAILED

    managed: Managed = ctx.obj
    payload = sys.stdin.buffer.read()
    decode(payload)
    outcome = managed.client().invoke(name, payload, timeout)
    sys.stderr.buffer.write(outcome.log)
    sys.stderr.flush()
    if outcome.output is None:
        output.say(last_error("FAILED", outcome.error, outcome.cause))
        ctx.exit(RUN_FAILED)
    output.document(decode(outcome.output), raw=raw)
