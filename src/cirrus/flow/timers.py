"""Timers in memory: the next that is due, without those that were cancelled."""

from __future__ import annotations

import heapq
from collections.abc import Collection

from cirrus.flow.nest import Path

Key = tuple[str, Path, int]
_BACK = 1.0


class Setbacks:
    """By how many seconds the clock was set back since each timer of a history was set."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._back = 0.0
        self._before: dict[tuple[Path, int], float] = {}

    def follow(self, now: float) -> None:
        """Take note of the time of the next entry, or of now."""
        if self._last is not None and self._last - now > _BACK:
            self._back += self._last - now
        self._last = now

    def set(self, path: Path, ref: int) -> None:
        """A timer is set."""
        self._before[path, ref] = self._back

    def since(self, path: Path, ref: int) -> float:
        """What a timer must move by, so that it lasts as long as it was meant to."""
        return self._back - self._before.get((path, ref), 0.0)


class Timers:
    """Due times (seconds since the epoch) by execution, path and ref."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, Key]] = []
        self._now = 0.0

    def follow(self, now: float) -> None:
        """Take note of the time; where the clock was set back, what is due moves with it rather than wait for it."""
        back = self._now - now
        if back > _BACK:
            self._due = {key: due - back for key, due in self._due.items()}
            self._heap = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._heap)
        self._now = now

    def set(self, key: Key, due: float) -> None:
        """Set a timer."""
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))

    def cancel(self, key: Key) -> None:
        """Cancel a timer that may be gone already."""
        self._due.pop(key, None)
        if len(self._heap) > 64 and len(self._heap) > 2 * len(self._due):
            self._heap = [(due, one) for one, due in self._due.items()]
            heapq.heapify(self._heap)

    def drop(self, execution_ids: Collection[str]) -> None:
        """Cancel every timer of these executions."""
        for key in [key for key in self._due if key[0] in execution_ids]:
            self.cancel(key)

    def next(self) -> float | None:
        """When the next timer is due."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, now: float) -> list[Key]:
        """The timers that are due, the earliest first; they stay set."""
        if (first := self.next()) is None or first > now:
            return []
        return [key for due, key in sorted((due, key) for key, due in self._due.items() if due <= now)]
