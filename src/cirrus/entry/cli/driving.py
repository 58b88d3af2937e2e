"""Running one payload in the foreground: queue it, drive it if nobody else does, wait for its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cirrus.app import open_home, open_worker
from cirrus.core.decide import Action, decide
from cirrus.core.instant import iso
from cirrus.core.record import Record
from cirrus.core.state import ENDED, State
from cirrus.entry.cli.output import say
from cirrus.flow import query
from cirrus.flow.home import Home
from cirrus.flow.submit import read, submit
from cirrus.flow.work import Progress, Worker
from cirrus.settings import Deployment, Project

_REMOTE_POLL = 1.0


@contextmanager
def interruptible(worker: Worker, *, drains: bool = False) -> Iterator[None]:
    """SIGINT and SIGTERM end the worker in good order: what runs is left for the next one to take over.

    One that `drains` first finishes what runs; the second signal stops it.
    """
    told = 0

    def stop(_number: int, _frame: Any) -> None:
        nonlocal told
        told += 1  # first: the next signal may come while this one is dealt with
        if drains and told == 1:
            worker.drain()
        else:
            worker.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Quiet:
    """Says nothing but new trouble, and that it drains."""

    def __init__(self) -> None:
        self._said = ""
        self._drains = False

    def __call__(self, progress: Progress) -> None:
        """Say what is in the way, once."""
        if progress.trouble and progress.trouble != self._said:
            say(f"trouble: {progress.trouble}; trying again")
        self._said = progress.trouble
        if progress.draining and not self._drains:
            self._drains = True
            say(f"finishing {progress.running} running, beginning no more; a second signal stops at once")

    def close(self) -> None:
        """Nothing to finish."""


def run_payload(project: Project, where: Deployment, text: bytes, timeout: float, poll: float) -> int:
    """Queue one payload and wait for its end; prints its output payload. Gives the exit code."""
    from cirrus.entry.cli.main import RUN_FAILED, TIMED_OUT

    home = open_home(project, where)
    if home.engine is not None:
        return _run_elsewhere(home, text, timeout, max(poll, _REMOTE_POLL))
    submitted = next(iter(submit(home, [text])))
    if submitted.payload_id is None or submitted.result != "queued":
        say(f"rejected: {submitted.reason}")
        return 1
    for warning in submitted.warnings:
        say(f"warning: {warning}")
    payload_id = submitted.payload_id
    began = home.clock()
    found = _drive(project, where, home, payload_id, timeout, poll)
    if found is None:
        say(f"timed out after {timeout:g} s: {payload_id} has not ended; `cirrus up` goes on with it")
        return TIMED_OUT
    if found.updated < began:
        say(f"nothing ran: {payload_id} is {found.state} since {iso(found.updated)}; set replace to run it again")
    return _show(home, found, RUN_FAILED)


def _run_elsewhere(home: Home, text: bytes, timeout: float, poll: float) -> int:
    """As `run_payload` where functions do the work: queue it and look at its record until that has changed."""
    from cirrus.entry.cli.main import RUN_FAILED, TIMED_OUT

    payload = read(home, text)
    payload_id = str(payload.id)
    before = home.state_db.get([payload_id]).get(payload_id)
    now = home.clock()
    if before and decide(before, replace=payload.replace, now=now, lease=home.limits.lease).action is Action.SKIP:
        since = f"{before.state} since {iso(before.updated)}"
        say(f"nothing is queued: {payload_id} is {since}; set replace to run it again")
        return _show(home, before, RUN_FAILED) if before.state in ENDED else 1
    submitted = next(iter(submit(home, [text])))
    if submitted.result != "queued":
        say(f"rejected: {submitted.reason}")
        return 1
    known, deadline = before.executions if before else (), time.monotonic() + timeout
    while time.monotonic() < deadline:
        found = home.state_db.get([payload_id]).get(payload_id)
        if found is not None and found.state in ENDED and found.executions != known:
            return _show(home, found, RUN_FAILED)
        time.sleep(poll)  # --poll-interval: nothing tells of an end
    say(f"timed out after {timeout:g} s: {payload_id} has not ended yet, and goes on")
    return TIMED_OUT


def _drive(
    project: Project, where: Deployment, home: Home, payload_id: str, timeout: float, poll: float
) -> Record | None:
    deadline = time.monotonic() + timeout
    ended: list[Record] = []
    asked = [0.0]

    def over() -> bool:
        now = time.monotonic()
        if now < asked[0]:
            return False
        asked[0] = now + poll
        record = _ended(home, payload_id)
        ended.extend([record] if record else [])
        return bool(ended) or now >= deadline

    worker = open_worker(project, where, only=[payload_id])
    with interruptible(worker):
        worker.run(until=over, report=Quiet())
    return ended[0] if ended else _ended(home, payload_id)


def _ended(home: Home, payload_id: str) -> Record | None:
    """The record, once no message of the payload waits and its last execution has ended."""
    if home.queue.holds(payload_id):
        return None
    record = home.state_db.get([payload_id]).get(payload_id)
    return record if record is not None and record.state in ENDED else None


def _show(home: Home, found: Record, failed: int) -> int:
    from cirrus.entry.cli import output

    if found.state is not State.COMPLETED:
        say(f"{found.state}: {found.last_error}")
        return failed
    output.line(query.output_payload(home, found))
    return 0
