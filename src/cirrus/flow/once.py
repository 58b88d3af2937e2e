"""Once: what payloads of one batch have in common is looked up and checked no more than once, however many they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cirrus.errors import InvalidDefinition, NotFound
from cirrus.flow.home import Home, Workflows
from cirrus.ports.parameters import Checked, Parameters


class Once:
    """Workflows that stay as they were when they were first asked for."""

    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows
        self._known: dict[str, bytes | NotFound | InvalidDefinition] = {}

    def names(self) -> list[str]:
        """Their names, sorted."""
        return self._workflows.names()

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text. NotFound, or InvalidDefinition with every finding."""
        known = self._known.get(name)
        if known is None:
            try:
                known = self._workflows.definition(name)
            except (NotFound, InvalidDefinition) as error:
                known = error
            self._known[name] = known
        if isinstance(known, bytes):
            return known
        raise known.with_traceback(None)


class OnceChecked:
    """Parameters of tasks; what is wrong with giving none is found out once for each workflow."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._none: dict[bytes, Checked] = {}

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Hold a process definition's `tasks` to what the tasks of a state machine (JSON text) declare."""
        if tasks:
            return self._parameters.check(definition, tasks)
        if definition not in self._none:
            self._none[definition] = self._parameters.check(definition, {})
        return self._none[definition]

    def schema(self, definition: bytes) -> dict[str, Any]:
        """The JSON schema of `tasks` for a state machine: the union of what its tasks declare."""
        return self._parameters.schema(definition)


def for_batch(home: Home) -> Home:
    """The home for one batch, whose workflows and what their tasks declare do not change meanwhile."""
    return replace(home, workflows=Once(home.workflows), parameters=OnceChecked(home.parameters))
