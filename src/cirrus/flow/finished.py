"""Finished steps: what the tasks of an earlier execution returned, for one that continues it at the step that failed.

A step is taken as finished where the same task is called in the same state with the same input. What was set anew for
other tasks makes no difference; what was set for the task itself, or comes from a step that ran again, does.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection
from typing import Any

import orjson

from cirrus import asl
from cirrus.core.jsontext import decode, encode
from cirrus.core.payload import CONTINUE_FROM as FIELD
from cirrus.core.payload_id import parse
from cirrus.errors import CirrusError, InvalidPayload
from cirrus.flow.call import task_call
from cirrus.flow.home import Home
from cirrus.flow.nest import Level, Nest, Path
from cirrus.flow.process import Begun
from cirrus.flow.replay import events
from cirrus.flow.result import Result, Wanted, inline, text_of
from cirrus.flow.startup import level

_MARK = b'"continue_from"'
_OWN = frozenset({"replace", FIELD, "tasks"})


class Finished:
    """The outputs of finished steps by what they were given; each is taken once, in the order in which they came."""

    def __init__(self, home: Home, tasks: Collection[str]) -> None:
        self._home = home
        self._tasks = frozenset(tasks)
        self._outputs: dict[bytes, deque[Any]] = {}

    def add(self, state: str, call: Wanted, output: Any) -> None:
        """A step of the earlier execution has finished."""
        self._outputs.setdefault(self._key(state, call), deque()).append(output)

    def take(self, state: str, call: Wanted) -> Result | None:
        """What the same step returned, with the process definitions of the new call; None if it has not finished."""
        found = self._outputs.get(self._key(state, call))
        if not found:
            return None
        document = decode(text_of(self._home, found.popleft()))
        if isinstance(document, dict) and "process" in document:
            document["process"] = decode(call.payload).get("process", document["process"])
        return Result(inline(self._home, encode(document)))

    def _key(self, state: str, call: Wanted) -> bytes:
        given = self._effective(decode(call.payload), call.task)
        text = orjson.dumps([state, call.task, given], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).digest()

    def _effective(self, given: Any, task: str) -> Any:
        """What of a task's input it can depend on: not how the payload was queued, nor what is set for other tasks."""
        process = given.get("process") if isinstance(given, dict) else None
        if not (isinstance(process, list) and process and isinstance(process[0], dict)):
            return given
        first = {name: value for name, value in process[0].items() if name not in _OWN}
        tasks = process[0].get("tasks")
        others = self._tasks - {task}
        own = {name: value for name, value in tasks.items() if name not in others} if isinstance(tasks, dict) else tasks
        return {**given, "process": [first, own or {}, *process[1:]]}


def finished(home: Home, begun: Begun, tasks: Collection[str]) -> Finished | None:
    """The finished steps that an execution may take over; None if it continues no other.

    InvalidPayload where the other is none of this payload's, or is not kept any more.
    """
    if _MARK not in begun.input:
        return None
    earlier = decode(begun.input)["process"][0].get(FIELD)
    if not isinstance(earlier, str):
        return None
    execution = home.state_db.execution(earlier)
    if execution is None or execution.payload_id != begun.payload_id:
        raise InvalidPayload(f"process[0].{FIELD}: {earlier} is no execution of this payload that is kept")
    found = Finished(home, tasks)
    old = Begun(earlier, begun.payload_id, parse(begun.payload_id).workflow, execution.input, execution.definition)
    _gather(found, home, old, tasks)
    return found


def _gather(found: Finished, home: Home, old: Begun, tasks: Collection[str]) -> None:
    entries = home.journal.read(old.execution_id)
    if not entries:
        raise InvalidPayload(f"process[0].{FIELD}: the history of {old.execution_id} is not kept any more")
    nest = Nest({(): Level(asl.parse(old.definition), old.workflow, old.execution_id)})
    asked: dict[tuple[Path, int], tuple[str, Wanted]] = {}
    for path, event, entry, fields in events(entries, old):
        if isinstance(event, asl.TaskSucceeded) and (path, event.ref) in asked:
            found.add(*asked.pop((path, event.ref)), event.output)
        if path and isinstance(event, asl.Start):
            nest = nest.enter(path, level(asl.parse(entry.body or b""), fields, event))
        nest, commands = nest.step(path, event)
        for command in commands:
            call = _call(home, command, tasks)
            if call is not None:
                asked[path, command.ref] = command.state, call


def _call(home: Home, command: Any, tasks: Collection[str]) -> Wanted | None:
    try:
        return task_call(home, command, tasks) if isinstance(command, asl.RunTask) else None
    except CirrusError:  # its input is not kept any more: it runs again
        return None
