"""Task compute in this very process: Python functions by name, run when their outcomes are collected."""

from __future__ import annotations

import io
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from math import inf
from typing import Any

import orjson

from cirrus.ports.compute import Attempt, Outcome

Function = Callable[[dict[str, Any]], object]


class MemoryCompute:
    """Runs `functions`, one attempt at a time, in `collect`; no time limit is kept."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = dict(functions)
        self._waiting: deque[Attempt] = deque()
        self._done: list[Outcome] = []
        self._changed = threading.Condition()
        self._woken = False
        self._collected = time.monotonic()
        self._until = inf

    def submit(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts in."""
        with self._changed:
            self._waiting.extend(attempts)
            self._changed.notify_all()

    def collect(self, timeout: float) -> list[Outcome]:
        """Run what waits, and give all outcomes."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._done or self._woken, timeout)
            self._woken = False
            while self._waiting and time.monotonic() < self._until:
                self._done.append(self._run(self._waiting.popleft()))
            outcomes, self._done = self._done, []
            self._collected = time.monotonic()
            return outcomes

    def hold(self, seconds: float) -> None:
        """Start nothing later than that after the last `collect`."""
        self._until = self._collected + seconds

    def cancel(self, attempt_id: str) -> None:
        """Stop an attempt that waits."""
        with self._changed:
            for attempt in [attempt for attempt in self._waiting if attempt.id == attempt_id]:
                self._waiting.remove(attempt)
                self._done.append(_failed(attempt, "Cirrus.Cancelled", "the attempt was cancelled", time.time()))
            self._changed.notify_all()

    def running_logs(self) -> dict[str, bytes]:
        """Nothing: no attempt runs between two calls."""
        return {}

    def in_flight(self) -> int:
        """Submitted and not yet collected."""
        return len(self._waiting) + len(self._done)

    def room(self) -> int:
        """Any number: all that waits is run at the next `collect`."""
        return sys.maxsize

    def wakeup(self) -> None:
        """Make `collect` return."""
        self._woken = True
        if self._changed.acquire(blocking=False):
            self._changed.notify_all()
            self._changed.release()

    def close(self) -> None:
        """Drop everything."""
        with self._changed:
            self._waiting.clear()
            self._done.clear()

    def _run(self, attempt: Attempt) -> Outcome:
        function = self._functions.get(attempt.task)
        started = time.time()
        if function is None:
            return _failed(attempt, "Runtime.HandlerNotFound", f"there is no task {attempt.task!r}", started)
        printed = io.StringIO()
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                output = function(orjson.loads(attempt.payload))
        except (Exception, SystemExit) as error:
            return _failed(attempt, type(error).__name__, str(error), started, printed.getvalue())
        if not isinstance(output, dict):
            message = f"task {attempt.task!r} returned a {type(output).__name__}; expected a dict"
            return _failed(attempt, "InvalidOutput", message, started, printed.getvalue())
        log = printed.getvalue().encode()
        return Outcome(attempt.id, orjson.dumps(output), None, None, log, started, time.time())


def _failed(attempt: Attempt, error: str, message: str, started: float, printed: str = "") -> Outcome:
    cause = orjson.dumps({"errorMessage": message, "errorType": error, "stackTrace": []}).decode()
    return Outcome(attempt.id, None, error, cause, printed.encode(), started, time.time())
