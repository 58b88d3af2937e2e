"""`cirrus up`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from cirrus.entry.cli import complete
from cirrus.entry.cli.output import say
from cirrus.flow.work import Progress


@click.command()
@click.argument("name", default="local", metavar="[DEPLOYMENT]", shell_complete=complete.deployments)
@click.option("--until-idle", is_flag=True, help="Leave once nothing is queued, running or waiting to be sent.")
@click.option("--drain", is_flag=True, help="Begin nothing: finish what was begun, by whomever, and leave.")
@click.option("--workers", type=click.IntRange(1), help="At most so many worker processes.")
@click.pass_obj
def up(project: Path, name: str, until_idle: bool, drain: bool, workers: int | None) -> None:
    """Work the queue of a deployment in the foreground, until interrupted.

    Interrupted, or sent SIGTERM, it begins nothing more, finishes what runs and leaves; a second time, it leaves at
    once. Any number of these may run side by side. What one leaves behind when it is stopped or dies, another takes
    over.
    """
    import gc

    from cirrus.app import deployment, open_project, open_worker, woken
    from cirrus.entry.cli.driving import Quiet, interruptible

    opened = open_project(project)
    where = deployment(opened, name)
    worker = open_worker(opened, where, workers=workers)
    if not (until_idle or drain):
        say(f"working the queue of {name}; interrupt to stop")
    gc.freeze()  # turns make many objects and few cycles
    gc.set_threshold(50_000, 20, 20)
    show = _Line() if sys.stderr.isatty() else Quiet()
    with interruptible(worker, drains=True), woken(where, worker):
        worker.run(begin=not drain, until_idle=until_idle, report=show)
    show.close()
    done = worker.progress
    invalid = f", {done.invalid} invalid" if done.invalid else ""
    say(f"done: {done.completed} completed, {done.failed} failed{invalid}{_left(done)}")


def _left(done: Progress) -> str:
    """What stays for others to do."""
    left = [f"{number} left {what}" for number, what in ((done.running, "running"), (done.queued, "queued")) if number]
    paused = " (there are pauses: see `summary`)" if done.queued and done.paused else ""
    return f"; {' and '.join(left)}{paused}, for the next `cirrus up` to take over" if left else ""


class _Line:
    """One line on a terminal, renewed a few times a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.2
        trouble = f"  {progress.trouble}" if progress.trouble else ""
        trouble += "  finishing what runs; a second signal stops at once" if progress.draining else ""
        text = f"running {progress.running}  completed {progress.completed}  failed {progress.failed}{trouble}"
        click.echo(f"\r\x1b[K{text[:200]}", err=True, nl=False)

    def close(self) -> None:
        """Clear the line."""
        click.echo("\r\x1b[K", err=True, nl=False)
