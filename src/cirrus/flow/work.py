"""Work: one control process that works the queue until it is told to stop, or until nothing is left."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from cirrus.core.event import WorkflowEvent
from cirrus.core.instant import SECOND
from cirrus.core.state import State
from cirrus.errors import StoreError
from cirrus.flow.campaign import feed
from cirrus.flow.deliver import deliver
from cirrus.flow.drive import Driver
from cirrus.flow.expire import expire, pause
from cirrus.flow.home import Home
from cirrus.flow.process import process
from cirrus.flow.take_up import take_up
from cirrus.flow.turn import Overtaken, Turn
from cirrus.ports.compute import Compute, Outcome
from cirrus.ports.queue import Taken
from cirrus.ports.state_db import Execution

_POLL = 0.01
_EAGER_POLL = 0.002
_EAGER = SECOND  # so long after something happened, more is looked for eagerly
_RECHECK = SECOND // 2
_LOGS = SECOND
_NUDGE = SECOND // 20
_FEEDING = SECOND // 4
_SOON = 3 * SECOND
_FAREWELL = 15.0
_BREATH = 0.02
_MARGIN = 8  # this part of a lease before its end, no attempt starts any more: to start takes a while, too


@dataclass(slots=True)
class Progress:
    """What this control process has done so far; once it has left, what is `running` or `queued` it has left behind."""

    begun: int = 0
    completed: int = 0
    failed: int = 0
    invalid: int = 0
    running: int = 0
    trouble: str = ""
    draining: bool = False
    queued: int = 0
    paused: bool = False


class Worker:
    """Takes messages, drives executions and delivers the outbox of one home.

    `only` limits it to these payload ids: it takes no other message and takes over no other execution. Deliveries are
    made with `delivery_home`, a second view of the same deployment, in a thread for each target, so that a slow
    target holds up nothing. `sourced` is that of Driver.
    """

    def __init__(
        self,
        home: Home,
        compute: Compute,
        tasks: Collection[str],
        owner: str,
        *,
        delivery_home: Home | None = None,
        only: Collection[str] | None = None,
        about: str = "",
        sourced: Collection[str] = (),
    ) -> None:
        self._home = home
        self._compute = compute
        self._driver = Driver(home, compute, tasks, owner, sourced=sourced)
        self._owner = owner
        self._only = None if only is None else frozenset(only)
        self._about = about
        # What a signal handler sets are plain flags: it may interrupt whoever holds the lock of an Event.
        self._told_to_stop = False
        self._draining = False
        self._left = threading.Event()
        self._drain_until: int | None = None
        self._begins = True
        self._delivery_home = delivery_home
        self._pending: list[Outcome] = []
        self._refused: list[WorkflowEvent] = []
        self._beat_at = home.steady() - home.limits.lease
        self._checked_at = 0
        self._taken_up_at = 0
        self._logged_at = 0
        self._nudged_at = 0
        self._fed_at = 0
        self._stirred_at = 0
        self._seen: int | None = None
        self._changed = True
        self._starved = False
        self._again: int | None = None
        self._adopting = False
        self._nudges = {} if delivery_home is None else {name: threading.Event() for name in delivery_home.targets}
        self._delivering: list[threading.Thread] = []
        self.progress = Progress()

    def stop(self) -> None:
        """Finish the current turn, then leave; safe in a signal handler."""
        self._told_to_stop = True
        self._compute.wakeup()

    def wake(self) -> None:
        """Look at once for what may have come; from any thread."""
        self._compute.wakeup()

    def drain(self) -> None:
        """Begin nothing more, leave once no task is at work; safe in a signal handler."""
        self._draining = True
        self._compute.wakeup()

    def run(
        self,
        *,
        begin: bool = True,
        until_idle: bool = False,
        until: Callable[[], bool] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> None:
        """Work until stopped, until nothing is left to do, or until `until` says so.

        Without `begin` only what was begun is finished, by whomever: that is then all there is to do.
        """
        self._begins = begin
        for target in self._nudges:
            one = threading.Thread(target=self._deliver, args=(target,), name=f"cirrus-deliver-{target}", daemon=True)
            self._delivering.append(one)
        if self._delivery_home is not None:
            self._delivering.append(threading.Thread(target=self._expire, name="cirrus-expire", daemon=True))
        for one in self._delivering:
            one.start()
        try:
            while not self._told_to_stop:
                busy = self._turn()
                if report is not None:
                    report(self.progress)
                if until is not None and until():
                    break
                if self._draining and self._drained():
                    break
                if (until_idle or not begin) and not busy and self._idle():
                    break
        finally:
            self._leave()

    def _leave(self) -> None:
        self._left.set()
        self._nudge()
        self._compute.close()
        for one in self._delivering:
            one.join(_FAREWELL)
        with suppress(StoreError):
            self._home.journal.retire(self._owner)
            self.progress.queued = self._home.queue.depth()
            self.progress.paused = bool(self._home.queue.pauses())

    # ------------------------------------------------------------ one turn

    def _turn(self) -> bool:
        try:
            self._pending += self._compute.collect(self._patience())
            now, at = self._home.clock(), self._home.steady()
            self._renew(at)
            self._driver.drop(self._home.journal.cancelled(self._owner) if self._recheck(at) else ())
            return self._decide(now, at)
        except Overtaken as gone:
            self._driver.drop(gone.execution_ids)
            self._refused += gone.events
            return True
        except StoreError as error:
            self.progress.trouble = str(error)
            self._left.wait(0.2)
            return True

    def _renew(self, at: int) -> None:
        """Renew the lease in time, and with it the tasks' leave to start, which ends somewhat earlier.

        If it had ended meanwhile, first let go of what was taken over.
        """
        lease = self._home.limits.lease
        if at - self._beat_at >= lease // 4:
            self._home.journal.beat(self._owner, at + lease, self._about)
            if len(self._driver) and self._home.steady() - self._beat_at >= lease:
                self._driver.keep(self._home.journal.held(self._owner))
            self._beat_at = at
        self._compute.hold((self._beat_at + lease - lease // _MARGIN - at) / SECOND)

    def _decide(self, now: int, at: int) -> bool:
        outcomes = list(self._pending)
        wanted = self._wanted(now, at)
        due = self._driver.next_timer()
        if (
            not outcomes
            and not wanted
            and not self._driver.held_back(at, self._changed)
            and not self._refused
            and not (due is not None and due <= now / SECOND)
            and self._checked_at != at
        ):
            return False
        with self._home.unit.group():
            if self._refused:
                self._home.state_db.note(self._refused)
            if self._feed_now(at) and feed(self._home, now):
                self._starved = False
            adopted = self._adopt(now, at)
            turn = self._driver.decide(now, adopted=adopted, outcomes=outcomes)
            taken = self._take(max(0, wanted - len(adopted)), now)
            begun = process(self._home, taken, self._owner, now)
            answers = self._home.callbacks.take(self._owner)
            self._driver.write(turn, now, begun=begun, outcomes=outcomes, answers=answers)
            self._home.journal.log(self._driver.logs(now) if self._log_now(at) else [])
        self._refused.clear()
        self._driver.apply(turn, outcomes)
        del self._pending[: len(outcomes)]
        if any(end.next for end in turn.ended.values()) or (turn.ended and self._home.throttle):
            self._starved = False  # of our own commits `changes` does not tell
        self._count(len(begun) + len(adopted), turn)
        if turn.ended and at - self._nudged_at >= _NUDGE:
            self._nudged_at = at
            self._nudge()
        busy = bool(outcomes or taken or adopted or turn.entries)
        self._stirred_at = at if busy else self._stirred_at
        return busy

    def _take(self, wanted: int, now: int) -> list[Taken]:
        """Messages within the limits; where they were fewer than wanted, when more may come."""
        limits, throttle = self._home.limits, self._home.throttle
        size = max(1, min(limits.batch_bytes, limits.running_bytes - self._driver.size))
        taken = self._home.queue.take(
            wanted,
            owner=self._owner,
            now=now,
            until=now + limits.lease,
            only=self._only,
            throttle=throttle,
            size=size,
        )
        if wanted > 0:
            self._starved = len(taken) < wanted and sum(len(one.body) for one in taken) < size
            self._again = self._home.queue.again(throttle, now) if self._starved and self._only is None else None
        return taken

    def _count(self, begun: int, turn: Turn) -> None:
        ended = [end.state for end in turn.ended.values()]
        good, invalid = ended.count(State.COMPLETED), ended.count(State.INVALID)
        self.progress.begun += begun
        self.progress.completed += good
        self.progress.invalid += invalid
        self.progress.failed += len(ended) - good - invalid
        self.progress.running = len(self._driver)
        self.progress.trouble = ""

    def _nudge(self) -> None:
        for nudge in self._nudges.values():
            nudge.set()

    def _patience(self) -> float:
        """How long to wait for an outcome: not at all while there may be more to take."""
        takes = self._begins and not self._draining and not self._starved
        room = takes and len(self._driver) < self._home.limits.running and self._compute.room() > 0
        if self._pending or room:
            return 0.0
        due = self._driver.next_timer()
        poll = _EAGER_POLL if self._home.steady() - self._stirred_at < _EAGER else _POLL
        return poll if due is None else max(0.0, min(poll, due - self._home.clock() / SECOND))

    def _wanted(self, now: int, at: int) -> int:
        """How many messages to take now: none while nothing has changed since the queue was found empty."""
        seen = self._home.changes()
        self._changed, self._seen = seen != self._seen, seen
        if self._draining or not self._begins:
            return 0
        limits = self._home.limits
        room = limits.running - len(self._driver) if self._driver.size < limits.running_bytes else 0
        due = self._again is not None and now >= self._again
        if self._starved and not (self._changed or due) and self._checked_at != at:
            return 0
        return max(0, min(limits.batch, room, self._compute.room()))

    def _recheck(self, at: int) -> bool:
        if at - self._checked_at < _RECHECK:
            return False
        self._checked_at = at
        return True

    def _feed_now(self, at: int) -> bool:
        takes = self._begins and not self._draining
        if self._only is not None or not takes or at - self._fed_at < _FEEDING:
            return False
        self._fed_at = at
        return True

    def _log_now(self, at: int) -> bool:
        if at - self._logged_at < _LOGS:
            return False
        self._logged_at = at
        return True

    def _adopt(self, now: int, at: int) -> list[Execution]:
        """What others dropped, in front of what waits in the queue: more at once while there is more of it."""
        if self._draining or not (self._checked_at == at or self._adopting):
            return []
        limits = self._home.limits
        room = limits.running - len(self._driver) if self._driver.size < limits.running_bytes else 0
        adopted = self._home.journal.adopt(self._owner, at, room, self._only) if room > 0 else []
        self._adopting = room <= 0 or bool(adopted)
        left = room - len(adopted)
        if left > 0 and at - self._taken_up_at >= limits.lease // 2:
            self._taken_up_at = at
            adopted += take_up(self._home, self._owner, now, left, self._only)
        return adopted

    # ------------------------------------------------------------ the end

    def _drained(self) -> bool:
        """Nothing is at work here: what still runs only waits, for a time or an answer. Or it has taken too long."""
        self.progress.draining = True
        at, patience = self._home.steady(), self._home.limits.drain
        if self._drain_until is None and patience is not None:
            self._drain_until = at + patience
        if self._drain_until is not None and at >= self._drain_until:
            return True
        return not (self._pending or self._refused or self._compute.in_flight())

    def _idle(self) -> bool:
        """Nothing runs here, nothing waits anywhere, and nobody else's work may yet fall to us."""
        if len(self._driver) or self._pending or self._compute.in_flight():
            return False
        try:
            if self._begins and (self._home.queue.stirs() or self._home.campaigns.active()):
                return False
            if self._home.journal.running():
                return False
            return self._delivery_home is None or not self._deliveries_due()
        except StoreError as error:
            self.progress.trouble = str(error)
            self._left.wait(0.2)
            return False

    def _deliveries_due(self) -> bool:
        """Whether a delivery is due now or in a moment; one that was put off for longer is not waited for."""
        soon = self._home.clock() + _SOON
        due = [self._home.outbox.waiting(target)[1] for target in self._home.targets]
        return any(at is not None and at <= soon for at in due)

    def _expire(self) -> None:
        assert self._delivery_home is not None
        between = pause(self._delivery_home)
        while not self._left.is_set():
            with suppress(StoreError):
                expire(self._delivery_home, self._owner, lambda: not self._left.wait(_BREATH))
            self._left.wait(between)

    def _deliver(self, target: str) -> None:
        assert self._delivery_home is not None
        nudge = self._nudges[target]
        while not self._left.is_set():
            sent = 0
            with suppress(StoreError):
                sent = deliver(self._delivery_home, target, self._owner)
            if not sent:
                nudge.wait(0.2)
                nudge.clear()
