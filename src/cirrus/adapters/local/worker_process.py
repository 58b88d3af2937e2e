"""The control side of one worker process: its lines, the attempts handed to it, and what they print.

Attempts are handed over in order, several at once where they are short; a token on a pipe lets each one
start. Reading tokens back takes back exactly those that have not started.
"""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from cirrus.adapters.local.backlog import Env, Job
from cirrus.adapters.local.frames import READ_SIZE, FrameReader, SendBuffer, deep_pipe
from cirrus.adapters.local.log_buffer import MarkedStream
from cirrus.adapters.local.zygote import Zygote

TOKEN = 4
OUTPUT_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Doom:
    """Why a worker is being killed, on account of which attempt, and when its grace ends."""

    job: Job
    error: str
    message: str
    deadline: float


class WorkerProcess:
    """One worker; the first of `jobs` is the one that runs, since `since`.

    `taken` counts the attempts that it was given, `full` says that its pipe takes no more now. `limit` is the memory
    limit of its attempts in bytes; `grouped` says that a control group keeps it.
    """

    def __init__(self, number: int, env: Env, zygote: Zygote) -> None:
        self.number = number
        self.env = env
        self.zygote = zygote
        self.jobs: deque[Job] = deque()
        self.tasks: Counter[str] = Counter()
        self.bytes = 0
        self.ready = False
        self.since = self.born = time.monotonic()
        self.pid = 0
        self.grouped = False
        self.limit: int | None = None
        self.taken = 0
        self._memory = self._fresh = 0
        self._permits = b""
        self.full = False
        self.doom: Doom | None = None
        self.leaving: float | None = None
        self._printing: deque[Job] = deque()
        self._sequence = 0
        self._reader = FrameReader()
        self._out = SendBuffer()
        self._open()

    def _open(self) -> None:
        marker = b"\0" + secrets.token_hex(16).encode() + b"\n"
        self._stream = MarkedStream(marker)
        requests, self.requests = deep_pipe()
        self.answered, answered = deep_pipe()
        self.output, output = os.pipe()
        self._tokens, self._permit = os.pipe()
        life, self._life = os.pipe()
        for descriptor in (self.requests, self.answered, self.output, self._tokens):
            os.set_blocking(descriptor, False)
        self.zygote.spawn(self.number, (requests, answered, output, self._tokens, life))
        for theirs in (requests, answered, output, life):
            os.close(theirs)
        self._out.add(0, marker, b"")
        self.flush()

    def assign(self, job: Job, now: float) -> None:
        """Hand over an attempt at `now`, by the monotonic clock; it is on its way after `flush`."""
        if not self.jobs:
            self.since = now
        self._sequence += 1
        attempt = job.attempt
        self.taken += 1
        self.jobs.append(job)
        self._printing.append(job)
        self.tasks[attempt.task] += 1
        self.bytes += len(attempt.payload)
        head = orjson.dumps([attempt.task, attempt.context, now], default=dict)
        self._out.add(self._sequence, head, attempt.payload)
        self._permits += self._sequence.to_bytes(TOKEN, "big")

    def flush(self) -> bool:
        """Send what can be sent now; whether that has changed `full`."""
        if self._permits:
            os.write(self._permit, self._permits)
            self._permits = b""
        self._out.flush(self.requests)
        before, self.full = self.full, bool(self._out)
        return before is not self.full

    def take_back(self) -> list[Job]:
        """The attempts that have not started, and now never will here."""
        tokens = b""
        with suppress(BlockingIOError):
            tokens = os.read(self._tokens, 65536)
        taken = [self.jobs.pop() for _ in range(len(tokens) // TOKEN)]
        self.taken -= len(taken)
        for job in taken:
            self._printing.pop()
            self._forget(job)
        return taken[::-1]

    def grown(self) -> int:
        """By how many bytes it had grown after its last attempt."""
        return self._memory - self._fresh

    def answers(self) -> Iterator[tuple[Job, list[Any], bytes]]:
        """The attempts that have ended since the last call, each with what it says and its output."""
        with suppress(BlockingIOError):
            while self._reader.receive(self.answered) == READ_SIZE:
                pass
        frames = self._reader.frames()
        if frames:
            self.since = time.monotonic()
        for number, head, body in frames:
            if number == 0:
                self.pid, self.grouped, self._fresh = orjson.loads(head)
                self._memory = self._fresh
                self.ready = True
                continue
            job = self.jobs.popleft()
            self._forget(job)
            if self._printing and self._printing[0] is job:
                self.read_output(until=job)
            *told, self._memory, same = orjson.loads(head)
            yield job, told, job.attempt.payload if same else body

    def read_output(self, until: Job | None = None) -> None:
        """Move what was printed into the attempts' logs; all that `until` printed, if given."""
        with suppress(BlockingIOError):
            rounds = 0
            while (until and self._printing and self._printing[0] is until) or rounds < OUTPUT_AT_ONCE:
                data = os.read(self.output, 65536)
                if not data:
                    return
                self._log(data)
                rounds += 1

    def _log(self, data: bytes) -> None:
        for piece, ended in self._stream.feed(data):
            if self._printing:
                if piece:
                    self._printing[0].log.write(piece)
                if ended:
                    self._printing.popleft()

    def _forget(self, job: Job) -> None:
        self.bytes -= len(job.attempt.payload)
        self.tasks[job.attempt.task] -= 1
        if not self.tasks[job.attempt.task]:
            del self.tasks[job.attempt.task]

    def since_epoch(self) -> float:
        """`since`, as seconds since the epoch."""
        return time.time() - (time.monotonic() - self.since)

    def retire(self, deadline: float) -> None:
        """Let it end by itself, now that it has nothing to do."""
        self.leaving = deadline
        os.close(self._permit)
        self._permit = -1

    def close(self) -> None:
        """Give back its descriptors; the kernel ends what may be left of its process group."""
        for descriptor in (self.requests, self.answered, self.output, self._tokens, self._permit, self._life):
            if descriptor >= 0:
                os.close(descriptor)
