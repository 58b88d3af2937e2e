"""Which task may use which buckets, and what opens them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cirrus.core.bucket import Access

NAMES = "CIRRUS_BUCKETS"
FILE = "CIRRUS_BUCKETS_FILE"
CHANGES = "CIRRUS_BUCKETS_CHANGES"
ANY = "*"


@dataclass(frozen=True, slots=True, repr=False)
class Grants:
    """The buckets of each task by name; ANY stands for every other bucket, opened with what the environment has.

    `hidden` are the variables of the environment that hold declared secrets: no task inherits them.
    """

    accesses: Mapping[str, Access]
    tasks: Mapping[str, tuple[str, ...]]
    hidden: frozenset[str] = frozenset()

    def names(self, task: str) -> str:
        """The names of a task's buckets, as its environment has them."""
        return " ".join(self.tasks.get(task, ()))

    def named(self, names: str) -> list[Access]:
        """What opens the buckets of these names."""
        return [self.accesses[name] for name in names.split() if name != ANY]

    def masked(self) -> frozenset[str]:
        """Every value that no log shows."""
        return frozenset(value for access in self.accesses.values() for value in access.masked())


def ambient(names: str, accesses: list[Access]) -> bool:
    """Whether one of the buckets is opened with what the environment has."""
    return ANY in names.split() or any(access.ambient for access in accesses)
