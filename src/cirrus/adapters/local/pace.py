"""The pace of a pool: how many attempts may come in so that no worker is idle, and nobody waits for long.

What waits here is claimed and cannot be overtaken, by payloads of a higher priority say. So as much work is let in as
the workers do in a moment: hundreds of quick attempts, or one beside those that run where they take minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from cirrus.adapters.local.backlog import TaskQueue

AHEAD = 1.0  # seconds
UNKNOWN = 1.0  # how long an attempt takes that nobody has seen yet
_WEIGHT = 0.1


class Pace:
    """Learns how long attempts take, and says how many more may come."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._usual: float | None = None

    def note(self, seconds: float) -> None:
        """An attempt has taken so long."""
        self._usual = seconds if self._usual is None else self._usual + _WEIGHT * (seconds - self._usual)

    def room(self, busy: int, waiting: Iterable[tuple[TaskQueue, int]]) -> int:
        """How many more attempts may come where so many workers are busy, and so many of each queue wait for one."""
        count, seconds = 0, 0.0
        for queue, number in waiting:
            count += number
            seconds += number * (UNKNOWN if queue.seconds is None else queue.seconds)
        usual = UNKNOWN if self._usual is None else self._usual
        left = AHEAD * self._most - seconds
        ahead = left / usual if usual > 0 else inf
        return max(0, self._most - busy - count) + int(max(0.0, min(ahead, 1_000_000)))
