"""Which worker gets the attempts that have waited longest.

In this order: an idle worker of their environment; a new one; a new one in place of an idle worker of another
environment; and, if their task is quick, places behind other quick attempts on a busy worker. Otherwise they wait, and
everything behind them too, except where they wait only for their own task's limit: so no environment and no slow task
starves.
"""

from __future__ import annotations

from dataclasses import dataclass

from cirrus.adapters.local.backlog import QUICK, TaskQueue
from cirrus.adapters.local.crew import Crew
from cirrus.adapters.local.lifetime import Lifetime, fits
from cirrus.adapters.local.worker_process import WorkerProcess

BATCH_SECONDS = 0.02
BATCH_COUNT = 200
BATCH_BYTES = 8 << 20
OVERDUE = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """A worker, and how many attempts of a queue it may be given now; the bytes that it has bound them too."""

    worker: WorkerProcess
    count: int = 1


class Dispatch:
    """Finds places among at most `most` workers of a crew."""

    def __init__(self, crew: Crew, most: int, lifetime: Lifetime) -> None:
        self._crew = crew
        self._most = most
        self._lifetime = lifetime

    def place(self, queue: TaskQueue, now: float) -> Place | None:
        """Where the queue's first attempts go; None if they must wait."""
        present = list(self._crew)
        if not queue.full():
            idle = [worker for worker in present if not worker.jobs and not worker.doom]
            for worker in idle:
                if worker.env == queue.env and fits(worker, queue.spec):
                    return Place(worker)
            if len(present) < self._most:
                return Place(self._crew.start(queue.env))
            if idle:
                self._crew.retire(idle[0])
                return Place(self._crew.start(queue.env))
        return self._behind(present, queue, now) if queue.quick() else None

    def _behind(self, present: list[WorkerProcess], queue: TaskQueue, now: float) -> Place | None:
        """The least busy worker that will soon be done with what it has, and its share of what waits."""
        allowed = min(BATCH_COUNT, int(BATCH_SECONDS / max(queue.seconds or QUICK, 0.0001)))
        free = [worker for worker in present if self._has_room(worker, queue, allowed, now)]
        if not free:
            return None
        worker = min(free, key=lambda worker: len(worker.jobs))
        share = -(-(len(queue.jobs) + sum(len(worker.jobs) for worker in free)) // len(free))
        room = min(allowed, share) - len(worker.jobs)
        return Place(worker, max(1, min(room, self._lifetime.left(worker))))

    def _has_room(self, worker: WorkerProcess, queue: TaskQueue, allowed: int, now: float) -> bool:
        """Whether the worker has only quick attempts, few enough, and is not stuck in one."""
        if worker.env != queue.env or worker.doom or not worker.ready or now - worker.since > QUICK:
            return False
        if worker.tasks.keys() != {queue.spec.name} or len(worker.jobs) >= allowed:
            return False
        if worker.bytes + len(queue.jobs[0].attempt.payload) >= BATCH_BYTES:
            return False
        return not self._lifetime.over(worker, now) and fits(worker, queue.spec)
