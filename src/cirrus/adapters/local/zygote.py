"""The process that worker processes are forked from: `python -m cirrus.entry.worker`, with the project
preloaded.

It is asked over a socket, in messages of one size: `S` starts worker `number` (its four descriptors come
along), `K` sends it the signal `value`. It tells `R` when it is ready, and `X` when worker `number` has
ended, `value` as os.waitpid gives it. When the socket closes it ends every worker, what those started too,
and itself.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from cirrus.adapters.local import granted
from cirrus.adapters.local.log_buffer import LogBuffer
from cirrus.core.grants import NAMES, Grants
from cirrus.core.scrub import Scrubber
from cirrus.ports.compute import TaskSpec

MESSAGE = struct.Struct("!cIq")
PRELOAD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Home:
    """What every worker needs to know: project folder, scratch folder, tasks, where relative uploads go.

    `hold` is a file that says until when attempts may start. `groups` is the beginning of the paths of the workers'
    control groups; their numbers follow. `grants` says which buckets tasks may use; what they print passes `scrubber`.
    """

    project: Path
    specs: Mapping[str, TaskSpec]
    data: str
    grace: float
    environment: Mapping[str, str] = field(default_factory=dict)
    scratch: Path = Path()
    hold: Path = Path()
    groups: str | None = None
    grants: Grants | None = None
    scrubber: Scrubber = field(default_factory=Scrubber)


class Zygote:
    """The control side of one such process, for workers with one set of environment variables."""

    def __init__(self, home: Home, env: Mapping[str, str], preload: bool) -> None:
        self.preload = preload
        self.ready = False
        self.born = time.monotonic()
        self.log = LogBuffer(32 * 1024, home.scrubber)
        self.socket, theirs = socket.socketpair()
        output, written = os.pipe()
        self.output = output
        life, self.life = os.pipe()
        try:
            self._process = subprocess.Popen(
                command(theirs.fileno(), life, write_config(home), preload),
                env=surroundings(home, env),
                cwd=home.project,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                pass_fds=(theirs.fileno(), life),
                start_new_session=True,
            )
        finally:
            theirs.close()
            os.close(written)
            os.close(life)
        self.socket.setblocking(False)
        os.set_blocking(output, False)
        self._partial = b""

    def spawn(self, number: int, descriptors: Sequence[int]) -> None:
        """Ask for worker `number`; `descriptors` are its requests, answers, output, tokens and life line."""
        with suppress(OSError):
            socket.send_fds(self.socket, [MESSAGE.pack(b"S", number, 0)], list(descriptors))

    def signal(self, number: int, what: int) -> None:
        """Send worker `number` and its children a signal."""
        with suppress(OSError):
            self.socket.sendall(MESSAGE.pack(b"K", number, what))

    def messages(self) -> Iterator[tuple[bytes, int, int]]:
        """What it has told since the last call; EOFError once it has ended."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            raise EOFError
        self._partial += data
        whole = len(self._partial) // MESSAGE.size * MESSAGE.size
        told, self._partial = self._partial[:whole], self._partial[whole:]
        yield from MESSAGE.iter_unpack(told)

    def drain(self) -> bool:
        """Keep the end of what it printed, which tells why it ended if it did; False at the end of the
        stream.
        """
        try:
            data = os.read(self.output, 65536)
        except BlockingIOError:
            return True
        self.log.write(data)
        return bool(data)

    def close(self, patience: float) -> None:
        """End it and all its workers, and wait for it."""
        self.socket.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
        for descriptor in (self.life, self.output):
            os.close(descriptor)

    def kill(self) -> None:
        """End it at once; the kernel ends its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def surroundings(home: Home, env: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: what it may inherit, what Cirrus says, what the task's own `env` says."""
    names = env.get(NAMES, "")
    own = granted.variables(home.grants, names, home.scratch)
    return {**granted.inherited(os.environ, home.grants, names), **home.environment, **own, **env}


def command(channel: int, life: int, config: Path, preload: bool) -> list[str]:
    """The program's arguments; -P keeps the project folder from shadowing modules while it starts."""
    flags = [] if preload else ["--no-preload"]
    return [sys.executable, "-P", "-m", "cirrus.entry.worker", str(channel), str(life), str(config), *flags]


def write_config(home: Home) -> Path:
    """The tasks and places in a file that only this user can read."""
    path = home.scratch / "config.json"
    tasks = {
        spec.name: {"handler": spec.handler, "command": spec.command, "params": spec.params}
        for spec in home.specs.values()
    }
    body = {
        "project": str(home.project),
        "scratch": str(home.scratch),
        "hold": str(home.hold),
        "data": home.data,
        "grace": home.grace,
        "groups": home.groups,
        "tasks": tasks,
    }
    granted.write(path, orjson.dumps(body))
    return path
