"""The life of a worker process: takes attempts one after another, runs each, and answers.

A token on a pipe allows the start of one attempt. The control process may read tokens back, so an attempt
is either started here or taken back there, never both. After each attempt a marker on the output pipe ends
its log.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import logging
import os
import select
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO, cast

import orjson

from cirrus.adapters.local.frames import READ_SIZE, FrameReader, pack, prefix, send
from cirrus.adapters.local.hold import Held
from cirrus.adapters.local.process_memory import OwnMemory
from cirrus.entry.failure import error_and_cause, in_log
from cirrus.entry.task_host import TaskHost
from cirrus.ports.compute import SOURCES
from cirrus.tasks import kit

TOKEN = 4
UNHELD_SECONDS = 0.02
_LOOK = 0.001  # seconds of work after which memory is looked at: too little for more than some megabytes
_EACH = 0.0001  # what an attempt counts for at least
LOUD = ("botocore", "s3transfer", "urllib3", "fsspec", "asyncio", "aiobotocore", "boto3")
# What signal.signal wraps: its enumerations cost more than anything else between two attempts.
set_handler: Callable[[int, object], object] = importlib.import_module("_signal").signal
HOST = str(Path(__file__).parent)
LIBC = ctypes.CDLL(None)


class Terminated(BaseException):
    """The control process ends this attempt; no `except Exception` of a task can keep it."""


@dataclass(frozen=True, slots=True)
class Lines:
    """What connects a worker with the control process: attempts and answers, output, tokens."""

    requests: int
    answers: int
    output: int
    tokens: int


class AttemptLoop:
    """Serves one control process until its tokens end; `grouped` if this process has a control group of its own."""

    def __init__(self, lines: Lines, host: TaskHost, project: Path, held: Held, *, grouped: bool) -> None:
        self._lines = lines
        self._host = host
        self._project = project
        self._held = held
        self._reader = FrameReader()
        self._frames: deque[tuple[int, bytes, bytes]] = deque()
        self._pid = os.getpid()
        self._grouped = grouped
        self._memory = OwnMemory()
        self._logged = LoggedErrors()
        self._streams: dict[str, TextIO] = {}
        self._told: Mapping[bytes, bytes] = {}
        self._seen = self._memory.read()
        self._unseen = 0.0
        self._looked = 0.0

    def serve(self) -> None:
        """Run attempts until the control process closes the tokens."""
        set_handler(int(signal.SIGTERM), self._terminate)
        _, marker, _ = self._receive(0)
        self._reset()
        self._configure_logging()
        born = [self._pid, self._grouped, self._seen]
        send(self._lines.answers, pack(0, orjson.dumps(born)))
        while number := self._next_token():
            _, head, body = self._receive(number)
            task, context, handed = orjson.loads(head)
            self._look(handed)
            told, output = self._run(task, context, body)
            os.write(self._lines.output, marker)
            same = output == body
            self._answer(number, orjson.dumps([*told, same]), b"" if same else output)

    def _run(self, task: str, context: Mapping[str, str], payload: bytes) -> tuple[list[object], bytes]:
        variables = kit.variables(context) | {"CIRRUS_TASK": task}
        self._reset()
        error = cause = None
        output = b""
        started = time.time()
        try:
            self._tell(variables)
            with kit.sourced(context.get(SOURCES)):
                output = self._host.run(task, payload)
        except Terminated:
            raise
        except BaseException as failure:
            error, cause = error_and_cause(failure, HOST, self._host.scrub)
            self._print(failure)
        finally:
            self._leave_if_forked()
        ended = time.time()
        self._flush()
        return [error, cause, started, ended, self._used(ended - started)], output

    def _look(self, handed: float) -> None:
        """See that the project is no older than when the attempt was handed over: once for all that came together."""
        if self._looked <= handed:
            self._looked = time.monotonic()
            self._host.look()

    def _used(self, seconds: float) -> int:
        """What this process has for itself after an attempt that took so long; many short ones are looked at once."""
        self._unseen += seconds + _EACH
        if self._unseen >= _LOOK:
            self._unseen, self._seen = 0.0, self._memory.read()
        return self._seen

    def _tell(self, variables: Mapping[str, str]) -> None:
        """Set the variables of an attempt, and no others of the attempt before."""
        told = {name.encode(): value.encode("utf-8", "surrogateescape") for name, value in variables.items()}
        for name in self._told.keys() - told.keys():
            os.environb.pop(name, None)
        for name, value in told.items():
            if self._told.get(name) != value or os.environb.get(name) != value:
                os.environb[name] = value
        self._told = told

    def _answer(self, number: int, head: bytes, output: bytes) -> None:
        if len(output) < READ_SIZE:
            send(self._lines.answers, pack(number, head, output))
        else:
            send(self._lines.answers, prefix(number, head, len(output)))
            send(self._lines.answers, output)

    def _next_token(self) -> int:
        """The number of the next attempt that may start; 0 when there will be none."""
        while True:
            if not self._held.lasts():
                time.sleep(UNHELD_SECONDS)  # whoever holds the tokens sleeps, and may take them back
                continue
            try:
                return int.from_bytes(os.read(self._lines.tokens, TOKEN), "big")
            except BlockingIOError:
                waiting = select.poll()
                waiting.register(self._lines.tokens, select.POLLIN)
                waiting.poll()

    def _receive(self, number: int) -> tuple[int, bytes, bytes]:
        """The frame of that number; those before it were taken back."""
        while True:
            while self._frames:
                if (frame := self._frames.popleft())[0] == number:
                    return frame
            if not self._reader.receive(self._lines.requests):
                raise Terminated
            self._frames.extend(self._reader.frames())

    def _reset(self) -> None:
        """Undo what the attempt before may have done to this process."""
        os.dup2(self._lines.output, 1)
        os.dup2(self._lines.output, 2)
        os.chdir(self._project)
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            if not _is_whole(self._streams.get(name), getattr(sys, name, None)):
                self._streams[name] = _unbuffered(descriptor)
                setattr(sys, name, self._streams[name])
        set_handler(int(signal.SIGTERM), self._terminate)

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(Exception):  # a stream that the task replaced or closed
                stream.flush()
        LIBC.fflush(None)

    def _print(self, failure: BaseException) -> None:
        """Put the failure into the attempt's log, unless the task has logged it itself."""
        if self._logged.last is not failure:
            os.write(2, in_log(failure, HOST).encode("utf-8", "backslashreplace"))
        self._logged.last = None

    def _leave_if_forked(self) -> None:
        """A child that the task forked and that returned from the task must not answer in its place."""
        if os.getpid() != self._pid:
            os._exit(0)

    def _terminate(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise Terminated

    def _configure_logging(self) -> None:
        warnings.simplefilter("ignore", DeprecationWarning)
        self._logged.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root = logging.getLogger()
        root.handlers[:] = [self._logged]
        root.setLevel(logging.INFO)
        for name in LOUD:
            logging.getLogger(name).setLevel(logging.WARNING)


class LoggedErrors(logging.Handler):
    """Writes records to whatever stderr is now, and remembers the exception that was logged last."""

    last: BaseException | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            if record.exc_info:
                self.last = record.exc_info[1]
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


def _is_whole(stream: TextIO | None, present: object) -> bool:
    """Whether a stream of ours is the present one, and as it was made: not closed, detached or set up otherwise."""
    if stream is None or stream is not present:
        return False
    try:
        return (stream.closed, stream.encoding, stream.errors) == (False, "utf-8", "backslashreplace")
    except ValueError:
        return False


def _unbuffered(descriptor: int) -> TextIO:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(cast("io.BufferedWriter", raw), "utf-8", "backslashreplace", write_through=True)
