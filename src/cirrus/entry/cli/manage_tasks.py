"""`cirrus manage NAME send-task-...` and `get-activity-task`: answers to tasks that wait."""

from __future__ import annotations

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed

_token = click.option("--task-token", required=True, help="The token that the task gave out.")


@click.command("send-task-success")
@_token
@click.option("--task-output", required=True, help="The task's output as JSON text.")
@click.pass_obj
def send_task_success(managed: Managed, task_token: str, task_output: str) -> None:
    """A task that waits for a token has succeeded."""
    from cirrus.core.jsontext import decode

    managed.client().send_task_success(task_token, decode(task_output))


@click.command("send-task-failure")
@_token
@click.option("--error", default="", help="The error's name.")
@click.option("--cause", default="", help="What went wrong.")
@click.pass_obj
def send_task_failure(managed: Managed, task_token: str, error: str, cause: str) -> None:
    """A task that waits for a token has failed."""
    managed.client().send_task_failure(task_token, error, cause)


@click.command("send-task-heartbeat")
@_token
@click.pass_obj
def send_task_heartbeat(managed: Managed, task_token: str) -> None:
    """A task that waits for a token is alive."""
    managed.client().send_task_heartbeat(task_token)


@click.command("get-activity-task")
@click.argument("activity_arn")
@raw_option
@click.pass_obj
def get_activity_task(managed: Managed, activity_arn: str, raw: bool) -> None:
    """Token and input of the oldest waiting task of an activity; {} if there is none."""
    found = managed.client().activity_task(activity_arn)
    output.document({} if found is None else {"taskToken": found[0], "input": found[1]}, raw=raw)
