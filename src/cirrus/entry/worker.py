"""`python -m cirrus.entry.worker`: imports the project once, then forks worker processes for the control
process.

A worker so costs milliseconds, not the second that importing stactask takes. This process runs no task:
what it does is fork, pass signals on, reap, and, when the control process is gone, end everything that came
from it.
"""

from __future__ import annotations

import atexit
import gc
import os
import selectors
import signal
import socket
import sys
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any, NoReturn

import orjson

from cirrus.adapters.local.hold import Held
from cirrus.adapters.local.process_tree import (
    Snapshot,
    adopt_orphans,
    descendants,
    die_with_parent,
    die_with_pipe,
    kill_descendants,
    kill_group,
    kill_snapshot,
    survive_pipe,
)
from cirrus.adapters.local.zygote import MESSAGE, PRELOAD_SECONDS
from cirrus.adapters.objects.store import ObjectStores
from cirrus.entry import bucket_access
from cirrus.entry.attempts import AttemptLoop, Lines, Terminated
from cirrus.entry.project_modules import ProjectModules
from cirrus.entry.task_host import Surroundings, TaskHost
from cirrus.ports.compute import TaskSpec
from cirrus.tasks import kit

NICENESS = 10  # of workers: the control process renews its lease and answers, however busy they are


@dataclass(eq=False, slots=True)
class Child:
    """A worker process: its number, process id, and what it had started when it was signalled."""

    number: int
    pid: int
    started: Snapshot = field(default_factory=dict)


class Nursery:
    """Forks workers, signals them, and tells when they end."""

    def __init__(
        self,
        control: socket.socket,
        host: TaskHost,
        around: Surroundings,
        held: Held,
        grace: float,
        groups: str | None,
    ) -> None:
        self._held = held
        self._groups = groups
        self._control = control
        self._host = host
        self._around = around
        self._grace = grace
        self._children: dict[int, Child] = {}
        self._wake_read, self._wake_write = os.pipe()

    def serve(self) -> None:
        """Until the control process closes the socket."""
        for end in (self._wake_read, self._wake_write):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._tell(b"R", 0, 0)
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ, self._obey)
            selector.register(self._wake_read, selectors.EVENT_READ, self._reap)
            while all(key.data() for key, _ in selector.select()):
                pass

    def end(self) -> None:
        """End every worker: politely, then for good, with all that they started."""
        for child in self._children.values():
            kill_group(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        while self._children and time.monotonic() < deadline:
            time.sleep(0.002)
            self._reap()
        kill_descendants(os.getpid())
        rmtree(self._around.scratch, ignore_errors=True)
        with suppress(OSError):
            self._around.scratch.parent.rmdir()

    def _obey(self) -> bool:
        """Do what the control process asks; False when it is gone."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE.size, 5)
        except ConnectionError:
            return False
        if len(data) < MESSAGE.size:
            return False
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        operation, number, value = MESSAGE.unpack(data)
        if operation == b"S":
            self._fork(number, descriptors)
        elif operation == b"K":
            self._signal(number, value)
        return True

    def _fork(self, number: int, descriptors: list[int]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.nice(NICENESS)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self._control.detach(), self._wake_read, self._wake_write):
                os.close(descriptor)
            group = self._groups and f"{self._groups}{number}"
            work(descriptors, self._host, self._around.project, self._held, group)
        with suppress(OSError):
            os.setpgid(pid, pid)
        self._children[pid] = Child(number, pid)
        for descriptor in descriptors:
            os.close(descriptor)

    def _signal(self, number: int, value: int) -> None:
        for child in self._children.values():
            if child.number == number:
                child.started |= descendants(child.pid)
                if value == signal.SIGKILL:
                    kill_snapshot(child.started)
                kill_group(child.pid, value)

    def _reap(self) -> bool:
        """Bury what has ended; a worker's process group goes with it, while its id is still its own."""
        with suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        while (pid := next_ended()) is not None:
            child = self._children.pop(pid, None)
            if child:
                kill_group(pid)
                kill_snapshot(child.started)
            _, status = os.waitpid(pid, 0)
            if child:
                self._tell(b"X", child.number, status)
        return True

    def _tell(self, what: bytes, number: int, value: int) -> None:
        with suppress(OSError):
            self._control.sendall(MESSAGE.pack(what, number, value))


def next_ended() -> int | None:
    """A child that has ended and is not yet reaped."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def work(descriptors: list[int], host: TaskHost, project: Path, held: Held, group: str | None) -> NoReturn:
    """Be a worker process, to the end."""
    status = 0
    try:
        os.setpgid(0, 0)
        die_with_parent()
        requests, answers, output, tokens, life = descriptors
        die_with_pipe(life)
        reseed()
        lines = Lines(requests, answers, output, tokens)
        AttemptLoop(lines, host, project, held, grouped=enter(group)).serve()
        atexit._run_exitfuncs()
    except Terminated:
        status = 143
    except (BrokenPipeError, ConnectionError):
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 70
    finally:
        os._exit(status)


def enter(group: str | None) -> bool:
    """Move this process to a control group, if there is one for it; whether that worked."""
    with suppress(OSError):
        if group:
            Path(group, "cgroup.procs").write_text("0")
            return True
    return False


def reseed() -> None:
    """Give each worker random numbers of its own; Python's own generator is reseeded by fork."""
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def unforkable() -> bool:
    """Whether importing the project started threads, which a fork would lose."""
    if threading.active_count() > 1:
        return True
    return any(name.read_text().startswith("tokio") for name in Path("/proc/self/task").glob("*/comm"))


def main() -> None:
    """Arguments: descriptors of control socket and life line, configuration file, perhaps --no-preload."""
    channel, life, config = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    die_with_pipe(life)
    for descriptor in (channel, life):
        os.set_inheritable(descriptor, False)
    told = orjson.loads(config.read_bytes())
    modules, host, around = prepare(told)
    modules.install()
    if "--no-preload" not in sys.argv:
        signal.alarm(PRELOAD_SECONDS + 5)
        host.preload()
        signal.alarm(0)
        if unforkable():
            start_over(channel, life)
    os.chdir(around.project)
    gc.freeze()
    adopt_orphans()
    survive_pipe(life)
    control, held = socket.socket(fileno=channel), Held(Path(told["hold"]))
    nursery = Nursery(control, host, around, held, told["grace"], told["groups"])
    nursery.serve()
    nursery.end()


def prepare(told: dict[str, Any]) -> tuple[ProjectModules, TaskHost, Surroundings]:
    """The host of the project's tasks, nothing imported yet."""
    warnings.simplefilter("ignore", DeprecationWarning)
    opened, opens = bucket_access.here()
    stores = ObjectStores(told["data"], opens, list(opened))
    kit.provide(stores)
    os.environ["CIRRUS_DATA"] = told["data"]
    guard = bucket_access.guard(opened.values())
    around = Surroundings(Path(told["project"]), Path(told["scratch"]), stores, guard)
    specs = {
        name: TaskSpec(name, task["handler"], tuple(task["command"] or ()), params=task["params"])
        for name, task in told["tasks"].items()
    }
    modules = ProjectModules(around.project)
    return modules, TaskHost(specs, modules, around), around


def start_over(channel: int, life: int) -> NoReturn:
    """The same program without preloading, on the same lines."""
    for descriptor in (channel, life):
        os.set_inheritable(descriptor, True)
    arguments = [sys.executable, "-P", "-m", "cirrus.entry.worker", *sys.argv[1:], "--no-preload"]
    os.execv(sys.executable, arguments)  # noqa: S606 -- ourselves


if __name__ == "__main__":
    main()
