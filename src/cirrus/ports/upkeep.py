"""Upkeep: looking a home's store over as a whole, and copying it while it is in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.lease import Lease


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be: `problem` is its kind, `subject` what it is about, `detail` one sentence."""

    problem: str
    subject: str
    detail: str


class Upkeep(Protocol):
    """What a store knows about its own state; nothing here changes it."""

    def findings(self, now: int, lease: Lease, *, patience: int, full: bool) -> Iterator[Finding]:
        """What is wrong in the store itself; a lease that ended more than `patience` microseconds ago is.

        `lease` is one that begins now and lasts as long as those of control processes.
        `full` reads everything; without it the contents of bodies and pages are looked at in part.
        """

    def executions(self, limit: int | None) -> Iterator[str]:
        """The ids of all executions, or of up to `limit` that run and up to `limit` that ended last."""

    def copy(self, destination: str, *, force: bool, progress: Callable[[int, int], None]) -> int:
        """Copy the store as it is at one moment to a file, and gives its size in bytes; others go on writing.

        The file is there only once the copy is whole and has been verified. `progress` is told how many pages are
        done, and how many there are. StoreError if it cannot be written, or if it exists and `force` is not given.
        """
