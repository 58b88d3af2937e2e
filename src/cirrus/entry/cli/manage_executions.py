"""`cirrus manage NAME get-execution...` and `get-workflow-definition`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cirrus.core.jsontext import decode
from cirrus.entry.cli import complete, output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.errors import NotFound
from cirrus.ports.state_db import Execution

if TYPE_CHECKING:
    from cirrus.client import Client

Command = TypeVar("Command", bound=Callable[..., Any])


def which_execution(command: Command) -> Command:
    """Adds the options that name one execution."""
    for option in (
        click.option("--attempt", type=click.IntRange(1), help="Which of the payload's executions, from 1."),
        click.option("--payload-id", type=PayloadId(), help="The payload whose latest execution is meant."),
        click.option("--arn", help="The execution's ARN."),
    ):
        command = option(command)
    return command


def found_execution(client: Client, arn: str | None, payload_id: str | None, attempt: int | None) -> Execution:
    """The execution that the options name."""
    if (arn is None) == (payload_id is None):
        raise click.UsageError("either --arn or --payload-id is expected")
    if arn is not None and attempt is not None:
        raise click.UsageError("--attempt goes with --payload-id")
    return client.execution(payload_id, arn=arn, attempt=attempt)


@click.command("get-execution")
@which_execution
@raw_option
@click.pass_obj
def get_execution(managed: Managed, /, raw: bool, **which: Any) -> None:
    """One execution: by --arn, or the latest of --payload-id."""
    client = managed.client()
    output.document(client.describe(found_execution(client, **which)), raw=raw)


@click.command("get-execution-input")
@which_execution
@raw_option
@click.pass_obj
def get_execution_input(managed: Managed, /, raw: bool, **which: Any) -> None:
    """The payload that an execution was given."""
    output.document(decode(found_execution(managed.client(), **which).input), raw=raw)


@click.command("get-execution-output")
@which_execution
@raw_option
@click.pass_obj
def get_execution_output(managed: Managed, /, raw: bool, **which: Any) -> None:
    """The payload that an execution returned."""
    found = found_execution(managed.client(), **which)
    if found.output is None:
        raise NotFound("output of execution", found.execution_id, f"its status is {found.status}")
    output.document(decode(found.output), raw=raw)


@click.command("get-execution-events")
@which_execution
@raw_option
@click.pass_obj
def get_execution_events(managed: Managed, /, raw: bool, **which: Any) -> None:
    """The history of an execution, as Step Functions lists it."""
    client = managed.client()
    found = found_execution(client, **which)
    events = client.history(found)
    if not events and found.stopped is not None:
        output.say(f"{found.execution_id} has no history: it never began, or its time is over (`retention`)")
    output.document({"events": events}, raw=raw)


@click.command("get-workflow-definition")
@click.argument("name", shell_complete=complete.workflows)
@raw_option
@click.pass_obj
def get_workflow_definition(managed: Managed, name: str, raw: bool) -> None:
    """The state machine of a workflow, its tasks filled in."""
    output.document(managed.client().definition(name), raw=raw)


@click.command()
@click.argument("name")
@raw_option
@click.pass_obj
def parameters(managed: Managed, name: str, raw: bool) -> None:
    """The JSON schema of a workflow's parameters, a payload's `tasks`: the union of what its tasks declare."""
    output.document(managed.client().parameters(name), raw=raw)
