"""The names in a definition that a mock may stand for: its states, and what its tasks call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cirrus.asl.fields import is_expression
from cirrus.asl.inventory import named, scopes
from cirrus.asl.resource import read_resource
from cirrus.trial.play import names_of


@dataclass(frozen=True, slots=True)
class Names:
    """States by name with their definitions, the names of what they call, and whether some are known only later."""

    states: Mapping[str, Mapping[str, Any]]
    tasks: frozenset[str]
    dynamic: bool

    def mockable(self) -> list[str]:
        """The states that call something."""
        return [name for name, state in self.states.items() if calls(state)]

    def problem(self, name: str) -> str | None:
        """Why a mock of this name would never be asked, None if it may be."""
        if name in self.tasks:
            return None
        if name in self.states:
            if calls(self.states[name]):
                return None
            return f"{name!r} is a {self.states[name]['Type']} state, which calls nothing that could be mocked"
        if self.dynamic:
            return None
        known = sorted({*self.mockable(), *(task for task in self.tasks if not task.startswith("arn:"))})
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        return f"no state and no task is named {name!r}; {hint}: {', '.join(known) or 'none'}"


def names_in(definition: Mapping[str, Any]) -> Names:
    """The names of a definition that was checked."""
    states: dict[str, Mapping[str, Any]] = {}
    tasks: set[str] = set()
    dynamic = False
    for _, scope in scopes(definition):
        states |= scope["States"]
    for state in states.values():
        if state["Type"] == "Task":
            for name in named(state):
                tasks.update(() if name.startswith("arn:aws:states:::") else names_of(name))
            given = state.get("Arguments", state.get("Parameters"))
            members = given if isinstance(given, dict) else {}
            dynamic |= any(key in members for key in ("FunctionName.$", "JobDefinition.$", "StateMachineArn.$"))
            dynamic |= is_expression(given) or any(is_expression(members.get(key)) for key in _NAMING)
    return Names(states, frozenset(tasks), dynamic)


_NAMING = ("FunctionName", "JobDefinition", "StateMachineArn")


def calls(state: Mapping[str, Any]) -> bool:
    """Whether a state calls something: a Task, or a Map that reads its items."""
    return state["Type"] == "Task" or "ItemReader" in state


def answers_whole(state: Mapping[str, Any]) -> bool:
    """Whether the state's service wraps what its function returns, as `lambda:invoke` does."""
    resource = read_resource(state["Resource"]) if state["Type"] == "Task" else None
    return resource is not None and resource.kind == "lambda:invoke"
