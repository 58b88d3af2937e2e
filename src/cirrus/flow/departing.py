"""Attempts that were cancelled and have not come back yet.

An execution can be let go of and taken over again while its attempt is being stopped. The new attempt has the same id,
so it waits until the old one has come back; what the old one brings is nobody's any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cirrus.ports.compute import Attempt


class Departing:
    """The `ids` of cancelled attempts, each with the attempt that waits for it."""

    def __init__(self) -> None:
        self.ids: dict[str, Attempt | None] = {}

    def add(self, attempt_id: str) -> None:
        """It was cancelled."""
        self.ids[attempt_id] = None

    def hold(self, attempts: Sequence[Attempt]) -> list[Attempt]:
        """Those that may start; the others wait."""
        if not self.ids:
            return list(attempts)
        self.ids |= {one.id: one for one in attempts if one.id in self.ids}
        return [one for one in attempts if one.id not in self.ids]

    def drop(self, attempt_id: str) -> bool:
        """Whether an attempt of this id waited; it does no longer."""
        if self.ids.get(attempt_id) is None:
            return False
        self.ids[attempt_id] = None
        return True

    def back(self, attempt_ids: Iterable[str]) -> list[Attempt]:
        """These have come back; gives what waited for them."""
        if not self.ids:
            return []
        came = [self.ids.pop(one) for one in attempt_ids if one in self.ids]
        return [one for one in came if one is not None]
