"""Task compute on this machine: a pool of long-lived worker processes, forked from one where the project is
imported.

Workers run attempts one after another. First come, first served; an attempt of a task at its limit lets
others pass. Tasks with the same `env` share workers, and an idle worker of another environment makes room.
Time and memory limits are kept, output is drained, inline tasks run and work is handed out while `collect`
runs, so call it again and again.
"""

from __future__ import annotations

import os
import selectors
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from cirrus.adapters.local.backlog import Backlog, Job, TaskQueue
from cirrus.adapters.local.crew import Crew
from cirrus.adapters.local.dispatch import BATCH_BYTES, OVERDUE, Dispatch, Place
from cirrus.adapters.local.exit_status import ended
from cirrus.adapters.local.hold import Hold
from cirrus.adapters.local.inline import Inline
from cirrus.adapters.local.lifetime import Lifetime
from cirrus.adapters.local.memory_limits import Mechanism, MemoryLimits, over_limit
from cirrus.adapters.local.pace import Pace
from cirrus.adapters.local.worker_process import WorkerProcess
from cirrus.adapters.local.zygote import Home
from cirrus.core.grants import CHANGES, NAMES, Grants
from cirrus.core.path_template import is_url
from cirrus.core.scrub import Scrubber, telling
from cirrus.ports.compute import Attempt, Outcome, TaskSpec

INLINE_SECONDS = 0.02
MOST_LOSSES = 3


class LocalPool:
    """Runs the tasks of `specs` in worker processes (see the port for what it promises).

    `workers` is the most at once, by default the number of cores and at least 2. `data` is where uploads go
    whose path names no store: a folder (relative to `project`) or a store's URL. `environment` is set in
    every worker, under what a task's own `env` says. `grace` in seconds lies between SIGTERM and SIGKILL. An
    idle worker is replaced after `worker_attempts` attempts, after `worker_age` seconds, or when it has grown by
    more than `worker_memory` bytes. With `grants`, tasks can open the buckets that these allow and no other; `regrant`
    gives others once a secret has changed. What they print is kept without the secrets of any.
    """

    def __init__(
        self,
        specs: Mapping[str, TaskSpec],
        *,
        project: Path,
        workers: int | None = None,
        data: str = "data",
        environment: Mapping[str, str] | None = None,
        grace: float = 2.0,
        worker_attempts: int = 10_000,
        worker_age: float = 3600.0,
        worker_memory: int = 512_000_000,
        grants: Grants | None = None,
        regrant: Callable[[], Grants | None] | None = None,
    ) -> None:
        self._specs = {name: with_buckets(spec, grants) for name, spec in specs.items()}
        self._grants = grants
        self._regrant = regrant
        self._changes = 0
        self._scrubber = Scrubber(secrets(self._specs.values(), grants))
        self._most = workers or max(2, os.cpu_count() or 2)
        self._lifetime = Lifetime(worker_attempts, worker_age, worker_memory)
        self._memory = MemoryLimits(any(spec.memory for spec in self._specs.values()))
        self._backlog = Backlog(self._specs)
        self._jobs: dict[str, Job] = {}
        self._uncollected = 0
        self._done: list[Outcome] = []
        self._count = 0
        self._closed = False
        self._woken = False
        self._waiting = False
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        project = project.resolve()
        places = absolute(data, project)
        apart = {name: spec for name, spec in self._specs.items() if not spec.inline}
        told: dict[str, Any] = {"groups": self._memory.groups, "grants": grants, "scrubber": self._scrubber}
        home = Home(project, apart, places, grace, dict(environment or {}), **told)
        self._hold = Hold()
        self._collected = time.monotonic()
        self._crew = Crew(home, self._selector, self, self._hold)
        self._pace = Pace(self._most)
        self._places = Dispatch(self._crew, self._most, self._lifetime)
        self._inline = Inline(self._specs, project, {**home.environment, "CIRRUS_DATA": places}, grants)
        self._wake_read, self._wake_write = os.pipe()
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._on_wake)

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts in and hand out what can run."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._renew()
            self._uncollected += len(attempts)
            for attempt in attempts:
                self._take_in(attempt)
            self._dispatch()
            self._interrupt()

    def collect(self, timeout: float) -> list[Outcome]:
        """Outcomes since the last call; hands out work, keeps time limits and drains output meanwhile."""
        deadline = time.monotonic() + timeout
        wait = 0.0
        while True:
            self._turn(wait)
            self._run_inline()
            with self._lock:
                if self._done or self._woken or self._closed:
                    self._woken = False
                    outcomes, self._done = self._done, []
                    self._uncollected -= len(outcomes)
                    self._collected = time.monotonic()
                    return outcomes
            self._collected = time.monotonic()
            wait = deadline - self._collected
            if wait <= 0:
                return []

    def hold(self, seconds: float) -> None:
        """Let attempts start until so long after the last `collect`."""
        self._hold.until(self._collected + seconds)

    def cancel(self, attempt_id: str) -> None:
        """Stop an attempt, wherever it is; one that has ended or is unknown is left alone."""
        with self._lock:
            job = self._jobs.get(attempt_id)
            if job is None:
                return
            worker = next((worker for worker in self._crew if job in worker.jobs), None)
            if worker is not None:
                self._take_back(worker)
            if worker is not None and job in worker.jobs:
                self._crew.kill(worker, job, "Cirrus.Cancelled", "the attempt was cancelled")
            else:
                job.withdrawn = True
                self._fail(job, "Cirrus.Cancelled", "the attempt was cancelled before it started")
            self._interrupt()

    def running_logs(self) -> dict[str, bytes]:
        """What each running attempt has printed since the last call."""
        with self._lock:
            running = [worker.jobs[0] for worker in self._crew if worker.jobs and worker.ready]
            return {job.attempt.id: data for job in running if (data := job.log.take_new())}

    def in_flight(self) -> int:
        """Submitted and not yet collected."""
        return self._uncollected

    def room(self) -> int:
        """How many more attempts may come so that no worker is idle, and nobody waits for much longer than a second."""
        with self._lock:
            workers = [worker for worker in self._crew if worker.jobs]
            behind = [(self._backlog[worker.jobs[0].attempt.task], len(worker.jobs) - 1) for worker in workers]
            return self._pace.room(len(workers), [*behind, *self._backlog.waiting()])

    @property
    def memory_limits(self) -> Mechanism:
        """How memory limits of tasks are kept here, and why so."""
        return self._memory.mechanism

    def wakeup(self) -> None:
        """Make `collect` return."""
        self._nudge(b"w")

    def close(self) -> None:
        """Stop everything and wait for it."""
        self._nudge(b"w")
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._crew.close()
            self._memory.close()
            self._inline.close()
            self._hold.close()
            self._jobs.clear()
            self._selector.close()
            for end in (self._wake_read, self._wake_write):
                os.close(end)

    def on_answers(self, worker: WorkerProcess) -> None:
        """Attempts have ended by themselves."""
        for job, (error, cause, started, finished), output in worker.answers():
            task = job.attempt.task
            queue = self._backlog[task]
            queue.note(finished - started)
            if task not in worker.tasks:
                queue.holders -= 1
            if worker.doom and worker.doom.job is job:
                self._fail(job, worker.doom.error, worker.doom.message, started)
            else:
                self._conclude(job, output if error is None else None, error, cause, started, finished)
        self._relieve(worker, time.monotonic())

    def on_start(self, number: int) -> None:
        """A worker is about to be started."""
        self._memory.prepare(number)

    def on_gone(self, worker: WorkerProcess) -> None:
        """A worker is no more."""
        self._memory.forget(worker)

    def on_end(self, worker: WorkerProcess, code: int) -> None:
        """A worker has ended: it costs the attempt that it had started, and no other."""
        worker.read_output()
        self.on_answers(worker)
        unstarted = self._take_back(worker)
        if unstarted and not worker.jobs and not worker.doom:
            self._count_loss(unstarted[0], f"its worker process {ended(code)} before it started")
        for job in worker.jobs:
            queue = self._backlog[job.attempt.task]
            queue.holders -= 1
            worker.read_output(until=job)
            if worker.doom is None:
                self._fail(job, *self._told(worker, job.attempt.task, code), worker.since_epoch())
            elif worker.doom.job is job:
                self._fail(job, worker.doom.error, worker.doom.message, worker.since_epoch())
            else:
                self._backlog.put_back(job)
        worker.jobs.clear()

    def on_stillborn(self, worker: WorkerProcess, reason: str | None) -> None:
        """A worker could not be started, which is no loss if another way is tried next."""
        for job in self._take_back(worker):
            if reason is not None:
                said = reason[-2000:] or "it ended at once and said nothing"
                self._count_loss(job, f"no worker process could be started: {said}")

    def _told(self, worker: WorkerProcess, task: str, code: int) -> tuple[str, str]:
        """Error and message for an attempt whose worker has ended without our doing."""
        reason = self._memory.explain(worker, task) if code == -signal.SIGKILL else None
        if reason:
            return "Runtime.OutOfMemory", reason
        return "Runtime.ExitError", f"task {task!r}: its worker process {ended(code)}"

    def _relieve(self, worker: WorkerProcess, now: float) -> None:
        """Let a worker go that has served long enough and is idle; what waits at a bloated one goes elsewhere."""
        served = self._lifetime.over(worker, now) or self._crew.outdated(worker)
        if not served or worker.doom or worker.leaving is not None or not worker.ready:
            return
        if worker.jobs and self._lifetime.bloated(worker):
            self._take_back(worker)
        if not worker.jobs:
            self._crew.retire(worker)

    def _turn(self, wait: float) -> None:
        """Hand out work, wait until something happens, take it in."""
        with self._lock:
            if self._closed:
                return
            self._dispatch()
            busy = self._done or (self._inline and self._hold.lasts())
            wait = 0.0 if busy else max(0.0, min(wait, self._next_deadline() - time.monotonic()))
            self._waiting = True
        try:
            events = self._selector.select(wait)
        except (OSError, ValueError):
            if self._closed:
                return
            raise
        with self._lock:
            self._waiting = False
            if self._closed:
                return
            for key, _ in events:
                if self._selector.get_map().get(key.fd):
                    key.data()
            self._enforce(time.monotonic())
            self._dispatch()

    def _renew(self) -> None:
        """Let the attempts that have not been handed out have credentials that have changed."""
        grants = self._regrant() if self._regrant is not None else None
        if grants is None or self._grants is None:
            return
        self._changes += 1
        self._specs = {name: renewed(spec, self._grants, grants, self._changes) for name, spec in self._specs.items()}
        self._grants = grants
        self._scrubber = Scrubber({*self._scrubber.values, *secrets(self._specs.values(), grants)})
        self._backlog.renew(self._specs)
        apart = {name: spec for name, spec in self._specs.items() if not spec.inline}
        self._crew.renew(apart, grants, self._scrubber)
        self._inline.renew(self._specs, grants, self._scrubber)

    def _take_in(self, attempt: Attempt) -> None:
        self._count += 1
        spec = self._specs.get(attempt.task)
        limit = attempt.timeout
        if spec is not None and spec.timeout is not None and (limit is None or spec.timeout < limit):
            limit = spec.timeout
        job = self._jobs[attempt.id] = Job(attempt, self._count, limit, self._scrubber)
        if spec is None:
            self._fail(job, "Runtime.HandlerNotFound", f"there is no task {attempt.task!r} in the project")
        elif spec.inline:
            self._inline.add(job)
        else:
            self._backlog.add(job)

    def _dispatch(self) -> None:
        """Give waiting attempts to workers, as long as there is one for the first of them."""
        if not self._backlog:
            return
        held_back: set[TaskQueue] = set()
        touched: set[WorkerProcess] = set()
        now = time.monotonic()
        while found := self._backlog.next(held_back):
            queue, until = found
            place = self._places.place(queue, now)
            if place is None and queue.full():
                held_back.add(queue)
                continue
            if place is None:
                break
            touched.add(place.worker)
            self._hand_over(queue, place, until, now)
        for worker in touched:
            self._crew.flush(worker)

    def _hand_over(self, queue: TaskQueue, place: Place, until: int, now: float) -> None:
        """Give a worker the first attempts of a queue, those that came before `until`."""
        worker, task = place.worker, queue.spec.name
        if task not in worker.tasks:
            queue.holders += 1
        self._memory.admit(worker, queue.spec.memory)
        for _ in range(place.count):
            if self._changes:  # there are secrets that its log does not know
                queue.jobs[0].renew(self._scrubber)
            worker.assign(queue.jobs.popleft(), now)
            head = queue.head()
            if head is None or head.order > until or worker.bytes + len(head.attempt.payload) >= BATCH_BYTES:
                break

    def _run_inline(self) -> None:
        """Run inline attempts for a moment, without the lock: `cancel` and `close` may come meanwhile."""
        until = time.monotonic() + INLINE_SECONDS
        while self._inline and time.monotonic() < until and self._hold.lasts():
            job = self._inline.first()
            if job is None:
                return
            result = self._inline.run(job)
            with self._lock:
                self._inline.drop(job)
                if self._closed or job.withdrawn:
                    return
                self._conclude(job, *result)

    def _enforce(self, now: float) -> None:
        """Kill what is over its time limit, and free attempts that wait behind one that takes long."""
        workers = list(self._crew)
        for worker in workers:
            if not worker.ready:
                continue
            if not worker.jobs:
                self._relieve(worker, now)
                continue
            job, elapsed = worker.jobs[0], now - worker.since
            over = job.limit is not None and elapsed >= job.limit
            if len(worker.jobs) > 1 and (over or elapsed >= OVERDUE):
                self._backlog[job.attempt.task].note(elapsed)
                self._take_back(worker)
            if over and job in worker.jobs:
                error = "States.Timeout" if job.limit == job.attempt.timeout else "Sandbox.Timedout"
                message = f"task {job.attempt.task!r} timed out after {job.limit:.2f} seconds"
                self._crew.kill(worker, job, error, message)
        for worker, used in self._memory.over(workers, now):
            self._end_over_memory(worker, used)
        self._crew.enforce(now)

    def _end_over_memory(self, worker: WorkerProcess, used: int) -> None:
        """Kill an attempt at once, unless it has just ended."""
        job = worker.jobs[0]
        self.on_answers(worker)
        if worker.jobs and worker.jobs[0] is job and worker.limit is not None:
            self._take_back(worker)
            message = over_limit(job.attempt.task, used, worker.limit)
            self._crew.kill_now(worker, job, "Runtime.OutOfMemory", message)

    def _next_deadline(self) -> float:
        workers = list(self._crew)
        due = [*self._crew.deadlines(), self._memory.next_look(workers)]
        for worker in workers:
            if not worker.jobs and worker.ready and not worker.doom:
                due.append(self._lifetime.ends(worker))
            if worker.jobs and worker.ready:
                limit = worker.jobs[0].limit
                if limit is not None and not worker.doom:
                    due.append(worker.since + limit)
                if len(worker.jobs) > 1:
                    due.append(worker.since + OVERDUE)
        return min(due, default=float("inf"))

    def _take_back(self, worker: WorkerProcess) -> list[Job]:
        """Let what has not started wait for another worker."""
        taken = worker.take_back()
        for job in reversed(taken):
            self._backlog.put_back(job)
        for task in {job.attempt.task for job in taken} - worker.tasks.keys():
            self._backlog[task].holders -= 1
        return taken

    def _count_loss(self, job: Job, reason: str) -> None:
        job.losses += 1
        if job.losses >= MOST_LOSSES:
            job.withdrawn = True
            self._fail(job, "Runtime.ExitError", f"task {job.attempt.task!r}: {reason}")

    def _fail(self, job: Job, error: str, message: str, started: float | None = None) -> None:
        cause = orjson.dumps({"errorMessage": message, "errorType": error, "stackTrace": []}).decode()
        now = time.time()
        self._conclude(job, None, error, cause, started or now, now)

    def _conclude(
        self,
        job: Job,
        output: bytes | None,
        error: str | None,
        cause: str | None,
        started: float,
        finished: float,
    ) -> None:
        attempt_id = job.attempt.id
        del self._jobs[attempt_id]
        self._pace.note(finished - started)
        if error is not None:
            error, cause = self._scrubber.text(error), cause and self._scrubber.text(cause)
        self._done.append(Outcome(attempt_id, output, error, cause, job.printed(), started, finished))

    def _interrupt(self) -> None:
        """Let a `collect` that waits in another thread see what has changed; with the lock held."""
        if self._waiting:
            self._nudge(b"n")

    def _nudge(self, what: bytes) -> None:
        if not self._closed:
            with suppress(OSError):
                os.write(self._wake_write, what)

    def _on_wake(self) -> None:
        with suppress(BlockingIOError):
            self._woken |= b"w" in os.read(self._wake_read, 65536)


def with_buckets(spec: TaskSpec, grants: Grants | None) -> TaskSpec:
    """The task with the names of its buckets in its environment: only tasks that may use the same share workers."""
    return replace(spec, env={**spec.env, NAMES: grants.names(spec.name)}) if grants else spec


def renewed(spec: TaskSpec, before: Grants, now: Grants, changes: int) -> TaskSpec:
    """The task with an environment of its own where what opens its buckets has changed: so it gets other workers."""
    names = now.names(spec.name)
    if names == before.names(spec.name) and now.named(names) == before.named(names):
        return spec
    return replace(spec, env={**spec.env, NAMES: names, CHANGES: str(changes)})


def secrets(specs: Iterable[TaskSpec], grants: Grants | None) -> Iterator[str]:
    """What no task's output may show: what opens buckets, and what environments name as secret."""
    yield from grants.masked() if grants else ()
    yield from telling(os.environ)
    for spec in specs:
        yield from telling(spec.env)


def absolute(data: str, project: Path) -> str:
    """The root of relative uploads as tasks see it: a store's URL, or an absolute path."""
    return data if is_url(data) else str(project / data)
