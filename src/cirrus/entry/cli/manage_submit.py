"""`cirrus manage NAME process` and `run-workflow`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from cirrus.core.jsontext import encode
from cirrus.entry.cli import complete, output
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.output import say
from cirrus.entry.cli.priority import priority_option
from cirrus.entry.cli.progress import Progress


@click.command()
@click.argument("places", nargs=-1, metavar="[FILE|URL|-]...")
@click.option("--workflow", shell_complete=complete.workflows, help="Make payloads for this workflow of bare Items.")
@click.option(
    "--process",
    "definition",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Make payloads of bare Items with the process definition in this file; ${VAR} is filled in.",
)
@click.option("-x", "given", nargs=2, multiple=True, metavar="NAME VALUE", help="A variable of the process definition.")
@click.option("--together", is_flag=True, help="One payload for all Items of a FeatureCollection, not one for each.")
@click.option("--replace", is_flag=True, help="Run again what is completed or invalid.")
@click.option("--rate", type=click.FloatRange(0.0, min_open=True), help="At most so many payloads a second.")
@priority_option
@click.option("--dry-run", is_flag=True, help="Say what would become of each, and where outputs would go; queue none.")
@click.pass_context
def process(
    ctx: click.Context,
    places: tuple[str, ...],
    workflow: str | None,
    definition: Path | None,
    given: tuple[tuple[str, str], ...],
    together: bool,
    replace: bool,
    rate: float | None,
    priority: int,
    dry_run: bool,
) -> None:
    """Queue payloads from stdin, files, patterns such as 'in/*.json', or URLs.

    They are JSON documents, NDJSON (streamed, any number), or arrays; with --workflow or --process also STAC Items and
    FeatureCollections of them. Prints one line for each: its id and what became of it. Exits 1 if any was rejected, or
    with --dry-run if any is invalid. The work itself is done by `cirrus up`.
    """
    from cirrus.client import sources
    from cirrus.flow.compose import compose

    managed: Managed = ctx.obj
    client = managed.client()
    made = _process(managed, workflow, definition, given)
    found = sources.files(places or [sources.STDIN])
    if sources.STDIN in found and sys.stdin.isatty():
        say("reading payloads from this terminal; Ctrl-D ends them")
    told = _Told(sources.size(found))
    texts = sources.texts(client.home.objects, found, told.read, features=made is not None and not together)
    texts = texts if made is None else compose(texts, made, together=together)
    if dry_run:
        for one in client.plan(texts, replace=replace):
            told.of(one.action, one.to_json())
    else:
        for done in client.submit(texts, replace=replace, rate=rate, priority=priority):
            told.of(done.result, done.to_json())
    told.close()
    if not told.bytes and found == [sources.STDIN]:
        say("cirrus: stdin is empty: nothing was queued. If a pipe through xargs gave up on a long line, use the plain")
        say(f"pipe: cirrus manage {managed.name} get-payloads ... | cirrus manage {managed.name} process")
        ctx.exit(1)
    _conclude(ctx, managed.name, told.counts, dry_run=dry_run)


def _process(
    managed: Managed, workflow: str | None, definition: Path | None, given: tuple[tuple[str, str], ...]
) -> list[Any] | None:
    """The process definitions for bare Items; None if there is none to be given."""
    from cirrus.core.process_text import read_process

    if definition is None:
        if given:
            raise click.UsageError("-x goes with --process")
        return None if workflow is None else [{"workflow": workflow}]
    variables = dict(managed.client().deployment.variables) | dict(given)
    return read_process(definition.read_text(encoding="utf-8"), str(definition), variables, workflow)


class _Told:
    """What was said of each payload, beside the progress bar."""

    def __init__(self, size: int | None) -> None:
        self.counts: Counter[str] = Counter()
        self.bytes = 0
        self._progress = Progress(size)
        self._lines = output.Lines()

    def read(self, more: int) -> None:
        """So many bytes more were read; none where nothing comes for now, so that what was said must not wait."""
        self.bytes += more
        self._progress.read(more)
        if not more:
            self._lines.flush()

    def of(self, result: str, body: dict[str, Any]) -> None:
        """Say what became of one."""
        self.counts[result] += 1
        self._progress.step()
        if output.on_terminal():
            self._progress.clear()
        self._lines(encode(body))

    def close(self) -> None:
        """There is no more."""
        self._lines.flush()
        self._progress.clear()


def _conclude(ctx: click.Context, name: str, counts: Counter[str], *, dry_run: bool) -> None:
    if not counts:
        say("nothing to do: there is no payload")
        return
    if dry_run:
        say("nothing was queued; it would be: " + ", ".join(f"{n} {action}" for action, n in sorted(counts.items())))
        ctx.exit(1 if counts["invalid"] else 0)
    rejected = f", {counts['rejected']} rejected" if counts["rejected"] else ""
    work = f"; `cirrus up {name}` does the work" if counts["queued"] else ""
    say(f"{counts['queued']} queued{rejected}{work}")
    ctx.exit(1 if counts["rejected"] else 0)


@click.command("run-workflow")
@click.option("-t", "--timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait at most.")
@click.option("-p", "--poll-interval", type=float, default=0.2, show_default=True, help="Seconds between two looks.")
@click.option("-r", "--raw", is_flag=True, hidden=True, expose_value=False)  # it is printed as it was returned
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
