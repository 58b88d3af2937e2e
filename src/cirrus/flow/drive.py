"""Drive: fold events into executions, keep them in the journal, and carry out what the state machines ask for.

One `turn` is one transaction: everything it decides commits together, and only then do the states in memory change
and the tasks start. If it cannot commit, nothing has happened, and the same events are given again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from cirrus import asl
from cirrus.core.instant import SECOND
from cirrus.core.jsontext import fits_inline
from cirrus.core.payload_id import parse
from cirrus.errors import CirrusError, InvalidPayload
from cirrus.flow.attempt import Doing, attempt, attempt_id, attempt_log
from cirrus.flow.call import call, result
from cirrus.flow.conclude import concluded, failed
from cirrus.flow.departing import Departing
from cirrus.flow.fence import refused
from cirrus.flow.finished import Finished, finished
from cirrus.flow.gate import Gate
from cirrus.flow.given import NONE, Given
from cirrus.flow.home import Home
from cirrus.flow.nest import DEEPEST, Level, Nest, Path, read_path, show_path
from cirrus.flow.process import Begun
from cirrus.flow.replay import fold, journal_entry
from cirrus.flow.result import Result, Started, Waits, Wanted, as_value, carried, failure, inline
from cirrus.flow.startup import context, described, ended_call, level
from cirrus.flow.timers import Setbacks, Timers
from cirrus.flow.turn import Input, Overtaken, Running, Turn
from cirrus.ports.callbacks import Answer, Waiting
from cirrus.ports.compute import Attempt, Compute, Outcome
from cirrus.ports.journal import AttemptLog
from cirrus.ports.state_db import Conclusion, Execution

TAKEN = b"finished in the execution that this one continues; not run again\n"
_STEP = "a step of its history"


class Driver:
    """The executions of one control process; `sourced` are the tasks that are told what an execution was given."""

    def __init__(
        self, home: Home, compute: Compute, tasks: Collection[str], owner: str, *, sourced: Collection[str] = ()
    ) -> None:
        self._home = home
        self._sourced = frozenset(sourced)
        self._compute = compute
        self._tasks = frozenset(tasks)
        self._owner = owner
        self._running: dict[str, Running] = {}
        self._doing: dict[str, Doing] = {}
        self._gate = Gate(home, owner)
        self._departing = Departing()
        self._size = 0
        self._timers = Timers()
        self._machines: dict[bytes, asl.Machine] = {}
        self._finished: dict[str, Finished] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def size(self) -> int:
        """How many bytes the payloads of attempts have that wait or are under way."""
        return self._size

    def held_back(self, at: int, changed: bool) -> bool:
        """Whether attempts at limited tasks wait that may have room now."""
        return bool(self._gate) and (changed or (self._gate.again is not None and at >= self._gate.again))

    def next_timer(self) -> float | None:
        """When the next timer is due, in seconds since the epoch."""
        return self._timers.next()

    # ------------------------------------------------------------ one turn

    def decide(self, now: int, *, adopted: Sequence[Execution] = (), outcomes: Sequence[Outcome] = ()) -> Turn:
        """What these and the due timers lead to; mostly thought alone, before the store is asked for anything."""
        turn = Turn()
        self._drop({one.execution_id for one in adopted})  # some were ours before, and taken over unnoticed
        self._timers.follow(now / SECOND)
        for execution in adopted:
            self._adopt(turn, execution, now)
        for outcome in outcomes:
            self._outcome(turn, outcome, now)
        for key in self._timers.due(now / SECOND):
            fired = asl.TimerFired(now / SECOND, self._home.chance(), key[2])
            turn.timers.setdefault(key, None)
            self._feed(turn, key[0], Input(key[1], fired))
        return turn

    def write(
        self,
        turn: Turn,
        now: int,
        *,
        begun: Sequence[Begun] = (),
        outcomes: Sequence[Outcome] = (),
        answers: Sequence[Answer] = (),
    ) -> None:
        """Decide what these lead to as well, and write it all; inside the caller's group, which Overtaken undoes."""
        for one in begun:
            self._begin(turn, one, now)
        for answer in answers:
            self._answered(turn, answer, now)
        self._write(turn, now)
        if self._home.throttle.tasks:
            turn.granted = self._gate.reserve(self._starting(turn), {one.id for one in outcomes}, self._home.steady())

    def _starting(self, turn: Turn) -> list[Attempt]:
        return [one for doing, one in turn.start.values() if doing.execution_id not in turn.ended]

    def _write(self, turn: Turn, now: int) -> None:
        lost = self._home.journal.append(self._owner, turn.entries)
        if lost:
            told = [turn.staged[key] for key in sorted(lost)]
            raise Overtaken(lost, [refused(one.payload_id, one.execution_id, _STEP, now) for one in told])
        ends = list(turn.ended.values())
        granted = self._home.state_db.conclude(ends)
        late = [end for end, good in zip(ends, granted, strict=True) if not good]
        if late:
            events = [refused(end.payload_id, end.execution_id, f"its end {end.state}", now) for end in late]
            raise Overtaken([end.execution_id for end in late], events)
        for end in ends:
            running = turn.staged.get(end.execution_id)
            if running is not None and running.waits:
                self._home.callbacks.close(end.execution_id)
        if turn.logs:
            self._home.journal.log(turn.logs)

    def apply(self, turn: Turn, outcomes: Sequence[Outcome]) -> None:
        """Make a committed turn true in memory and start what it asks for."""
        came = [outcome.id for outcome in outcomes]
        for one in came:
            if one not in self._departing.ids:
                self._forget(one)
        gone = turn.ended.keys()
        for execution_id, staged in turn.staged.items():
            if execution_id not in gone:
                self._running[execution_id] = staged
        for key, due in turn.timers.items():
            if due is None:
                self._timers.cancel(key)
            elif key[0] not in gone:
                self._timers.set(key, due)
        self._stop({f"{execution_id}:{place}" for execution_id, place in turn.stop})
        self._drop(gone)
        starting: list[Attempt] = []
        for one, (doing, begins) in turn.start.items():
            if doing.execution_id not in gone:
                self._doing[one] = doing
                self._size += len(begins.payload)
                starting.append(begins)
        admitted = self._gate.admit(starting, set(came), turn.granted)
        self._compute.submit(self._departing.back(came) + self._departing.hold(admitted))

    def drop(self, execution_ids: Iterable[str]) -> None:
        """Let go of executions that someone else has ended or taken over, and stop their tasks."""
        self._drop(set(execution_ids))

    def keep(self, execution_ids: Collection[str]) -> None:
        """Let go of all executions but these, and stop their tasks."""
        self._drop(self._running.keys() - set(execution_ids))

    def _drop(self, gone: Collection[str]) -> None:
        for key in gone:
            self._finished.pop(key, None)
        live = {key for key in gone if self._running.pop(key, None) is not None}
        if live:
            self._timers.drop(live)
            for key in [key for key, doing in self._doing.items() if doing.execution_id in live]:
                self._cancel(key)

    def _stop(self, places: Collection[str]) -> None:
        """Stop the attempts at some places, and those of the executions that were started from there."""
        if places:
            for key in [key for key in self._doing if any(place in places for place in _upwards(key))]:
                self._cancel(key)

    def _cancel(self, key: str) -> None:
        if self._forget(key) and not self._gate.drop(key) and not self._departing.drop(key):
            self._departing.add(key)
            self._compute.cancel(key)

    def _forget(self, key: str) -> bool:
        doing = self._doing.pop(key, None)
        self._size -= len(doing.wanted.payload) if doing else 0
        return doing is not None

    # ------------------------------------------------------------ what comes in

    def _begin(self, turn: Turn, begun: Begun, now: int) -> None:
        try:
            if begun.fault is not None:
                raise begun.fault
            root = Level(self._machine(begun.definition), begun.workflow, begun.execution_id)
            value = asl.Text(begun.input) if fits_inline(begun.input) else inline(self._home, begun.input)
            if not begun.fresh:
                self._continue(begun)
        except CirrusError as error:
            self._cannot_start(turn, begun, error, now)
            return
        nest = Nest({(): root})
        who = (begun.execution_id, begun.payload_id, begun.workflow)
        turn.staged[begun.execution_id] = Running(*who, nest, given=self._given(begun.input))
        event = asl.Start(now / SECOND, self._home.chance(), value, context(begun.workflow, begun.execution_id, now))
        self._feed(turn, begun.execution_id, Input((), event))

    def _given(self, text: bytes) -> Given:
        return Given(text) if self._sourced else NONE

    def _continue(self, begun: Begun) -> None:
        """Find what an execution takes over from an earlier one that it continues."""
        found = finished(self._home, begun, self._tasks)
        if found is not None:
            self._finished[begun.execution_id] = found

    def _cannot_start(self, turn: Turn, begun: Begun, error: Exception, now: int) -> None:
        who = (self._home, begun.payload_id, begun.workflow, begun.execution_id)
        turn.ended[begun.execution_id] = failed(*who, "FAILED", "Cirrus.CannotStart", str(error), now)

    def _adopt(self, turn: Turn, execution: Execution, now: int) -> None:
        workflow = parse(execution.payload_id).workflow
        who = (execution.execution_id, execution.payload_id, workflow)
        begun = Begun(*who, execution.input, execution.definition)
        entries = self._home.journal.read(execution.execution_id)
        if not entries:
            self._begin(turn, begun, now)
            return
        setbacks = Setbacks()
        try:
            nest = fold(self._machine, begun, entries, setbacks)
            self._continue(begun)
        except Exception as error:  # a damaged history ends its own execution, and holds up no other
            reason = CirrusError(f"its history cannot be replayed: {type(error).__name__}: {error}")
            self._cannot_start(turn, begun, reason, now)
            return
        setbacks.follow(now / SECOND)
        turn.staged[execution.execution_id] = Running(*who, nest, len(entries), given=self._given(execution.input))
        for path, state in nest.states.items():
            for command in asl.pending(state):
                if isinstance(command, asl.SetTimer):
                    command = replace(command, at=command.at - setbacks.since(path, command.ref))
                if (*path, command.ref) not in nest.levels:
                    self._carry_out_and_feed(turn, execution.execution_id, path, command, now / SECOND)

    def _machine(self, definition: bytes) -> asl.Machine:
        if definition not in self._machines:
            if len(self._machines) > 200:
                self._machines.clear()
            self._machines[definition] = asl.parse(definition)
        return self._machines[definition]

    def _outcome(self, turn: Turn, outcome: Outcome, now: int) -> None:
        doing = self._doing.get(outcome.id)
        if doing is None or doing.execution_id not in self._running or outcome.id in self._departing.ids:
            return
        if outcome.log or outcome.error:
            times = round(outcome.started * SECOND), round(outcome.ended * SECOND)
            turn.logs.append(attempt_log(doing, outcome.log, *times, outcome.error))
        came = result(self._home, doing.wanted, outcome.output, outcome.error, outcome.cause)
        if doing.wanted.waits and came.error is None:
            self._called(turn, doing.execution_id, doing.path, doing.command, came.output, now / SECOND)
        else:
            self._feed(turn, doing.execution_id, self._came(doing.path, doing.command.ref, came, now / SECOND))

    def _answered(self, turn: Turn, answer: Answer, now: int) -> None:
        *path, ref = read_path(answer.place)
        at, seed = now / SECOND, self._home.chance()
        if answer.kind == "heartbeat":
            self._feed(turn, answer.execution_id, Input(tuple(path), asl.TaskHeartbeat(at, seed, ref)))
            return
        came = Result(error=answer.error or "", cause=answer.cause)
        if answer.kind == "success":
            came = Result(carried(answer.output or b"null"))
        self._feed(turn, answer.execution_id, self._came(tuple(path), ref, came, at))

    def _came(self, path: Path, ref: int, came: Result, at: float) -> Input:
        if came.error is None:
            return Input(path, asl.TaskSucceeded(at, self._home.chance(), ref, came.output))
        return Input(path, asl.TaskFailed(at, self._home.chance(), ref, came.error, came.cause))

    # ------------------------------------------------------------ folding

    def _feed(self, turn: Turn, execution_id: str, first: Input) -> None:
        """Step the execution with an event, and with everything that is answered at once because of it."""
        pending = [first]
        while pending and execution_id not in turn.ended:
            running = turn.staged.get(execution_id) or self._running.get(execution_id)
            if running is None:
                return
            given = pending.pop(0)
            turn.entries.append(
                journal_entry(execution_id, running.seq, given.path, given.event, given.definition, given.more)
            )
            if given.path:
                running = self._entered(running, given)
            try:
                nest, commands = running.nest.step(given.path, given.event)
            except Exception as error:
                nest, commands = _broken(error), ()
            turn.staged[execution_id] = running.after(nest)
            for command in commands:
                pending += self._carry_out(turn, running, given.path, command, given.event.at)
            if nest.over is not None and nest.done:
                turn.ended[execution_id] = self._conclusion(turn, running, nest.over, round(given.event.at * SECOND))

    def _entered(self, running: Running, given: Input) -> Running:
        """The same with the execution that begins with this event, if one does."""
        if not isinstance(given.event, asl.Start):
            return running
        begins = level(self._machine(given.definition or b""), given.more or {}, given.event)
        return running._replace(nest=running.nest.enter(given.path, begins))

    def _carry_out_and_feed(self, turn: Turn, execution_id: str, path: Path, command: Any, at: float) -> None:
        running = turn.staged[execution_id]
        for given in self._carry_out(turn, running, path, command, at):
            self._feed(turn, execution_id, given)

    def _carry_out(self, turn: Turn, running: Running, path: Path, command: Any, at: float) -> list[Input]:
        """Do what a command asks for; gives what is answered at once."""
        match command:
            case asl.RunTask() | asl.ReadItems() | asl.WriteResults():
                return self._run(turn, running, path, command, at)
            case asl.SetTimer():
                if not self._limited(turn, running, path, command):
                    turn.timers[running.execution_id, path, command.ref] = command.at
            case asl.CancelTimer():
                turn.timers[running.execution_id, path, command.ref] = None
            case asl.CancelTask():
                self._cancel_task(turn, running, path, command)
            case asl.End() if path:
                return self._level_ended(running, path, command, at)
        return []

    @staticmethod
    def _limited(turn: Turn, running: Running, path: Path, command: asl.SetTimer) -> bool:
        """Whether it is the time limit of an attempt: the compute keeps it, which knows when the attempt begins."""
        if command.task is None:
            return False
        doing, _ = turn.start.get(attempt_id(running.execution_id, path, command.task), (None, None))
        return doing is not None and not doing.wanted.waits

    def _cancel_task(self, turn: Turn, running: Running, path: Path, command: asl.CancelTask) -> None:
        place = show_path((*path, command.ref))
        first = attempt_id(running.execution_id, path, command.ref)
        turn.start.pop(first, None)
        if len(running.nest.levels) > 1:
            for key in [key for key in turn.start if key.startswith(f"{first}.")]:
                del turn.start[key]
        turn.stop.append((running.execution_id, place))
        self._home.callbacks.close(running.execution_id, [place])

    def _level_ended(self, running: Running, path: Path, end: asl.End, at: float) -> list[Input]:
        """A started execution is over: the answer to the state that waits for it."""
        one = running.nest.levels[path]
        try:
            end = replace(end, output=as_value(end.output))
        except InvalidPayload as error:
            end = asl.End("FAILED", None, "InvalidOutput", str(error))
        came = ended_call(one, end, at)
        return [] if came is None else [self._came(path[:-1], path[-1], came, at)]

    def _run(self, turn: Turn, running: Running, path: Path, command: Any, at: float) -> list[Input]:
        token = getattr(command, "token", None)
        made = call(self._home, command, running.payload_id, self._tasks)
        if token is not None and not isinstance(made, Result):
            turn.staged[running.execution_id] = turn.staged[running.execution_id]._replace(waits=True)
            activity = (made.activity, made.input) if isinstance(made, Waits) else (None, None)
            place = show_path((*path, command.ref))
            if not self._home.callbacks.open(Waiting(token, running.execution_id, place, *activity)):
                return []
        match made:
            case Wanted():
                doing = Doing(running.execution_id, path, command, made)
                known = self._known(turn, doing, at) if self._finished else None
                if known is not None:
                    return [self._came(path, command.ref, known, at)]
                key = attempt_id(running.execution_id, path, command.ref)
                sources = running.given.sources() if made.task in self._sourced else None
                turn.start[key] = (doing, attempt(key, running.payload_id, running.workflow, doing, sources))
            case Result():
                return [self._came(path, command.ref, made, at)]
            case Waits(activity=None):
                self._called(turn, running.execution_id, path, command, made.output, at)
            case Started():
                return self._start(path, command, made, at)
        return []

    def _known(self, turn: Turn, doing: Doing, at: float) -> Result | None:
        """The result of a step that an earlier execution has finished, for one that continues it."""
        earlier = self._finished.get(doing.execution_id)
        if earlier is None or doing.wanted.job is not None or doing.wanted.waits:
            return None
        known = earlier.take(doing.command.state, doing.wanted)
        if known is not None:
            now = round(at * SECOND)
            turn.logs.append(attempt_log(doing, TAKEN, now, now, None))
        return known

    def _called(self, turn: Turn, execution_id: str, path: Path, command: asl.RunTask, output: Any, at: float) -> None:
        """The call that hands out a token was made; the state waits on."""
        if command.token is not None:
            self._home.callbacks.called(command.token)
        submitted = asl.TaskSubmitted(at, self._home.chance(), command.ref, output)
        self._feed(turn, execution_id, Input(path, submitted))

    def _start(self, path: Path, command: asl.RunTask, made: Started, at: float) -> list[Input]:
        """Begin another state machine; the state that asked goes on at once unless it waits for the end."""
        below = (*path, command.ref)
        if len(below) > DEEPEST:
            message = f"executions are nested more than {DEEPEST} deep"
            return [self._came(path, command.ref, failure("StepFunctions.ExecutionLimitExceeded", message), at)]
        now = round(at * SECOND)
        event = asl.Start(at, self._home.chance(), made.input, context(made.workflow, made.name, now))
        more = {"wf": made.workflow, "nm": made.name, "kd": made.kind}
        begins = Input(below, event, made.definition, more)
        if ".sync" in made.kind or made.kind.endswith(".waitForTaskToken"):
            return [begins]
        return [begins, self._came(path, command.ref, Result(described(made, at)), at)]

    def _conclusion(self, turn: Turn, running: Running, end: asl.End | None, now: int) -> Conclusion:
        assert end is not None
        who = (self._home, running.payload_id, running.workflow, running.execution_id)
        step = None if end.status == "SUCCEEDED" else self._failed_step(turn, running.execution_id)
        return concluded(*who, end.status, end.output, end.error, end.cause, now, step)

    def _failed_step(self, turn: Turn, execution_id: str) -> str | None:
        """The state whose attempt failed last: what led to the end, in most workflows."""
        logs = (log for log in reversed(turn.logs) if log.execution_id == execution_id and log.error is not None)
        found = next(logs, None)
        return self._home.journal.last_failed(execution_id) if found is None else found.state

    def logs(self, now: int) -> list[AttemptLog]:
        """What the attempts in flight have printed since the last call."""
        printed = self._compute.running_logs()
        doing = (
            (self._doing.get(key), text) for key, text in printed.items() if text and key not in self._departing.ids
        )
        return [attempt_log(one, text, now, None, None) for one, text in doing if one is not None]


def _broken(error: Exception) -> Nest:
    """The nest whose next step the engine could not take."""
    message = f"the engine could not go on ({type(error).__name__}: {error}); please report this"
    return Nest({}, over=asl.End("FAILED", None, "States.Runtime", message))


def _upwards(key: str) -> Iterable[str]:
    """The key of an attempt, then those of the attempts that started the executions it is in."""
    while key:
        yield key
        key = key.rpartition(".")[0]
