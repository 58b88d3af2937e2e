"""What there is to draw in a definition: its states, the ways between them, and the scopes inside Parallel and Map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.asl.inventory import inner
from cirrus.drawing.condition import short, show_condition

NEXT, RULE, OTHERWISE, CATCH = "next", "rule", "otherwise", "catch"
_NAME = re.compile(r".*:(?:function|stateMachine|activity):([^:]+)(?::.*)?|\$\{([^{}]+)\}")
_WIDEST = 34


@dataclass(frozen=True, slots=True)
class Way:
    """From one state to another of its scope; `kind` says by which field."""

    source: str
    target: str
    kind: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A state: its name and type, a second line of text, whether it is retried, and the scopes inside it."""

    name: str
    type: str
    detail: str = ""
    retried: bool = False
    ends: bool = False
    scopes: tuple[Scope, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """A machine, a branch or a processor."""

    start: str
    boxes: Mapping[str, Box]
    ways: tuple[Way, ...] = field(default=())

    def all_boxes(self) -> Iterator[Box]:
        """The states of this scope and of those inside."""
        stack = [self]
        while stack:
            for box in stack.pop().boxes.values():
                yield box
                stack.extend(box.scopes)


def read_graph(definition: Mapping[str, Any]) -> Scope:
    """The graph of a definition that was checked."""
    boxes = {name: _box(name, state) for name, state in definition["States"].items()}
    ways = [way for name, state in definition["States"].items() for way in _ways(name, state)]
    return Scope(definition["StartAt"], boxes, tuple(dict.fromkeys(ways)))


def _box(name: str, state: Mapping[str, Any]) -> Box:
    return Box(
        name=name,
        type=state["Type"],
        detail=short(_detail(state), _WIDEST),
        retried=bool(state.get("Retry")),
        ends=state.get("End") is True or state["Type"] == "Succeed",
        scopes=tuple(read_graph(scope) for _, scope in inner("", state)),
    )


def _ways(name: str, state: Mapping[str, Any]) -> Iterator[Way]:
    if "Next" in state:
        yield Way(name, state["Next"], NEXT)
    for rule in state.get("Choices", ()):
        yield Way(name, rule["Next"], RULE, show_condition(rule))
    if "Default" in state:
        yield Way(name, state["Default"], OTHERWISE, "otherwise")
    for catcher in state.get("Catch", ()):
        yield Way(name, catcher["Next"], CATCH, short(", ".join(catcher["ErrorEquals"]), _WIDEST))


def _detail(state: Mapping[str, Any]) -> str:
    """The line under a state's name."""
    kind = state["Type"]
    if kind == "Task":
        return _called(state)
    if kind == "Wait":
        field = next(key for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if key in state)
        value = _bare(state[field])
        return f"{value} s" if field == "Seconds" and not isinstance(state[field], str) else value
    if kind == "Fail":
        return _bare(next((state[key] for key in ("Error", "ErrorPath") if key in state), ""))
    if kind == "Map":
        config = (state.get("ItemProcessor") or state.get("Iterator") or {}).get("ProcessorConfig", {})
        mode = "distributed, " if config.get("Mode") == "DISTRIBUTED" else ""
        source = "what is read" if "ItemReader" in state else _bare(state.get("ItemsPath", state.get("Items", "$")))
        return f"{mode}each of {source}"
    return ""


def _called(state: Mapping[str, Any]) -> str:
    """What a Task calls."""
    given = state.get("Arguments", state.get("Parameters"))
    members = given if isinstance(given, dict) else {}
    for key in ("FunctionName", "JobDefinition", "StateMachineArn"):
        for name in (key, f"{key}.$"):
            if name in members:
                return _shortened(_bare(members[name]))
    return _shortened(state["Resource"])


def _shortened(name: str) -> str:
    found = _NAME.fullmatch(name)
    if found:
        return next(part for part in found.groups() if part)
    return name.removeprefix("arn:aws:states:::")


def _bare(value: Any) -> str:
    """A value as text, an expression without its delimiters."""
    return " ".join(str(value).strip().removeprefix("{%").removesuffix("%}").split())
