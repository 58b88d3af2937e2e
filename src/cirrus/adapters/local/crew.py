"""The worker processes that there are: started when needed, watched, ended.

A worker is forked from the zygote of its environment. A zygote that dies or hangs while it preloads the
project is started again without: then the module that did it costs only the attempts that need it.
"""

from __future__ import annotations

import selectors
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from cirrus.adapters.local.backlog import Env, Job
from cirrus.adapters.local.hold import Hold
from cirrus.adapters.local.scratch import Scratch, sweep
from cirrus.adapters.local.worker_process import Doom, WorkerProcess
from cirrus.adapters.local.zygote import PRELOAD_SECONDS, Home, Zygote
from cirrus.core.grants import Grants
from cirrus.core.scrub import Scrubber
from cirrus.ports.compute import TaskSpec

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Watcher(Protocol):
    """Who is told what happens to workers."""

    def on_answers(self, worker: WorkerProcess) -> None:
        """The worker has answered."""

    def on_end(self, worker: WorkerProcess, code: int) -> None:
        """The worker has ended: its exit code, negative for a signal. Its descriptors are still open."""

    def on_start(self, number: int) -> None:
        """A worker with this number is about to be started."""

    def on_gone(self, worker: WorkerProcess) -> None:
        """Nothing of the worker is left, and it is known to the crew no more."""

    def on_stillborn(self, worker: WorkerProcess, reason: str | None) -> None:
        """The worker was never started; None where another way is tried next."""


class Crew:
    """Starts, watches and ends workers; tells `watcher` what happens."""

    def __init__(self, home: Home, selector: selectors.BaseSelector, watcher: Watcher, hold: Hold) -> None:
        self._home = home
        self._selector = selector
        self._watcher = watcher
        self._hold = hold
        self._workers: dict[int, WorkerProcess] = {}
        self._zygotes: dict[Env, Zygote] = {}
        self._bare: set[Env] = set()
        self._outdated: set[Env] = set()
        self._count = 0
        self._scratch: Scratch | None = None

    def __iter__(self) -> Iterator[WorkerProcess]:
        """The workers that take attempts or finish one; not those that are leaving."""
        return iter([worker for worker in self._workers.values() if worker.leaving is None])

    def start(self, env: Env) -> WorkerProcess:
        """A new worker; it takes attempts at once and runs them when it is up."""
        zygote = self._zygotes.get(env) or self._start_zygote(env)
        self._count += 1
        self._watcher.on_start(self._count)
        worker = WorkerProcess(self._count, env, zygote)
        self._workers[worker.number] = worker
        self._selector.register(worker.answered, READ, lambda: self._watcher.on_answers(worker))
        self._selector.register(worker.output, READ, worker.read_output)
        return worker

    def flush(self, worker: WorkerProcess) -> None:
        """Send what was assigned, and go on when the worker can take more."""
        if not worker.flush():
            return
        if worker.full:
            self._selector.register(worker.requests, WRITE, lambda: self.flush(worker))
        else:
            self._selector.unregister(worker.requests)

    def renew(self, specs: Mapping[str, TaskSpec], grants: Grants, scrubber: Scrubber) -> None:
        """Start workers for these tasks from now on; those of other environments go when they are idle."""
        self._home = replace(self._home, specs=specs, grants=grants, scrubber=scrubber)
        known = {frozenset(spec.env.items()) for spec in specs.values()}
        self._outdated = {env for env in self._zygotes if env not in known}
        for worker in self:
            if self.outdated(worker) and not worker.jobs and not worker.doom and worker.ready:
                self.retire(worker)
        self._end_outdated()

    def outdated(self, worker: WorkerProcess) -> bool:
        """Whether no further attempt is for this worker."""
        return worker.env in self._outdated

    def _end_outdated(self) -> None:
        """End the zygotes of environments that no task has any more, once their workers have gone."""
        for env in self._outdated - {worker.env for worker in self._workers.values()}:
            self._outdated.discard(env)
            self._forget_zygote(self._zygotes.pop(env))

    def retire(self, worker: WorkerProcess) -> None:
        """Let an idle worker go."""
        worker.retire(time.monotonic() + self._home.grace)

    def kill(self, worker: WorkerProcess, job: Job, error: str, message: str) -> None:
        """End a worker because of `job`, its children too: SIGTERM, then SIGKILL when the grace is over."""
        if worker.doom is None:
            worker.doom = Doom(job, error, message, time.monotonic() + self._home.grace)
            worker.zygote.signal(worker.number, signal.SIGTERM)

    def kill_now(self, worker: WorkerProcess, job: Job, error: str, message: str) -> None:
        """The same without grace."""
        if worker.doom is None:
            worker.doom = Doom(job, error, message, time.monotonic() + 1)
            worker.zygote.signal(worker.number, signal.SIGKILL)

    def enforce(self, now: float) -> None:
        """Kill what should have ended by itself."""
        for worker in list(self._workers.values()):
            doom = worker.doom
            if doom and doom.deadline <= now:
                worker.doom = replace(doom, deadline=now + 1)
                worker.zygote.signal(worker.number, signal.SIGKILL)
            elif worker.leaving is not None and worker.leaving <= now:
                worker.leaving = now + 1
                worker.zygote.signal(worker.number, signal.SIGKILL)
        for zygote in list(self._zygotes.values()):
            if not zygote.ready and now - zygote.born > PRELOAD_SECONDS:
                zygote.kill()

    def deadlines(self) -> Iterator[float]:
        """When `enforce` may have something to do."""
        for worker in self._workers.values():
            if worker.doom:
                yield worker.doom.deadline
            if worker.leaving is not None:
                yield worker.leaving
        for zygote in self._zygotes.values():
            if not zygote.ready:
                yield zygote.born + PRELOAD_SECONDS

    def close(self) -> None:
        """End everything and wait for it."""
        for zygote in self._zygotes.values():
            self._forget_zygote(zygote)
        for worker in list(self._workers.values()):
            self._discard(worker)
        self._zygotes.clear()
        if self._scratch:
            self._scratch.remove()
        sweep()

    def _start_zygote(self, env: Env) -> Zygote:
        if self._scratch is not None and not self._scratch.path.exists():
            self._scratch.remove()  # the last zygote that ended has taken the folder with it
            self._scratch = None
        if self._scratch is None:
            self._scratch = Scratch()
        scratch = Path(tempfile.mkdtemp(dir=self._scratch.path))
        own = {name: spec for name, spec in self._home.specs.items() if frozenset(spec.env.items()) == env}
        home = replace(self._home, scratch=scratch, specs=own, hold=self._hold.share(scratch))
        zygote = Zygote(home, dict(env), preload=env not in self._bare)
        self._zygotes[env] = zygote
        self._selector.register(zygote.socket, READ, lambda: self._on_zygote(env, zygote))
        self._selector.register(zygote.output, READ, lambda: self._on_zygote_output(zygote))
        return zygote

    def _on_zygote_output(self, zygote: Zygote) -> None:
        if not zygote.drain():
            self._selector.unregister(zygote.output)

    def _on_zygote(self, env: Env, zygote: Zygote) -> None:
        try:
            for what, number, value in zygote.messages():
                if what == b"R":
                    zygote.ready = True
                elif worker := self._workers.get(number):
                    self._on_end(worker, waited(value))
        except EOFError:
            self._on_zygote_end(env, zygote)

    def _on_end(self, worker: WorkerProcess, code: int) -> None:
        self._watcher.on_end(worker, code)
        self._discard(worker)

    def _on_zygote_end(self, env: Env, zygote: Zygote) -> None:
        """A zygote has died, and the kernel has killed its workers; those it never started get another
        chance.
        """
        zygote.drain()
        reason = zygote.log.getvalue().decode("utf-8", "replace").strip()
        del self._zygotes[env]
        self._outdated.discard(env)
        self._forget_zygote(zygote)
        for worker in [worker for worker in self._workers.values() if worker.zygote is zygote]:
            if zygote.ready:
                self._on_end(worker, -signal.SIGKILL)
            else:
                self._watcher.on_stillborn(worker, None if zygote.preload else reason)
                self._discard(worker)
        if not zygote.ready:
            self._bare.add(env)

    def _discard(self, worker: WorkerProcess) -> None:
        for watched in (worker.answered, worker.output, *([worker.requests] if worker.full else [])):
            self._selector.unregister(watched)
        worker.close()
        del self._workers[worker.number]
        self._watcher.on_gone(worker)
        if self._outdated:
            self._end_outdated()

    def _forget_zygote(self, zygote: Zygote) -> None:
        for watched in (zygote.socket, zygote.output):
            with suppress(KeyError):
                self._selector.unregister(watched)
        zygote.close(self._home.grace + 5)


def waited(status: int) -> int:
    """The exit code in what os.waitpid gives, negative for a signal."""
    return -(status & 0x7F) if status & 0x7F else status >> 8
