"""`cirrus workflow validate`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from cirrus.entry.cli.workflow_named import STDIN, project_of, read_bytes, task_names
from cirrus.errors import Diagnostic
from cirrus.workflows import Workflow, read_file, read_workflow

_COLOURS = {"ERROR": "red", "WARNING": "yellow"}


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--strict", is_flag=True, help="Count warnings as errors.")
@click.pass_obj
def validate(folder: Path, files: tuple[str, ...], strict: bool) -> None:
    """Check definitions, JSON or YAML, and print every finding; `-` is stdin.

    Without FILE, all workflows of the project. A file inside a project may name the project's tasks as ${NAME}; one
    outside of any is checked as Step Functions would. Exits 1 if there is an error.
    """
    from cirrus.entry.cli.output import say

    counts = {"ERROR": 0, "WARNING": 0}
    number = 0
    for place, workflow in _named_files(folder, files) if files else _of_project(folder):
        number += 1
        for finding in (*workflow.errors, *workflow.warnings):
            counts[finding.severity] += 1
            _show(place, finding)
    say(f"{_many(number, 'definition')}: {_many(counts['ERROR'], 'error')}, {_many(counts['WARNING'], 'warning')}")
    sys.exit(1 if counts["ERROR"] or (strict and counts["WARNING"]) else 0)


def _of_project(folder: Path) -> Iterable[tuple[str, Workflow]]:
    from cirrus.app import open_project

    project = open_project(folder)
    tasks = task_names(project)
    for _, file in sorted(project.workflows.items()):
        yield _shown(file), read_file(file, tasks)


def _named_files(folder: Path, files: Iterable[str]) -> Iterable[tuple[str, Workflow]]:
    known: dict[Path, set[str] | None] = {}
    if folder != Path():
        from cirrus.app import open_project

        known[folder.resolve()] = task_names(open_project(folder))
    for place in files:
        start = (Path(place).parent if folder == Path() and place != STDIN else folder).resolve()
        if start not in known:
            known[start] = task_names(project_of(start))
        if place == STDIN:
            yield "<stdin>", read_workflow(read_bytes(place), "<stdin>", known[start])
        else:
            yield place, read_file(Path(place), known[start])


def _show(place: str, finding: Diagnostic) -> None:
    from cirrus.core.jsontext import encode
    from cirrus.entry.cli import output

    if not output.on_terminal():
        body = {"file": place, "line": finding.line, "severity": finding.severity.lower(), "code": finding.code}
        output.line(encode({**body, "pointer": finding.location, "message": finding.message}))
        return
    where = f"{place}:{finding.line}" if finding.line else place
    severity = click.style(finding.severity.lower(), fg=_COLOURS.get(finding.severity), bold=True)
    click.echo(f"{where}: {severity} {finding.code} at {finding.location}: {finding.message}")


def _shown(file: Path) -> str:
    """The path as one would type it here."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
