"""`cirrus manage DEPLOYMENT`: operate a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cirrus.entry.cli import complete
from cirrus.entry.cli.group import LazyGroup

if TYPE_CHECKING:
    from cirrus.client import Client
    from cirrus.flow.home import Home
    from cirrus.settings import Deployment, Project

_HERE = "cirrus.entry.cli.manage_"
COMMANDS = {
    "show": (f"{_HERE}show:show", "The deployment's configuration."),
    "process": (f"{_HERE}submit:process", "Queue payloads from stdin, files or URLs."),
    "run-workflow": (f"{_HERE}submit:run_workflow", "Queue one payload, wait, print its output payload."),
    "get-payloads": (f"{_HERE}payloads:get_payloads", "The input payloads of every record that matches."),
    "get-payload": (f"{_HERE}payloads:get_payload", "The input payload of one record."),
    "get-output-payload": (f"{_HERE}payloads:get_output_payload", "The output payload of one record."),
    "export": (f"{_HERE}export:export", "Write payloads to a folder or an object store."),
    "get-state": (f"{_HERE}records:get_state", "One record."),
    "query": (f"{_HERE}records:query_records", "The records that match."),
    "summary": (f"{_HERE}records:summary", "How many records are in each state."),
    "watch": (f"{_HERE}watch:watch", "Follow records or counts live."),
    "timeline": (f"{_HERE}timeline:timeline", "Every attempt and step of a payload on one screen."),
    "errors": (f"{_HERE}errors:errors", "What has failed, grouped by its kind."),
    "rerun": (f"{_HERE}rerun:rerun", "Run the records that match again, as a campaign."),
    "campaign": (f"{_HERE}rerun:campaign", "Reruns: how far they have come; pause, resume or cancel them."),
    "quarantine": (f"{_HERE}quarantine:quarantine", "Messages that were no payload."),
    "explain": (f"{_HERE}explain:explain", "Why a payload is in its state, and what queueing it would do."),
    "stats": (f"{_HERE}stats:stats", "State transitions per hour and day."),
    "items": (f"{_HERE}items:items", "The output Items of records: list, show, validate, open."),
    "lineage": (f"{_HERE}lineage:lineage", "What an Item was made from, and what was made from it."),
    "catalog": (f"{_HERE}catalog:catalog", "Whether what completed stands in the catalog."),
    "events": (f"{_HERE}events:events", "What was decided about payloads, event by event."),
    "deliveries": (f"{_HERE}deliveries:deliveries", "What was sent, waits to be sent, or was given up."),
    "pause": (f"{_HERE}pause:pause", "Begin nothing more until resumed."),
    "resume": (f"{_HERE}pause:resume", "Lift a pause."),
    "abort": (f"{_HERE}records:abort", "Stop the running execution of a payload."),
    "forget": (f"{_HERE}forget:forget", "Delete records with all that belongs to them."),
    "get-execution": (f"{_HERE}executions:get_execution", "One execution."),
    "get-execution-input": (f"{_HERE}executions:get_execution_input", "What an execution was given."),
    "get-execution-output": (f"{_HERE}executions:get_execution_output", "What an execution returned."),
    "get-execution-events": (f"{_HERE}executions:get_execution_events", "The history of an execution."),
    "get-workflow-definition": (
        f"{_HERE}executions:get_workflow_definition",
        "The state machine of a workflow.",
    ),
    "parameters": (
        f"{_HERE}executions:parameters",
        "What the tasks of a workflow declare that they take.",
    ),
    "send-task-success": (f"{_HERE}tasks:send_task_success", "A task that waits for a token has succeeded."),
    "send-task-failure": (f"{_HERE}tasks:send_task_failure", "A task that waits for a token has failed."),
    "send-task-heartbeat": (f"{_HERE}tasks:send_task_heartbeat", "A task that waits for a token is alive."),
    "get-activity-task": (f"{_HERE}tasks:get_activity_task", "The oldest waiting task of an activity."),
    "get-logs": (f"{_HERE}logs:get_logs", "What the tasks of an execution printed."),
    "list-lambdas": (f"{_HERE}lambdas:list_lambdas", "The deployment's functions; locally its tasks."),
    "invoke-lambda": (f"{_HERE}lambdas:invoke_lambda", "Call one function; locally a task."),
    "template-payload": (f"{_HERE}environment:template_payload", "Fill in a payload with the deployment's variables."),
    "exec": (f"{_HERE}environment:exec_program", "Become a program with the deployment's environment."),
    "call": (f"{_HERE}environment:call_program", "Run a program with the deployment's environment."),
    "check": (f"{_HERE}check:check", "Look for what should not be in the state database."),
    "migrate": (f"{_HERE}migrate:migrate", "Bring an older deployment on AWS up to date."),
    "backup": (f"{_HERE}backup:backup", "Copy the state database while it is in use."),
}
ALIASES = {"get-input-payloads": "get-payloads", "get-input-payload": "get-payload"}


@dataclass(frozen=True, slots=True)
class Managed:
    """The project and the deployment that a command works on; opened when the command asks for it."""

    folder: Path
    name: str

    def open(self) -> tuple[Project, Deployment, Home]:
        """The project, its deployment, and the deployment's ports."""
        from cirrus.app import open_home

        project, where = self.settings()
        return project, where, open_home(project, where)

    def settings(self) -> tuple[Project, Deployment]:
        """The project and its deployment; nothing else is opened."""
        from cirrus.app import deployment, open_project_of

        project = open_project_of(self.folder, self.name)
        return project, deployment(project, self.name)

    def client(self) -> Client:
        """The deployment's client, on which every command stands."""
        from cirrus.client import Client

        return Client(self.name, self.folder)


@click.group(cls=LazyGroup, lazy=COMMANDS, aliases=ALIASES)
@click.argument("deployment", shell_complete=complete.deployments)
@click.pass_context
def manage(ctx: click.Context, deployment: str) -> None:
    """Operate a deployment of the project by its name."""
    ctx.obj = Managed(ctx.obj, deployment)
