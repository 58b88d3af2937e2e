"""Variables across scopes: a branch or inline processor sees its surroundings' variables and may not hide them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.asl.findings import Findings
from cirrus.asl.inventory import inner
from cirrus.asl.source import escape

Raw = Mapping[str, Any]


def check_variables(raw: Raw, findings: Findings) -> None:
    """Report names that an inner scope assigns although an outer one does."""
    stack: list[tuple[str, Raw, Mapping[str, str]]] = [("", raw, {})]
    while stack:
        pointer, scope, outer = stack.pop()
        own = dict(outer)
        states = scope.get("States")
        for name, state in states.items() if isinstance(states, dict) else ():
            if isinstance(state, dict):
                check_state_variables(state, f"{pointer}/States/{escape(name)}", outer, own, findings)
        for name, state in states.items() if isinstance(states, dict) else ():
            if isinstance(state, dict):
                seen = {} if is_distributed(state) else own
                where = f"{pointer}/States/{escape(name)}"
                stack.extend((place, below, seen) for place, below in inner(where, state))


def check_state_variables(
    state: Raw, pointer: str, outer: Mapping[str, str], own: dict[str, str], findings: Findings
) -> None:
    """The names that one state assigns."""
    for place, assign in assigns(state):
        for key in assign:
            name = key.removesuffix(".$")
            where = f"{pointer}{place}/Assign/{escape(key)}"
            if name in outer:
                findings.error(where, f"The variable '{name}' is assigned in an outer scope already, at {outer[name]}")
            own.setdefault(name, where)


def assigns(state: Raw) -> Iterator[tuple[str, Raw]]:
    """Every Assign of a state, its rules and its catchers, with its place in the state."""
    places = [("", state)]
    for field in ("Choices", "Catch"):
        entries = state.get(field)
        places += [(f"/{field}/{at}", one) for at, one in enumerate(entries if isinstance(entries, list) else ())]
    for place, entry in places:
        if isinstance(entry, dict) and isinstance(entry.get("Assign"), dict):
            yield place, entry["Assign"]


def is_distributed(state: Raw) -> bool:
    """Whether a state's processor runs as executions of its own, which see no variables of others."""
    processor = state.get("ItemProcessor") or state.get("Iterator")
    config = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    return isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"
