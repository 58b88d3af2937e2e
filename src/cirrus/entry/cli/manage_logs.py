"""`cirrus manage NAME get-logs`."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from cirrus.core.instant import iso
from cirrus.entry.cli import complete
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.manage_executions import found_execution, which_execution
from cirrus.entry.cli.output import say
from cirrus.ports.journal import AttemptLog
from cirrus.ports.state_db import Execution

if TYPE_CHECKING:
    from cirrus.client import Client

_PAUSE = 0.3


@click.command("get-logs")
@which_execution
@click.option("--task", shell_complete=complete.tasks, help="Only this task, by its name or its state's.")
@click.option("--grep", "pattern", help="Only lines in which this regular expression is found.")
@click.option("--follow", is_flag=True, help="Go on until the execution has ended.")
@click.pass_obj
def get_logs(managed: Managed, /, task: str | None, pattern: str | None, follow: bool, **which: Any) -> None:
    """What the tasks of an execution printed, attempt by attempt."""
    wanted = _compiled(pattern)
    client = managed.client()
    found = found_execution(client, **which)
    shown: dict[int, int] = {}
    while True:
        current = client.again(found)
        for log in client.logs(found):
            if task in {None, log.task, log.state}:
                _show(log, shown, wanted)
        sys.stdout.flush()
        if not follow or current is None or current.stopped is not None:
            break
        time.sleep(_PAUSE)  # nothing tells of new rows: they are asked for
    if not shown:
        what = f"a line with {pattern!r}" if pattern else "anything"
        say(f"no attempt {f'of {task!r} ' if task else ''}has printed {what}{_others(client, found)}")


def _others(client: Client, found: Execution) -> str:
    """Which tasks have."""
    names = sorted({log.task for log in client.logs(found) if log.text})
    return f"; these have: {', '.join(names)}" if names else ""


def _compiled(pattern: str | None) -> re.Pattern[bytes] | None:
    try:
        return None if pattern is None else re.compile(pattern.encode())
    except re.error as error:
        raise click.BadParameter(f"{pattern!r} is no regular expression: {error}", param_hint="--grep") from None


def _show(log: AttemptLog, shown: dict[int, int], wanted: re.Pattern[bytes] | None) -> None:
    """Print what has come of a log since; with `wanted` whole lines in which it is found, and no empty log."""
    before = shown.get(log.ref, -1)
    if len(log.text) <= before:
        return
    end = len(log.text) if wanted is None or log.ended is not None else log.text.rfind(b"\n") + 1
    new = log.text[max(before, 0) : end]
    if wanted is not None:
        new = b"".join(line for line in new.splitlines(keepends=True) if wanted.search(line))
        if not new:
            return
    if before < 0:
        name = log.state if log.state == log.task else f"{log.state} ({log.task})"
        failed = f", {log.error}" if log.error else ""
        click.echo(f"==> {name}, attempt {log.attempt}, {iso(log.started)}{failed} <==")
    sys.stdout.buffer.flush()
    sys.stdout.flush()
    sys.stdout.buffer.write(new)
    if new and not new.endswith(b"\n"):
        sys.stdout.buffer.write(b"\n")
    shown[log.ref] = end
