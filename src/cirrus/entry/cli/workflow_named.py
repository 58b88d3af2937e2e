"""A workflow by what a person calls it: its name in the project, or the path of a definition."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from cirrus.errors import ConfigError, Diagnostic, InvalidDefinition, NotFound
from cirrus.settings import Project
from cirrus.workflows import Workflow, read_file

SUFFIXES = {".json", ".yaml", ".yml"}
STDIN = "-"


@dataclass(frozen=True, slots=True)
class Named:
    """A workflow that was found: what it is called, its file, and what its text says."""

    name: str
    file: Path
    workflow: Workflow

    def definition(self) -> dict[str, Any]:
        """The state machine, its tasks filled in; InvalidDefinition with every error."""
        return self.workflow.definition()


def project_of(folder: Path) -> Project | None:
    """The project that a folder belongs to, None if to none; ConfigError if it is wrong."""
    from cirrus.settings import find_project, load_project

    try:
        found = find_project(folder.resolve())
    except ConfigError:
        return None
    return load_project(found)


def task_names(project: Project | None) -> set[str] | None:
    """The names that `${...}` may stand for in a project; None where there is no project."""
    if project is None:
        return None
    from cirrus.app import task_specs
    from cirrus.core.reserved import POST_BATCH, PRE_BATCH

    return {*task_specs(project), PRE_BATCH, POST_BATCH}


def named(folder: Path, name: str) -> Named:
    """The workflow of a name in the project that `folder` belongs to, or of a path; NotFound lists what there is."""
    path = Path(name)
    if path.suffix in SUFFIXES:
        if not path.is_file():
            raise NotFound("file", name)
        owner = project_of(folder if folder != Path() else path.parent)
        return Named(bare_name(path), path, read_file(path, task_names(owner)))
    from cirrus.app import open_project

    project = open_project(folder)
    file = project.workflows.get(name)
    if file is None:
        there = ", ".join(sorted(project.workflows)) or "none"
        raise NotFound("workflow", name, f"there are: {there}; the path of a definition will do too")
    return Named(name, file, read_file(file, task_names(project)))


def bare_name(path: Path) -> str:
    """What a definition's file is called without its endings."""
    return path.name.partition(".asl.")[0] if ".asl." in path.name else path.stem


def read_json(place: str | None, what: str) -> Any:
    """The JSON or YAML document in a file, or on stdin for `-`; InvalidDefinition says where it cannot be read."""
    import json

    from cirrus.asl.source import Unusable, read_json

    if place is None:
        return None
    content = read_bytes(place)
    try:
        text = content.decode("utf-8-sig")
        if Path(place).suffix in (".yaml", ".yml"):
            from cirrus.trial.document import Document

            return Document(content, place).value
        return read_json(text).value
    except Unusable as problem:
        told = str(problem).replace("The definition", "It")
        where = f"line {problem.line}, column {problem.column}" if problem.line else "/"
        finding = Diagnostic("INVALID_JSON", where, f"{what} is no JSON: {told}", line=problem.line)
        raise InvalidDefinition([finding], place) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidDefinition([Diagnostic("INVALID_JSON", "/", f"{what} is no JSON: {error}")], place) from None


def read_bytes(place: str) -> bytes:
    """The content of a file, or of stdin for `-`; a usage error where it cannot be read."""
    if place == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(place).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{place} cannot be read: {error.strerror or error}") from None
