"""What a definition refers to outside itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.asl.fields import is_expression
from cirrus.asl.resource import NAMING, read_resource
from cirrus.asl.source import escape

Raw = Mapping[str, Any]


def scopes(raw: Raw, pointer: str = "") -> Iterator[tuple[str, Raw]]:
    """The machine and every branch and processor in it, each with its pointer."""
    stack = [(pointer, raw)]
    while stack:
        where, scope = stack.pop()
        yield where, scope
        states = scope.get("States")
        for name, state in states.items() if isinstance(states, dict) else ():
            if isinstance(state, dict):
                stack.extend(inner(f"{where}/States/{escape(name)}", state))


def inner(pointer: str, state: Raw) -> Iterator[tuple[str, Raw]]:
    """The scopes inside a state."""
    branches = state.get("Branches")
    for at, branch in enumerate(branches if isinstance(branches, list) else ()):
        if isinstance(branch, dict):
            yield f"{pointer}/Branches/{at}", branch
    for field in ("ItemProcessor", "Iterator"):
        if isinstance(state.get(field), dict):
            yield f"{pointer}/{field}", state[field]


def task_resources(raw: Raw) -> Iterator[tuple[str, str]]:
    """(pointer of the state, resource) for each Task, and for what it names literally in its parameters."""
    for where, scope in scopes(raw):
        for name, state in scope["States"].items():
            if state["Type"] == "Task":
                pointer = f"{where}/States/{escape(name)}"
                yield from ((pointer, found) for found in named(state))


def named(state: Raw) -> Iterator[str]:
    """The resource of a Task and what it names literally."""
    yield state["Resource"]
    resource = read_resource(state["Resource"])
    member = NAMING.get(resource.action) if resource else None
    given = state.get("Arguments", state.get("Parameters"))
    found = given.get(member) if member and isinstance(given, dict) else None
    if isinstance(found, str) and not is_expression(found):
        yield found
