"""What the tasks of a deployment declare, as `cirrus deploy` wrote it beside the code of the functions.

Workflows stand there too, with their tasks named as in the project: that is enough to know whose parameters to check.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cirrus.core.declared import Declared
from cirrus.ports.parameters import Checked

FILE = "declared.json"
_TASK = re.compile(rb":function:([A-Za-z0-9_-]+)")


class StatedWorkflows:
    """The workflows as they were when they were deployed; that another is missing is found out when it is started."""

    def __init__(self, workflows: Mapping[str, str]) -> None:
        self._known = {name: text.encode() for name, text in workflows.items()}

    def names(self) -> list[str]:
        """Their names, sorted."""
        return sorted(self._known)

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text; nothing for one that is not known."""
        return self._known.get(name, b"")


class StatedParameters:
    """What was declared when the tasks were deployed."""

    def __init__(self, tasks: Mapping[str, Mapping[str, Any]]) -> None:
        self._declared = Declared(tasks)
        self._names: dict[bytes, tuple[str, ...]] = {b"": ()}

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Hold a process definition's `tasks` to what the tasks of a state machine declare."""
        return Checked(*self._declared.check(self._of(definition), tasks))

    def schema(self, definition: bytes) -> dict[str, Any]:
        """The JSON schema of `tasks` for a state machine."""
        return self._declared.schema(self._of(definition))

    def _of(self, definition: bytes) -> tuple[str, ...]:
        if definition not in self._names:
            self._names[definition] = tuple(sorted({found.decode() for found in _TASK.findall(definition)}))
        return self._names[definition]
