"""Once: the workflows as one batch sees them, each looked up no more than once, however many payloads name it."""

from __future__ import annotations

from dataclasses import replace

from cirrus.errors import InvalidDefinition, NotFound
from cirrus.flow.home import Home, Workflows


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


def for_batch(home: Home) -> Home:
    """The home for one batch, whose workflows do not change meanwhile."""
    return replace(home, workflows=Once(home.workflows))
