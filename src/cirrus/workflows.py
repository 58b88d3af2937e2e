"""The project's workflows: read from their files, tasks filled in, checked, and read again when a file changes.

A finding names the place in the user's own file, its JSON pointer and its line: tasks are filled in after the text was
parsed, and the lines are those of the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cirrus.errors import Diagnostic, InvalidDefinition, NotFound

if TYPE_CHECKING:  # what reads no definition does not wait for the engine's import
    from cirrus.asl.source import Source

_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_-]+)\}")
_TIMES = 4  # a file may be so much longer than the longest definition: it has comments
FUNCTION = "arn:aws:lambda:local:000000000000:function:"


@dataclass(frozen=True, slots=True)
class Workflow:
    """A definition as it was read and checked: its tasks filled in, and what was found.

    Warnings never stand in the way; with errors `definition` raises.
    """

    source: str
    document: Any
    errors: tuple[Diagnostic, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    def definition(self) -> dict[str, Any]:
        """The state machine; InvalidDefinition with every error."""
        if self.errors:
            raise InvalidDefinition(self.errors, self.source)
        assert isinstance(self.document, dict)
        return self.document


class ProjectWorkflows:
    """Definitions by workflow name; `tasks` are the names that `${...}` may stand for."""

    def __init__(self, files: Mapping[str, Path], tasks: Collection[str]) -> None:
        self._files = dict(files)
        self._tasks = frozenset(tasks)
        self._known: dict[str, tuple[tuple[int, int], Workflow, bytes]] = {}

    def names(self) -> list[str]:
        """Their names, sorted."""
        return sorted(self._files)

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text, its tasks named by ARN. NotFound, or InvalidDefinition with every error."""
        _, workflow, text = self._entry(name)
        workflow.definition()
        return text

    def workflow(self, name: str) -> Workflow:
        """A workflow with what was found in it, errors and warnings; NotFound."""
        return self._entry(name)[1]

    def _entry(self, name: str) -> tuple[tuple[int, int], Workflow, bytes]:
        file = self._files.get(name)
        if file is None:
            raise NotFound("workflow", name, f"there are: {', '.join(self.names()) or 'none'}")
        stamp = _stamp(file)
        known = self._known.get(name)
        if known is None or known[0] != stamp:
            workflow = read_file(file, self._tasks)
            text = b"" if workflow.errors else json.dumps(workflow.document, ensure_ascii=False).encode()
            known = self._known[name] = (stamp, workflow, text)
        return known


def read_file(file: Path, tasks: Collection[str] | None = None) -> Workflow:
    """The workflow in a file; one that cannot be read is a finding too."""
    from cirrus.asl.source import LONGEST

    try:
        with file.open("rb") as stream:
            content = stream.read(_TIMES * LONGEST + 1)
    except OSError as error:
        return Workflow(file.name, None, (Diagnostic("UNREADABLE", "/", f"The file cannot be read: {error.strerror}"),))
    return read_workflow(content, file.name, tasks)


def read_workflow(content: bytes, source: str, tasks: Collection[str] | None = None) -> Workflow:
    """The workflow in a text, JSON or YAML.

    With `tasks` it is held to a project: `${...}` names one of them, and a resource that Cirrus cannot run is an error.
    Without, it is checked as Step Functions would, and `${...}` stays as it is.
    """
    from cirrus.asl.check import check_machine
    from cirrus.asl.source import LONGEST, Unusable, read_source, unusable

    if len(content) > _TIMES * LONGEST:
        return Workflow(source, None, (unusable(Unusable(f"The definition is larger than {LONGEST} bytes")),))
    try:
        read = read_source(content)
    except Unusable as problem:
        return Workflow(source, None, (unusable(problem),))
    if read.text is not None:
        read.text = read.text.replace("\t", " ")  # lines are looked up as YAML, which knows no tabs
    found: list[Diagnostic] = []
    if tasks is not None:
        unknown: list[tuple[str, str]] = []
        read.value = _fill(read.value, "", frozenset(tasks), unknown)
        found += (_unknown(read, where, name, tasks) for where, name in unknown)
    found += check_machine(read, "STANDARD", tasks is not None)
    return Workflow(source, read.value, _sorted(found, "ERROR"), _sorted(found, "WARNING"))


def _sorted(findings: Iterable[Diagnostic], severity: str) -> tuple[Diagnostic, ...]:
    return tuple(sorted((one for one in findings if one.severity == severity), key=lambda one: one.line))


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _fill(value: Any, where: str, tasks: Collection[str], unknown: list[tuple[str, str]]) -> Any:
    """The value with the ARN of its task in place of each `${...}`; gathers (pointer, name) of those there are not."""
    from cirrus.asl.source import escape

    if isinstance(value, dict):
        return {key: _fill(member, f"{where}/{escape(key)}", tasks, unknown) for key, member in value.items()}
    if isinstance(value, list):
        return [_fill(member, f"{where}/{n}", tasks, unknown) for n, member in enumerate(value)]
    if not isinstance(value, str) or "${" not in value:
        return value
    if not where.endswith("/Comment"):
        unknown += ((where, found[1]) for found in _VARIABLE.finditer(value) if found[1] not in tasks)
    return _VARIABLE.sub(lambda found: FUNCTION + found[1] if found[1] in tasks else found[0], value)


def _unknown(read: Source, where: str, name: str, tasks: Collection[str]) -> Diagnostic:
    near = get_close_matches(name, tasks, 1)
    hint = f"did you mean {near[0]!r}? There are" if near else "there are"
    message = f"the project has no task {name!r}; {hint}: {', '.join(sorted(tasks))}"
    return Diagnostic("UNKNOWN_TASK", where or "/", message, line=read.line(where))
