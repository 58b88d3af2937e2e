"""Lineage: what an Item was made from, by which tasks, and what was made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.function_name import function_name
from cirrus.core.instant import iso
from cirrus.core.jsontext import decode
from cirrus.core.payload_id import parse
from cirrus.core.publication import SOFTWARE, output_items, output_url
from cirrus.errors import NotFound
from cirrus.flow.home import Home
from cirrus.flow.query import history
from cirrus.ports.state_db import Execution, ItemRef, ItemUse, item_refs


@dataclass(frozen=True, slots=True)
class Step:
    """A Task state that an execution went through: the task that it called, and how often it was tried."""

    state: str
    task: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Making:
    """An execution, as the maker of an Item; `software` is what the Item says of names and versions."""

    payload_id: str
    workflow: str
    execution_id: str
    attempt: int
    status: str
    stopped: int | None
    steps: tuple[Step, ...]
    software: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "payload_id": self.payload_id,
            "workflow": self.workflow,
            "execution": self.execution_id,
            "attempt": self.attempt,
            "status": self.status,
            "ended": None if self.stopped is None else iso(self.stopped),
            "tasks": [{"state": one.state, "task": one.task, "attempts": one.attempts} for one in self.steps],
            "software": dict(self.software),
        }


@dataclass(frozen=True, slots=True)
class Origin:
    """An Item and how it came about; no `made_by` where it came from outside, or was looked for no deeper."""

    item: ItemRef
    href: str | None = None
    made_by: Making | None = None
    sources: tuple[Origin, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        told: dict[str, Any] = {"item": self.item.id, "collection": self.item.collection or None, "href": self.href}
        if self.made_by is not None:
            told |= {"made_by": self.made_by.to_json(), "from": [one.to_json() for one in self.sources]}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Descent:
    """A payload that was given an Item, how it stands, and what it made."""

    payload_id: str
    state: str
    made: tuple[tuple[ItemRef, tuple[Descent, ...]], ...]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "payload_id": self.payload_id,
            "state": self.state,
            "made": [
                {"item": item.id, "collection": item.collection or None, "used_by": [one.to_json() for one in below]}
                for item, below in self.made
            ],
        }


def origin(home: Home, item_id: str, *, collection: str | None = None, depth: int = 5) -> Origin:
    """How the Item of an id came about; NotFound where nothing here made or was given one."""
    made = _made(home, item_id, collection)
    if made is not None:
        return _origin(home, made, depth, frozenset())
    given = [use for use in home.state_db.uses(item_id, made=False) if collection in {None, use.item.collection}]
    if not given:
        raise NotFound("Item", item_id, f"nothing in {home.name} made it or was given it")
    return Origin(given[0].item)


def descent(home: Home, item_id: str, *, collection: str | None = None, depth: int = 5) -> tuple[Descent, ...]:
    """What was made from the Items of an id, each payload once."""
    return tuple(_descent(home, item_id, collection, depth, frozenset()))


def _made(home: Home, item_id: str, collection: str | None, other_than: frozenset[str] = frozenset()) -> ItemUse | None:
    """The last use that made an Item, one that still stands before one that was replaced."""
    uses = [
        use
        for use in home.state_db.uses(item_id, made=True)
        if collection in {None, use.item.collection} and use.execution_id not in other_than
    ]
    return next((use for use in uses if use.current), uses[0] if uses else None)


def _origin(home: Home, made: ItemUse, depth: int, above: frozenset[str]) -> Origin:
    execution = home.state_db.execution(made.execution_id, made.payload_id)
    if execution is None:
        return Origin(made.item)
    item = _output(execution, made.item)
    making = _making(home, execution, item)
    sources = [_source(home, ref, href, depth - 1, above | {made.execution_id}) for ref, href in _inputs(execution)]
    return Origin(made.item, output_url(item), making, tuple(sources))


def _source(home: Home, ref: ItemRef, href: str | None, depth: int, above: frozenset[str]) -> Origin:
    made = _made(home, ref.id, ref.collection, above) if depth > 0 else None
    return Origin(ref, href) if made is None else _origin(home, made, depth, above)


def _inputs(execution: Execution) -> Iterator[tuple[ItemRef, str | None]]:
    features = decode(execution.input).get("features", [])
    for item in features:
        for ref in item_refs([item]):
            yield ref, output_url(item)


def _output(execution: Execution, ref: ItemRef) -> Mapping[str, Any]:
    for item in output_items(decode(execution.output)) if execution.output is not None else ():
        if item_refs([item]) == (ref,):
            return item
    return {}


def _making(home: Home, execution: Execution, item: Mapping[str, Any]) -> Making:
    software = (item.get("properties") or {}).get(SOFTWARE)
    return Making(
        execution.payload_id,
        parse(execution.payload_id).workflow,
        execution.execution_id,
        execution.attempt,
        execution.status,
        execution.stopped,
        tuple(_steps(history(home, execution))),
        software if isinstance(software, Mapping) else {},
    )


def _steps(events: list[dict[str, Any]]) -> Iterator[Step]:
    """The Task states of a history, in the order in which they were first entered."""
    entered: dict[int, str] = {}
    tries: dict[tuple[str, str], int] = {}
    for event in events:
        name = (event.get("stateEnteredEventDetails") or {}).get("name")
        entered[event["id"]] = name or entered.get(event.get("previousEventId", 0), "")
        if (task := _scheduled(event)) is not None:
            key = entered[event["id"]], task
            tries[key] = tries.get(key, 0) + 1
    yield from (Step(state, task, attempts) for (state, task), attempts in tries.items())


def _scheduled(event: Mapping[str, Any]) -> str | None:
    """The task that an event of a history calls, if it calls one."""
    function = event.get("lambdaFunctionScheduledEventDetails")
    if function:
        return function_name(str(function.get("resource", "")))
    details = event.get("taskScheduledEventDetails")
    if not details:
        return None
    parameters = decode(details.get("parameters") or "{}")
    named = parameters.get("FunctionName") or parameters.get("JobDefinition") or parameters.get("StateMachineArn")
    return function_name(str(named)) if named else str(details.get("resource"))


def _descent(home: Home, item_id: str, collection: str | None, depth: int, above: frozenset[str]) -> Iterator[Descent]:
    seen: set[str] = set()
    for use in home.state_db.uses(item_id, made=False):
        if not use.current or use.payload_id in seen | above or collection not in {None, use.item.collection}:
            continue
        seen.add(use.payload_id)
        record = home.state_db.get([use.payload_id])[use.payload_id]
        execution = home.state_db.execution(use.execution_id, use.payload_id)
        output = decode(execution.output) if execution is not None and execution.output is not None else {}
        refs = item_refs(output_items(output))
        if use.item in refs:  # it is where the Item comes from, not what was made of it
            continue
        made = tuple((ref, _below(home, ref, depth, above | seen)) for ref in refs)
        yield Descent(use.payload_id, str(record.state), made)


def _below(home: Home, ref: ItemRef, depth: int, above: frozenset[str]) -> tuple[Descent, ...]:
    return tuple(_descent(home, ref.id, ref.collection, depth - 1, above)) if depth > 1 else ()
