"""Attempts on their way through the pool, and the queues in which they wait for a worker."""

from __future__ import annotations

import sys
from bisect import insort
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from cirrus.adapters.local.log_buffer import LogBuffer
from cirrus.core.scrub import Scrubber
from cirrus.ports.compute import Attempt, TaskSpec

Env = frozenset[tuple[str, str]]
QUICK = 0.005
NEVER = sys.maxsize


@dataclass(eq=False, slots=True)
class Job:
    """One attempt: `order` is its place among all, `losses` how often a worker died before it started.

    What it prints is kept without the secrets that `scrubber` knows.
    """

    attempt: Attempt
    order: int
    limit: float | None
    scrubber: Scrubber | None = None
    withdrawn: bool = False
    losses: int = 0
    _log: LogBuffer | None = None

    @property
    def log(self) -> LogBuffer:
        """What it prints; most attempts print nothing, and need no buffer."""
        if self._log is None:
            self._log = LogBuffer(scrubber=self.scrubber)
        return self._log

    def renew(self, scrubber: Scrubber) -> None:
        """Keep what it will print without the secrets that this one knows: it has not begun."""
        self.scrubber, self._log = scrubber, None

    def printed(self) -> bytes:
        """What it has printed, as it is kept."""
        return b"" if self._log is None else self._log.getvalue()


@dataclass(eq=False, slots=True)
class TaskQueue:
    """The attempts at one task that wait, in order; `holders` counts the workers that have some of them."""

    spec: TaskSpec
    env: Env
    jobs: deque[Job] = field(default_factory=deque)
    holders: int = 0
    seconds: float | None = None

    def head(self) -> Job | None:
        """The first that waits."""
        while self.jobs and self.jobs[0].withdrawn:
            self.jobs.popleft()
        return self.jobs[0] if self.jobs else None

    def full(self) -> bool:
        """Whether as many workers as are allowed have attempts at this task."""
        return self.spec.concurrency is not None and self.holders >= self.spec.concurrency

    def put_back(self, job: Job) -> None:
        """A job that was handed out but not started waits again at its old place."""
        if not self.jobs or job.order < self.jobs[0].order:
            self.jobs.appendleft(job)
        else:
            insort(self.jobs, job, key=lambda other: other.order)

    def note(self, seconds: float) -> None:
        """Learn how long attempts take: quick to believe that they are slow, slow to believe that they are
        quick.
        """
        usual = seconds if self.seconds is None else 0.8 * self.seconds + 0.2 * seconds
        self.seconds = max(seconds, usual)

    def quick(self) -> bool:
        """Whether attempts take so little that several may go to one worker at once."""
        return self.seconds is not None and self.seconds < QUICK


class Backlog:
    """All attempts that wait, first come first served among the tasks that are not held back."""

    def __init__(self, specs: Mapping[str, TaskSpec]) -> None:
        self._queues = {name: TaskQueue(spec, frozenset(spec.env.items())) for name, spec in specs.items()}
        self._waiting: dict[str, TaskQueue] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __getitem__(self, task: str) -> TaskQueue:
        return self._queues[task]

    def __contains__(self, task: str) -> bool:
        return task in self._queues

    def renew(self, specs: Mapping[str, TaskSpec]) -> None:
        """Let attempts that wait run as these say."""
        for name, queue in self._queues.items():
            queue.spec, queue.env = specs[name], frozenset(specs[name].env.items())

    def add(self, job: Job) -> None:
        """A job that has just come."""
        task = job.attempt.task
        queue = self._waiting[task] = self._queues[task]
        queue.jobs.append(job)

    def put_back(self, job: Job) -> None:
        """A job that was handed out but not started waits again at its old place."""
        task = job.attempt.task
        queue = self._waiting[task] = self._queues[task]
        queue.put_back(job)

    def waiting(self) -> Iterator[tuple[TaskQueue, int]]:
        """The queues in which attempts wait for a worker, and how many; not those that wait for their task's limit."""
        for queue in self._waiting.values():
            limit = queue.spec.concurrency
            allowed = len(queue.jobs) if limit is None else min(len(queue.jobs), max(0, limit - queue.holders))
            if allowed:
                yield queue, allowed

    def next(self, held_back: Collection[TaskQueue]) -> tuple[TaskQueue, int] | None:
        """The queue whose head came first, and the place of the first one behind it that is in another queue."""
        first = second = NEVER
        found = None
        for task, queue in list(self._waiting.items()):
            job = queue.head()
            if job is None:
                del self._waiting[task]
            elif queue not in held_back:
                if job.order < first:
                    first, second, found = job.order, first, queue
                else:
                    second = min(second, job.order)
        return (found, second) if found else None
