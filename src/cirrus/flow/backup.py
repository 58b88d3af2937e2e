"""Backup: a copy of a home's store as it was at one moment, made while others work with it."""

from __future__ import annotations

from collections.abc import Callable

from cirrus.ports.upkeep import Upkeep


def backup(
    upkeep: Upkeep, destination: str, *, force: bool = False, progress: Callable[[int, int], None] | None = None
) -> int:
    """Copy the store to a file and verify the copy; gives its size in bytes. StoreError if that cannot be done."""
    return upkeep.copy(destination, force=force, progress=progress or (lambda _done, _all: None))
