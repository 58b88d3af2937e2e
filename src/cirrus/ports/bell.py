"""The bell: lets control processes look at once, where they would look a moment later anyway."""

from __future__ import annotations

from typing import Protocol


class Bell(Protocol):
    """A hint, never needed: nothing is lost where nobody hears it."""

    def ring(self) -> None:
        """Something was queued or answered, and is committed."""


class Silent:
    """A bell that nobody hears."""

    def ring(self) -> None:
        """Do nothing."""
