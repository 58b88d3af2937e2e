"""`cirrus demo`: the main job on real input, shown as an operator would do it, command by command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from cirrus.errors import CirrusError

_ERROR = 90
_CIRRUS = (sys.executable, "-m", "cirrus.entry.cli.main")


class DemoError(CirrusError):
    """A command of the demo did not do what it should."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo-output"))
@click.option("--fresh", is_flag=True, help="Remove FOLDER first if an earlier demo made it.")
def demo(folder: Path, fresh: bool) -> None:
    """Process windows of a real Landsat scene in FOLDER: see some fail, fix the bug, rerun just those."""
    from cirrus import demo as project

    if fresh and (folder / "cirrus.toml").is_file() and (folder / project.PAYLOADS).is_file():
        shutil.rmtree(folder)
    began = time.monotonic()
    project.create(folder)
    _say(f"A project with {len(project.payloads(folder))} windows of a Landsat 8 scene stands in {folder}.")
    run = _Runner(folder)
    _say("Queue one payload for each window, and work the queue until nothing is left:")
    run.shell(f"process < {project.PAYLOADS}", ["manage", "local", "process"], stdin=folder / project.PAYLOADS)
    run.shell("", ["up", "--until-idle"])
    before = _states(folder)
    _show("Before the fix:", before)
    workflow = _failed_workflow(folder)
    _say("Why did some fail? One of them says:")
    failed = next(known for known, (state, _, _) in before.items() if state == "FAILED")
    run.shell("", ["manage", "local", "get-logs", "--payload-id", failed, "--task", "scene-to-stac"], last=3)
    _say(f"One line of {project.BUG.file} is wrong. Mend it:")
    _diff(project.BUG.wrong, project.BUG.right)
    project.fix(folder)
    _say("Rerun exactly the failed ones, by query:")
    run.pipe(
        ["manage", "local", "get-payloads", "--collections-workflow", workflow, "--state", "FAILED", "--rerun"],
        ["manage", "local", "process"],
    )
    run.shell("", ["up", "--until-idle"])
    after = _states(folder)
    _show("After the fix:", after)
    _close(folder, before, after, time.monotonic() - began)


class _Runner:
    """Runs commands in the demo's folder and shows them as they would be typed there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shell(self, shown: str, arguments: list[str], stdin: Path | None = None, last: int | None = None) -> None:
        """One command; `last` shows only so many lines of its output."""
        words = "manage local " + shown if shown else " ".join(arguments)
        click.secho(f"$ cirrus {words}", bold=True)
        began = time.monotonic()
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(
                [*_CIRRUS, *arguments], cwd=self._folder, stdin=source, stdout=subprocess.PIPE, check=False
            )
        lines = done.stdout.decode(errors="replace").splitlines()
        for text in lines if last is None else lines[-last:]:
            click.echo(text)
        _finished(done.returncode, f"cirrus {words}", began)

    def pipe(self, source: list[str], sink: list[str]) -> None:
        """One command piped into another."""
        words = f"cirrus {' '.join(source)} | cirrus {' '.join(sink)}"
        click.secho(f"$ {words}", bold=True)
        began = time.monotonic()
        with subprocess.Popen([*_CIRRUS, *source], cwd=self._folder, stdout=subprocess.PIPE) as first:
            done = subprocess.run([*_CIRRUS, *sink], cwd=self._folder, stdin=first.stdout, check=False)
        _finished(first.returncode or done.returncode, words, began)


def _finished(code: int, words: str, began: float) -> None:
    if code:
        raise DemoError(f"`{words}` ended with exit code {code}")
    click.secho(f"  ({time.monotonic() - began:.1f} s)", dim=True)


def _states(folder: Path) -> dict[str, tuple[str, int, str]]:
    """State, number of executions and last error by payload id."""
    from cirrus.app import deployment, open_home, open_project
    from cirrus.flow import query
    from cirrus.ports.state_db import Query

    opened = open_project(folder)
    home = open_home(opened, deployment(opened, "local"))
    found = query.records(home, Query(sort="id", ascending=True))
    return {one.payload_id: (str(one.state), len(one.executions), one.last_error or "") for one in found}


def _failed_workflow(folder: Path) -> str:
    from cirrus.core.payload_id import parse

    return next(
        parse(known).collections_workflow for known, (state, _, _) in _states(folder).items() if state == "FAILED"
    )


def _show(title: str, states: dict[str, tuple[str, int, str]]) -> None:
    _say(title)
    for known, (state, executions, error) in states.items():
        times = "1 execution " if executions == 1 else f"{executions} executions"
        click.echo(f"  {state:<10} {times}  {known.rpartition('/')[2]}  {_cut(error)}".rstrip())


def _cut(text: str) -> str:
    return text if len(text) <= _ERROR else f"{text[: _ERROR - 3]}..."


def _diff(wrong: str, right: str) -> None:
    click.secho(f"  -{wrong}", fg="red")
    click.secho(f"  +{right}", fg="green")


def _close(
    folder: Path, before: dict[str, tuple[str, int, str]], after: dict[str, tuple[str, int, str]], took: float
) -> None:
    again = {known for known, (_, executions, _) in after.items() if executions > before[known][1]}
    failed = {known for known, (state, _, _) in before.items() if state == "FAILED"}
    bad = [known for known in failed if after[known][0] != "COMPLETED"]
    if again != failed or bad:
        raise DemoError(f"the rerun touched {sorted(again)}, but {sorted(failed)} had failed; still bad: {bad}")
    items = sorted(folder.glob("catalog/*/*/*/*/*.json"))
    count = sum(path.name != "catalog.json" for path in items)
    _say(f"{count} Items were published in {took:.0f} s; {len(failed)} payloads ran twice, and no other. Look at:")
    for place, what in (
        (folder / "catalog" / "catalog.json", "the static STAC catalog, for pystac or STAC Browser"),
        (folder / "data", "Cloud-Optimized GeoTIFFs, thumbnails and Items"),
        (
            folder / ".cirrus" / "local" / "cirrus.db",
            "every payload that went in and came out, every execution and log",
        ),
    ):
        click.echo(f"  {place}: {what}")
    click.echo(f"  {sys.argv[0]} -p {folder} manage local query --state INVALID: why one input can never work")


def _say(text: str) -> None:
    click.echo(f"\n{text}")
