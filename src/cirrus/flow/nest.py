"""A nest of executions: a state machine, and those that it started with states:startExecution, each at its path.

The root's path is (); the execution that the command `ref` of the one at `path` started is at (*path, ref). All of
them share one journal, so that the nest is the fold of it. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cirrus import asl

Path = tuple[int, ...]
DEEPEST = 10
NOTHING: Mapping[Path, asl.Snapshot] = {}
_new = tuple.__new__  # for what every step makes: a named tuple's own constructor takes three times as long


class Level(NamedTuple):
    """One execution of the nest; `kind` is how it was started, `started` when, in seconds since the epoch."""

    machine: asl.Machine
    workflow: str
    name: str
    kind: str = ""
    started: float = 0.0
    input: Any = None


class Nest(NamedTuple):
    """The executions by path, and where each is, once it has begun; `over` is the root's end, once it has come."""

    levels: Mapping[Path, Level]
    states: Mapping[Path, asl.Snapshot] = NOTHING
    over: asl.End | None = None

    @property
    def done(self) -> bool:
        """Whether the root and everything that it started have ended."""
        return self.over is not None and len(self.levels) <= 1

    def enter(self, path: Path, level: Level) -> Nest:
        """The nest with one more execution, not yet begun."""
        return Nest({**self.levels, path: level}, self.states, self.over)

    def step(self, path: Path, event: Any) -> tuple[Nest, Sequence[Any]]:
        """The nest after an event of one execution, and what that asks for; an unknown path changes nothing."""
        level = self.levels.get(path)
        if level is None:
            return self, ()
        state, commands = asl.step(level.machine, self.states.get(path), event)
        states = {path: state} if len(self.levels) == 1 else {**self.states, path: state}
        nest: Nest = _new(Nest, (self.levels, states, self.over))
        for command in commands:
            if command.__class__ is asl.RunTask:  # nearly always
                continue
            if isinstance(command, asl.End):
                nest = nest.without(path) if path else Nest(nest.levels, nest.states, command)
            elif isinstance(command, asl.CancelTask):
                nest = nest.without((*path, command.ref))
        return nest, commands

    def without(self, path: Path) -> Nest:
        """The nest without an execution and what that one started and waits for."""
        if path not in self.levels:
            return self
        left = {one: level for one, level in self.levels.items() if not _below(one, path, self.levels)}
        return Nest(left, {one: state for one, state in self.states.items() if one in left}, self.over)


def _below(one: Path, path: Path, levels: Mapping[Path, Level]) -> bool:
    """Whether `one` is `path`, or was started from it by a call that waits for the end."""
    if one[: len(path)] != path:
        return False
    between = [levels.get(one[:depth]) for depth in range(len(path) + 1, len(one) + 1)]
    return all(level is not None and ".sync" in level.kind for level in between)


def show_path(path: Path) -> str:
    """A path as text."""
    return ".".join(map(str, path))


def read_path(text: str) -> Path:
    """The path of a text."""
    return tuple(int(part) for part in text.split(".")) if text else ()
