"""A compiled state whose every stage of input and output processing is written down as it happens.

The stages are the engine's own closures with a note taken around each, so that what is shown is what happened. A stage
that the state leaves out passes its data on, and is noted too where Step Functions shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cirrus.asl.definition import (
    Assign,
    Catcher,
    ChoiceState,
    Evaluate,
    MapState,
    ParallelState,
    PassState,
    Place,
    Scope,
    State,
)
from cirrus.asl.failure import Failure
from cirrus.errors import CirrusError

WITH_PARAMETERS = ("Task", "Pass", "Parallel")
WITH_RESULT = ("Task", "Pass", "Parallel", "Map")
NOTHING = object()
INNER = "\0inner"


class BadMock(CirrusError):  # the one who mocks is told
    """The mock does not fit the state."""


@dataclass(frozen=True, slots=True)
class Mocked:
    """What a state's task, or the whole of a Map or Parallel, gives or fails with."""

    result: Any = NOTHING
    error: str | None = None
    cause: str | None = None


@dataclass(slots=True)
class Notes:
    """What was seen of one state: its stages in order, the error it caught, its Map's children."""

    stages: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    cause: str | None = None
    children: dict[int, Any] = field(default_factory=dict)

    def note(self, stage: str, value: Any) -> Any:
        """Write a stage down and give its value on."""
        self.stages[stage] = value
        return value


def find_state(scope: Scope, name: str) -> State | None:
    """The state of a name anywhere in a machine."""
    return next((state for state in all_states(scope) if state.name == name), None)


def all_states(scope: Scope) -> Iterator[State]:
    """Every state of a machine, those of branches and processors too."""
    stack = [scope]
    while stack:
        for state in stack.pop().states.values():
            yield state
            if isinstance(state, ParallelState):
                stack.extend(state.branches)
            elif isinstance(state, MapState) and state.processor is not None:
                stack.append(state.processor)


def spied(state: State, notes: Notes, mock: Mocked | None, whole: Any = NOTHING) -> State:
    """The state with notes taken at each stage; `whole` takes the place of a task's result."""
    changes: dict[str, Any] = {}
    if state.jsonata:
        changes |= _jsonata(state, notes, whole)
    elif state.type != "Fail":
        changes |= _jsonpath(state, notes, whole)
    changed = replace(state, **changes, catch=tuple(_catcher(one, notes) for one in state.catch))
    if isinstance(changed, MapState):
        return _map(changed, notes, mock)
    if isinstance(changed, ParallelState):
        return _parallel(changed, notes, mock)
    return changed


def _jsonpath(state: State, notes: Notes, whole: Any) -> dict[str, Any]:
    changes: dict[str, Any] = {"read": _noted(state.read, notes, "afterInputPath")}
    if state.type in WITH_PARAMETERS:
        changes["shape"] = _noted(state.shape, notes, "afterParameters")
    if state.type in WITH_RESULT:
        changes["select"] = _select(state, notes, whole)
        changes["place"] = _place(state.place, notes)
    if state.assign is not None and whole is not NOTHING:
        changes["assign"] = replace(state.assign, evaluate=_instead(state.assign.evaluate, whole))
    return changes


def _jsonata(state: State, notes: Notes, whole: Any) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if state.type in ("Task", "Parallel"):
        changes["shape"] = _noted(state.shape, notes, "afterArguments")
    if state.type in ("Task", "Parallel", "Map"):
        write = state.write

        def output(data: Any, env: Any) -> Any:
            if whole is not NOTHING:
                env.result = whole
            notes.note("result", env.result)
            return env.result if write is None else write(data, env)

        changes["write"] = output
    return changes


def _noted(find: Evaluate | None, notes: Notes, stage: str) -> Evaluate:
    return lambda data, env: notes.note(stage, data if find is None else find(data, env))


def _instead(find: Evaluate, whole: Any) -> Evaluate:
    return lambda data, env: find(whole, env)


def _select(state: State, notes: Notes, whole: Any) -> Evaluate:
    select = state.select

    def chosen(data: Any, env: Any) -> Any:
        result = notes.note("result", data if whole is NOTHING else whole)
        selected = result if select is None else select(result, env)
        return selected if state.type == "Pass" else notes.note("afterResultSelector", selected)

    return chosen


def _place(place: Place | None, notes: Notes) -> Place:
    return lambda given, result: notes.note("afterResultPath", result if place is None else place(given, result))


def _catcher(catcher: Catcher, notes: Notes) -> Catcher:
    evaluate = None if catcher.assign is None else catcher.assign.evaluate

    def assigned(data: Any, env: Any) -> Any:
        notes.error, notes.cause = data["Error"], data["Cause"] or None
        return {} if evaluate is None else evaluate(data, env)

    return replace(catcher, assign=Assign(assigned, 0 if catcher.assign is None else catcher.assign.parts))


def _fail(find: Evaluate | None, mock: Mocked, default: Any) -> Evaluate:
    """A stage that fails the state as its mock says."""

    def failing(data: Any, env: Any) -> Any:
        if mock.error is not None:
            raise Failure(mock.error, mock.cause, placed=False)
        return default(data) if find is None else find(data, env)

    return failing


def _parallel(state: ParallelState, notes: Notes, mock: Mocked | None) -> State:
    if mock is None:
        return state
    scopes = tuple(_answering(notes, mock, len(state.branches)) for _ in state.branches)
    return replace(state, shape=_fail(state.shape, mock, lambda data: data), branches=scopes)


def _map(state: MapState, notes: Notes, mock: Mocked | None) -> State:
    stage = "afterItems" if state.jsonata else "afterItemsPath"
    changes: dict[str, Any] = {"items": _noted(state.items, notes, stage)}
    numbers = (
        ("concurrency", "maxConcurrency"),
        ("tolerated_count", "toleratedFailureCount"),
        ("tolerated_percentage", "toleratedFailurePercentage"),
    )
    for name, shown in numbers:
        find = getattr(state, name)
        if find is not None:
            changes[name] = _noted(find, notes, shown)
    if state.item is not None:
        changes["item"] = _selector(state.item, notes)
    if mock is not None:
        changes["concurrency"] = _fail(changes.get("concurrency"), mock, lambda data: 0)
        count = None if not isinstance(mock.result, list) else len(mock.result)
        changes["processor"] = _answering(notes, mock, count)
    elif state.batcher is not None and state.processor is not None:
        changes["processor"] = _entered(state.processor, notes)
    return replace(state, **changes)


def _selector(find: Evaluate, notes: Notes) -> Evaluate:
    def select(data: Any, env: Any) -> Any:
        found = find(data, env)
        notes.stages.setdefault("afterItemSelector", []).append(found)
        return found

    return select


def _answering(notes: Notes, mock: Mocked, count: int | None) -> Scope:
    """A branch or processor that gives its part of a mocked result."""

    def part(data: Any, env: Any) -> Any:
        at = env.branch.index
        notes.children[at] = data
        if count is None:
            return data
        if not isinstance(mock.result, list) or at >= len(mock.result):
            raise BadMock(
                f"the mocked result must hold an element for each of the state's children, also for child {at}"
            )
        return mock.result[at]

    return Scope(INNER, {INNER: _pass(part, None)})


def _entered(processor: Scope, notes: Notes) -> Scope:
    """The processor itself, its inputs noted."""

    def enter(data: Any, env: Any) -> Any:
        notes.children[env.branch.index] = data
        return data

    return Scope(INNER, {**processor.states, INNER: _pass(enter, processor.start)})


def _pass(shape: Evaluate, target: str | None) -> PassState:
    return PassState(name=INNER, type="Pass", next=target, jsonata=False, shape=shape)


def redirected(state: State, away: Callable[[str, str], str]) -> State:
    """The state with each of its ways leading to `away(kind, target)`; the kind of a Catch is its index."""
    changes: dict[str, Any] = {"catch": tuple(_way(one, away, at) for at, one in enumerate(state.catch))}
    if state.next is not None:
        changes["next"] = away("", state.next)
    if isinstance(state, ChoiceState):
        changes["rules"] = tuple(replace(rule, next=away("", rule.next)) for rule in state.rules)
        changes["default"] = None if state.default is None else away("", state.default)
    return replace(state, **changes)


def _way(catcher: Catcher, away: Callable[[str, str], str], at: int) -> Catcher:
    return replace(catcher, next=away(str(at), catcher.next))


def ways(state: State) -> Mapping[str, State]:
    """The states that a redirected one may lead to, each an end."""
    targets = [one.next for one in state.catch]
    targets += [state.next] if state.next is not None else []
    if isinstance(state, ChoiceState):
        targets += [rule.next for rule in state.rules]
        targets += [state.default] if state.default is not None else []
    return {name: State(name=name, type="Succeed", next=None, jsonata=False) for name in targets}
