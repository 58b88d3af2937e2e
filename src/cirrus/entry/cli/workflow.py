"""`cirrus workflow`: check workflows, draw them, and try them out in memory; needs no deployment."""

from __future__ import annotations

import click

from cirrus.entry.cli.group import LazyGroup

_HERE = "cirrus.entry.cli.workflow_"
COMMANDS = {
    "validate": (f"{_HERE}validate:validate", "Check workflows; every finding at once."),
    "graph": (f"{_HERE}graph:graph", "Draw a workflow, or one of its executions."),
    "test": (f"{_HERE}test:test", "Run the cases of a workflow's test file."),
    "step": (f"{_HERE}step:step", "Run one state and show what becomes of its data."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def workflow() -> None:
    """Check workflows, draw them, and try them out in memory."""
