"""`cirrus manage NAME timeline`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cirrus.core.instant import SECOND, iso
from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.payload_ids import PayloadId
from cirrus.flow.timeline import Run, Step, Timeline, folded

_LONGEST = 160


@click.command()
@click.argument("payload_id", type=PayloadId())
@click.option("--json", "as_json", is_flag=True, help="One JSON document, pretty-printed.")
@click.pass_obj
def timeline(managed: Managed, payload_id: str, as_json: bool) -> None:
    """Every execution of a payload on one screen: each step with its times, tries, errors, and where its log is.

    Times behind + are counted from the beginning of the execution.
    """
    found = managed.client().timeline(payload_id)
    if as_json:
        output.document(found.to_json(), raw=False)
    else:
        _print(found, managed.name)


def _print(found: Timeline, deployment: str) -> None:
    click.echo(f"{found.payload_id}: {found.state} since {iso(found.updated)[:19]}Z")
    for run in found.runs:
        took = "" if run.stopped is None else f" {_seconds(run.stopped - run.started)}"
        click.echo(f"\nattempt {run.attempt}: {run.status} {iso(run.started)[:19]}Z{took}  {run.execution_id}")
        for steps in folded(run.steps):
            _print_steps(run, steps)
        if run.error and not any(step.error for step in run.steps):
            click.echo(f"  {_cut(run.error)}")
        if any(one.log_bytes for step in run.steps for one in step.tries):
            words = f"cirrus manage {deployment} get-logs --payload-id '{found.payload_id}' --attempt {run.attempt}"
            click.echo(f"  logs: {words} [--task STEP]")


def _print_steps(run: Run, steps: Sequence[Step]) -> None:
    first = steps[0]
    ended = max(step.ended or 0 for step in steps) if all(step.ended for step in steps) else None
    failed = sum(step.status == "failed" for step in steps)
    status = f"{len(steps)} times, {failed} failed" if len(steps) > 1 else first.status
    took = "" if ended is None else _seconds(ended - first.entered)
    name = "  " * (first.depth + 1) + first.name
    click.echo(f"{name:<28} {first.kind:<8} +{_seconds(first.entered - run.started):<10} {took:<10} {status}".rstrip())
    for step in steps:
        told = len(step.tries) > 1 or any(one.error for one in step.tries)
        if len(steps) > 1 and not told:
            continue
        for one in step.tries:
            log = "" if one.log_bytes is None else f"  log {one.log_bytes} B"
            took = "running" if one.ended is None else _seconds(one.ended - one.started)
            error = f"  {_cut(one.error)}" if one.error else ""
            task = f" {one.task}" if one.task and one.task != step.name else ""
            label = f"try {one.number}{task}"
            indent = "  " * (step.depth + 2)
            click.echo(f"{indent}{label} +{_seconds(one.started - run.started)} {took}{log}{error}")
        if step.error and not any(one.error for one in step.tries):
            click.echo(f"{'  ' * (step.depth + 2)}{_cut(step.error)}")


def _seconds(span: int) -> str:
    return f"{span / SECOND:.3f} s" if span < 600 * SECOND else f"{span / 60 / SECOND:.1f} min"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
