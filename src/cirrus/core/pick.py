"""Which queued messages are next.

A lane is what waits in order: messages of one priority, collections and workflow. Higher priorities go first. Within
one, the collections take turns, message by message, and so do the workflows of each collections; whoever was served
last is last in the next round. A lane that is paused or at a limit is passed over, and holds up no other. What is
looked at is what is taken, and one message for each lane that waits, however long the lanes are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cirrus.core.throttle import Limit, Pause, Throttle


@dataclass(frozen=True, slots=True)
class Lane:
    """Where messages wait; collections and workflow are empty where the payload id is not known.

    `turn` is a number for the collections: they are served in its order, round and round. `key` is the store's own.
    """

    priority: int
    turn: int
    collections: str
    workflow: str
    key: int = 0


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Waiting:
    """A message that can be taken: `number` tells it apart, the oldest of a lane has the lowest."""

    number: int
    body: bytes
    attempts: int
    lane: Lane


class Source(Protocol):
    """The lanes of a store; each answer is read only as far as it is asked for."""

    def priorities(self) -> Iterator[int]:
        """The priorities at which something waits, the highest first."""

    def lanes(self, priority: int, after: int) -> Iterator[Lane]:
        """Lanes in which something waits, in the order of `turn` from behind `after`, round to `after` itself."""

    def messages(self, lane: Lane, behind: int, limit: int) -> Iterator[Waiting]:
        """Up to `limit` messages of a lane, the oldest first, those with a higher number than `behind`."""


@dataclass(slots=True)
class Allowance:
    """What limits and pauses leave, given what runs and what has begun lately.

    `running` counts by (collections, workflow); `debts` are those of rates by name.
    """

    throttle: Throttle = field(default_factory=Throttle)
    pauses: Sequence[Pause] = ()
    running: Mapping[tuple[str, str], int] = field(default_factory=dict)
    debts: Mapping[str, int] = field(default_factory=dict)
    now: int = 0
    _free: dict[str, int] = field(default_factory=dict)
    _running: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for (collections, workflow), number in self.running.items():
            for name, _ in self.throttle.of(collections, workflow):
                self._running[name] = self._running.get(name, 0) + number

    def open(self, collections: str, workflow: str) -> bool:
        """Whether one more may begin."""
        if self.paused(collections, workflow):
            return False
        if not self.throttle:
            return True
        return all(self._left(name, limit) > 0 for name, limit in self.throttle.of(collections, workflow))

    def use(self, collections: str, workflow: str) -> None:
        """One more begins."""
        if not self.throttle:
            return
        for name, limit in self.throttle.of(collections, workflow):
            self._free[name] = self._left(name, limit) - 1

    def paused(self, collections: str, workflow: str) -> bool:
        """Whether somebody must resume these before they can begin."""
        return bool(self.pauses) and any(pause.holds(collections, workflow) for pause in self.pauses)

    def again(self, collections: str, workflow: str) -> int | None:
        """When one more may begin as time passes; None where something must end or be resumed first."""
        if self.paused(collections, workflow):
            return None
        found = self.now
        for name, limit in self.throttle.of(collections, workflow):
            if limit.running is not None and self._running.get(name, 0) >= limit.running:
                return None
            if limit.rate is not None:
                found = max(found, limit.rate.again(self.debts.get(name), self.now))
        return found

    def _left(self, name: str, limit: Limit) -> int:
        if name not in self._free:
            free = [] if limit.running is None else [limit.running - self._running.get(name, 0)]
            free += [] if limit.rate is None else [limit.rate.free(self.debts.get(name), self.now)]
            self._free[name] = min(free, default=1 << 62)
        return self._free[name]


def spent(throttle: Throttle, debts: Mapping[str, int], begun: Iterable[tuple[str, str]], now: int) -> dict[str, int]:
    """The debts of rates that change because executions of these (collections, workflow) have begun."""
    changed: dict[str, int] = {}
    for collections, workflow in begun:
        for name, limit in throttle.of(collections, workflow):
            if limit.rate is not None:
                changed[name] = limit.rate.spend(changed.get(name, debts.get(name)), now, 1)
    return changed


def pick(source: Source, limit: int, size: int, allowance: Allowance, served: dict[int, int]) -> list[Waiting]:
    """Up to `limit` messages whose bodies have together about `size` bytes; at least one if any may be taken.

    `served` remembers for each priority the `turn` that was served last.
    """
    picked: list[Waiting] = []
    for priority in source.priorities():
        for message in _in_turn(source, priority, limit - len(picked), allowance, served):
            picked.append(message)
            size -= len(message.body)
            if size <= 0 or len(picked) >= limit:
                return picked
    return picked


def _in_turn(
    source: Source, priority: int, limit: int, allowance: Allowance, served: dict[int, int]
) -> Iterator[Waiting]:
    streams = deque(_streams(source, priority, limit, allowance, served.get(priority, 0)))
    while streams:
        stream = streams.popleft()
        message = stream.next(source, -(-limit // (len(streams) + 1)), allowance)
        if message is not None:
            streams.append(stream)
            served[priority] = stream.turn
            limit -= 1
            yield message


def _streams(source: Source, priority: int, limit: int, allowance: Allowance, after: int) -> Iterator[_Stream]:
    """The next `limit` collections of which something may begin."""
    found: dict[int, _Stream] = {}
    for lane in source.lanes(priority, after):
        if not allowance.open(lane.collections, lane.workflow):
            continue
        if lane.turn not in found and len(found) >= limit:
            break
        found.setdefault(lane.turn, _Stream(lane.turn)).lanes.append(_Line(lane))
    yield from found.values()


@dataclass(slots=True)
class _Line:
    """A lane that is being read."""

    lane: Lane
    ahead: Iterator[Waiting] = field(default_factory=lambda: iter(()))
    behind: int = 0
    asked: int = 0
    came: int = 0


@dataclass(slots=True)
class _Stream:
    """The lanes of one collections, in turn."""

    turn: int
    lanes: deque[_Line] = field(default_factory=deque)

    def next(self, source: Source, share: int, allowance: Allowance) -> Waiting | None:
        """The next message that may begin; None when there is no more."""
        while self.lanes:
            line = self.lanes.popleft()
            if not allowance.open(line.lane.collections, line.lane.workflow):
                continue
            message = _read(source, line, -(-share // (len(self.lanes) + 1)))
            if message is not None:
                allowance.use(line.lane.collections, line.lane.workflow)
                self.lanes.append(line)
                return message
        return None


def _read(source: Source, line: _Line, share: int) -> Waiting | None:
    """The next message of a lane, asked for by the share that it will likely have."""
    message = next(line.ahead, None)
    if message is None and line.came == line.asked:
        line.asked, line.came = share, 0
        line.ahead = source.messages(line.lane, line.behind, share)
        message = next(line.ahead, None)
    if message is not None:
        line.came += 1
        line.behind = message.number
    return message


def again(source: Source, allowance: Allowance) -> int | None:
    """When something that waits may begin, though nothing else happens: a rate has room; None if never."""
    instants = (
        allowance.again(lane.collections, lane.workflow)
        for priority in source.priorities()
        for lane in source.lanes(priority, 0)
    )
    return min((at for at in instants if at is not None), default=None)


def first(messages: Iterable[Waiting], limit: int, size: int, allowance: Allowance) -> list[Waiting]:
    """Up to `limit` of these messages in their order, those that limits and pauses let begin."""
    picked: list[Waiting] = []
    for message in messages:
        lane = message.lane
        if allowance.open(lane.collections, lane.workflow):
            allowance.use(lane.collections, lane.workflow)
            picked.append(message)
            size -= len(message.body)
            if size <= 0 or len(picked) >= limit:
                break
    return picked
