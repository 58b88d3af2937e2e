"""Memory limits of attempts: kept by the kernel where it lets us have control groups, else by looking often.

Looking (`watch`) finds an attempt over its limit up to a tenth of a second late. Whoever took a worker without us, the
kernel's OOM killer is told by its counters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from cirrus.adapters.local.cgroup import Cgroups, delegated
from cirrus.adapters.local.oom_killer import OomKiller, counters
from cirrus.adapters.local.process_memory import used
from cirrus.adapters.local.process_tree import processes
from cirrus.adapters.local.worker_process import WorkerProcess

LOOK_SECONDS = 0.1
LOOK_SHARE = 20


@dataclass(frozen=True, slots=True)
class Mechanism:
    """What keeps the limits: `name` is `cgroup`, `watch`, or `none` where no task has one; `why` says so in words."""

    name: str
    why: str


class MemoryLimits:
    """Keeps the limits of all workers of a pool; `needed` if any of its tasks has one."""

    def __init__(self, needed: bool) -> None:
        self._groups: Cgroups | None = None
        self.mechanism = Mechanism("none", "no task has a memory limit")
        if needed:
            self._groups, why = delegated()
            self.mechanism = Mechanism("cgroup" if self._groups else "watch", why)
        self._look_at = 0.0
        self._killer = OomKiller(counters())

    @property
    def groups(self) -> str | None:
        """The beginning of the paths of the workers' control groups, if there are any."""
        return self._groups.prefix if self._groups else None

    def prepare(self, number: int) -> None:
        """Make the control group of a worker that is about to start."""
        if self._groups:
            with suppress(OSError):
                self._groups.make(number)

    def admit(self, worker: WorkerProcess, memory: int | None) -> None:
        """From now on the worker runs attempts with this limit in bytes."""
        if memory != worker.limit:
            worker.limit = memory
            if self._groups:
                with suppress(OSError):
                    self._groups.limit(worker.number, memory)

    def over(self, workers: Iterable[WorkerProcess], now: float) -> Iterator[tuple[WorkerProcess, int]]:
        """The workers whose attempt uses more than its limit, and how much, if it is time to look."""
        self._killer.look(now)
        watched = [worker for worker in workers if self._watched(worker)]
        if not watched or now < self._look_at:
            return
        table = processes()
        for worker in watched:
            assert worker.limit is not None
            found = used(table, worker.pid, worker.limit)
            if found > worker.limit:
                yield worker, found
        self._look_at = now + max(LOOK_SECONDS, LOOK_SHARE * (time.monotonic() - now))

    def next_look(self, workers: Iterable[WorkerProcess]) -> float:
        """When `over` is to be asked again."""
        return self._look_at if any(map(self._watched, workers)) else float("inf")

    def _watched(self, worker: WorkerProcess) -> bool:
        """Whether the worker runs an attempt with a limit that no control group keeps."""
        return bool(worker.limit and worker.jobs and worker.ready and not worker.doom and not worker.grouped)

    def explain(self, worker: WorkerProcess, task: str) -> str | None:
        """Why a worker that we did not kill was killed, if it was for want of memory."""
        peak = self._groups.killed(worker.number) if self._groups else None
        if peak is not None and worker.limit is not None:
            return over_limit(task, peak, worker.limit)
        where = self._killer.struck()
        return where and f"task {task!r}: its worker process was killed by the kernel, whose OOM killer struck {where}"

    def forget(self, worker: WorkerProcess) -> None:
        """The worker has ended."""
        if self._groups:
            self._groups.remove(worker.number)

    def close(self) -> None:
        """Remove what is left of the control groups."""
        if self._groups:
            self._groups.sweep()


def over_limit(task: str, used: int, limit: int) -> str:
    """What the operator reads about an attempt that was killed at its limit."""
    return (
        f"task {task!r}: the attempt used {size(used)} of memory with its child processes; its limit is {size(limit)}"
    )


def size(number: int) -> str:
    """Bytes as a person reads them."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if number >= scale:
            return f"{number / scale:.4g} {unit}"
    return f"{number} bytes"
