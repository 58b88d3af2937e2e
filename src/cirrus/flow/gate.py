"""The gate: attempts at tasks that are limited wait here until all control processes together have room for them.

Rooms are reserved inside a turn's transaction, and attempts pass once it has committed. What counts is told anew each
time, so nothing has to be given back by whoever dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cirrus.flow.home import Home
from cirrus.ports.compute import Attempt


class Gate:
    """The attempts of one control process at limited tasks: those that wait, in order, and those that are under way."""

    def __init__(self, home: Home, owner: str) -> None:
        self._home = home
        self._owner = owner
        self._waiting: dict[str, Attempt] = {}
        self._under_way: dict[str, str] = {}
        self.again: int | None = None

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def reserve(self, starting: Sequence[Attempt], ended: Collection[str], now: int) -> Mapping[str, int]:
        """How many attempts at each limited task may start, once these have ended; inside the caller's group."""
        limits = self._home.throttle.tasks
        if not limits:
            return {}
        held = Counter(task for key, task in self._under_way.items() if key not in ended)
        wanted = Counter(one.task for one in (*self._waiting.values(), *starting) if one.task in limits)
        touched = {*wanted, *(self._under_way[key] for key in ended if key in self._under_way)}
        granted: dict[str, int] = {}
        instants: list[int] = []
        for task in sorted(touched):
            who = (self._owner, task, held[task], wanted[task])
            granted[task], again = self._home.journal.reserve(*who, limits[task], now)
            instants += [] if again is None else [again]
        self.again = min(instants, default=None)
        return granted

    def admit(self, starting: Sequence[Attempt], ended: Collection[str], granted: Mapping[str, int]) -> list[Attempt]:
        """The attempts that start now that the reservation has been committed; the others wait."""
        limits = self._home.throttle.tasks
        if not limits:
            return list(starting)
        for key in ended:
            self._under_way.pop(key, None)
        left = dict(granted)
        passed = [one for one in starting if one.task not in limits]
        self._waiting |= {one.id: one for one in starting if one.task in limits}
        for one in list(self._waiting.values()):
            if left.get(one.task, 0) > 0:
                left[one.task] -= 1
                self._under_way[one.id] = one.task
                passed.append(self._waiting.pop(one.id))
        return passed

    def drop(self, attempt_id: str) -> bool:
        """Forget an attempt that waits; False if it does not."""
        return self._waiting.pop(attempt_id, None) is not None
