"""A unit of work: several calls to a home's ports that commit together."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Unit(Protocol):
    """Groups writes; a backend that cannot makes each call its own transaction, which the ports allow for."""

    def group(self) -> AbstractContextManager[None]:
        """All writes inside commit when the block ends, none of them if it raises."""
