"""The port of parameters where nothing is declared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.ports.parameters import Checked


class NoParameters:
    """Tasks that take anything."""

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Nothing is wrong."""
        return Checked()

    def schema(self, definition: bytes) -> dict[str, Any]:
        """Anything is right."""
        return {"type": "object"}
