"""How long a worker process serves: so many attempts, so long, until it has grown by so much; then another takes over.

A worker is never ended in the middle of an attempt: it gets no further ones, and goes when it is idle.
"""

from __future__ import annotations

from dataclasses import dataclass

from cirrus.adapters.local.worker_process import WorkerProcess
from cirrus.ports.compute import TaskSpec

SHARE = 4


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The most attempts of a worker, its age in seconds, and by how many bytes it may have grown after an attempt."""

    attempts: int = 10_000
    age: float = 3600.0
    memory: int = 512_000_000

    def left(self, worker: WorkerProcess) -> int:
        """How many more attempts the worker may be given."""
        return 0 if self.bloated(worker) else self.attempts - worker.taken

    def bloated(self, worker: WorkerProcess) -> bool:
        """Whether the worker has grown too much."""
        return worker.grown() > self.memory

    def over(self, worker: WorkerProcess, now: float) -> bool:
        """Whether the worker is to be given no more attempts."""
        return self.left(worker) <= 0 or now >= self.ends(worker)

    def ends(self, worker: WorkerProcess) -> float:
        """When the worker will be too old, on the clock of time.monotonic."""
        return worker.born + self.age


def fits(worker: WorkerProcess, spec: TaskSpec) -> bool:
    """Whether what earlier attempts have left in the worker takes little of the task's memory limit, if it has one."""
    return spec.memory is None or worker.grown() * SHARE <= spec.memory
