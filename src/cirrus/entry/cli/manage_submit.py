"""`cirrus manage NAME process` and `run-workflow`."""

from __future__ import annotations

import sys
from itertools import chain

import click

from cirrus.entry.cli import output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.output import say


def _priority(ctx: click.Context, param: click.Parameter, value: str) -> int:
    from cirrus.core.priority import parse_priority

    try:
        return parse_priority(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


@click.command()
@click.option(
    "--priority",
    callback=_priority,
    metavar="low|normal|high|-9..9",
    default="normal",
    show_default=True,
    help="Higher ones run first; what follows in a chain keeps it.",
)
@click.pass_obj
def process(managed: Managed, priority: int) -> None:
    """Queue the payloads on stdin: one JSON document, NDJSON (streamed, any number), or an array.

    Prints one line for each: its id and what became of it. Exits 1 if any was rejected. The work itself is done by
    `cirrus up`.
    """
    from cirrus.core.documents import documents
    from cirrus.core.jsontext import encode
    from cirrus.flow.submit import submit

    home = managed.home()
    stream = sys.stdin.buffer
    first = stream.readline()
    if not first:
        say("cirrus: stdin is empty: nothing was queued. If a pipe through xargs gave up on a long line, use the plain")
        say(f"pipe: cirrus manage {managed.name} get-payloads ... | cirrus manage {managed.name} process")
        sys.exit(1)
    counts = {"queued": 0, "rejected": 0}
    told = output.Lines()
    for one in submit(home, documents(chain([first], stream)), priority=priority):
        counts[one.result] += 1
        fields = {"payload_id": one.payload_id, "result": one.result, "reason": one.reason, "kept": one.kept}
        shown = {name: value for name, value in fields.items() if value is not None}
        told(encode({**shown, "warnings": list(one.warnings)} if one.warnings else shown))
    told.close()
    if not any(counts.values()):
        say("nothing to do: stdin holds no payload")
        return
    rejected = f", {counts['rejected']} rejected" if counts["rejected"] else ""
    work = f"; `cirrus up {managed.name}` does the work" if counts["queued"] else ""
    say(f"{counts['queued']} queued{rejected}{work}")
    sys.exit(1 if counts["rejected"] else 0)


@click.command("run-workflow")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait at most.")
@click.option("--poll-interval", type=float, default=0.2, show_default=True, help="Seconds between two looks.")
@click.pass_obj
def run_workflow(managed: Managed, timeout: float, poll_interval: float) -> None:
    """Queue one payload from stdin, wait for its end, and print its output payload.

    Exits 10 if the run failed, 11 if it did not end in time.
    """
    from cirrus.core.documents import documents
    from cirrus.entry.cli.driving import run_payload

    project, where, _ = managed.open()
    texts = list(documents(sys.stdin.buffer))
    if len(texts) != 1:
        raise click.UsageError(f"one payload is expected on stdin, not {len(texts)}")
    sys.exit(run_payload(project, where, texts[0], timeout, poll_interval))
