"""Is this a state machine? All errors at once, each with its place; then what is legal but will hurt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.asl.check_state import check_state
from cirrus.asl.check_value import is_whole
from cirrus.asl.check_variables import check_variables
from cirrus.asl.findings import TRANSITION, Findings, alike, kind_of, nearest
from cirrus.asl.inventory import scopes
from cirrus.asl.source import Source, escape
from cirrus.errors import Diagnostic

TOP = ("StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage")
BRANCH = ("StartAt", "States", "Comment")
PROCESSOR = (*BRANCH, "ProcessorConfig")
TYPES = ("Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
LANGUAGES = ("JSONPath", "JSONata")
LONGEST_NAME = 80
MOST_STARTS = 20


def check_machine(source: Source, machine_type: str, supported_only: bool) -> list[Diagnostic]:
    """Every finding about a definition."""
    findings = Findings(source, machine_type, supported_only)
    raw = source.value
    if not isinstance(raw, dict):
        findings.error("", f"The definition must be an object, not {kind_of(raw)}")
        return findings.found
    check_top(raw, findings)
    language = "JSONata" if raw.get("QueryLanguage") == "JSONata" else "JSONPath"
    names: dict[str, str] = {}
    for pointer, scope in scopes(raw):
        check_scope(scope, pointer, language, names, findings)
    check_variables(raw, findings)
    for name in source.repeated:
        findings.warn("", f"An object holds the name '{name}' twice; the first is lost", "REPEATED_NAME")
    return findings.found


def check_top(raw: Mapping[str, Any], findings: Findings) -> None:
    """What only the whole machine has."""
    findings.known(raw, TOP, "", "a state machine")
    if "Version" in raw and raw["Version"] != "1.0":
        findings.error("/Version", "The Version must be '1.0'")
    if "TimeoutSeconds" in raw and not is_whole(raw["TimeoutSeconds"], 1, 99_999_999):
        findings.error("/TimeoutSeconds", "TimeoutSeconds must be a whole number between 1 and 99999999")
    if raw.get("QueryLanguage", "JSONPath") not in LANGUAGES:
        findings.error("/QueryLanguage", "QueryLanguage must be 'JSONPath' or 'JSONata'")


def check_scope(
    scope: Mapping[str, Any], pointer: str, language: str, names: dict[str, str], findings: Findings
) -> None:
    """A machine, branch or processor."""
    if pointer:
        processor = pointer.endswith(("/ItemProcessor", "/Iterator"))
        findings.known(scope, PROCESSOR if processor else BRANCH, pointer, "a processor" if processor else "a branch")
    findings.required(scope, ("States", "StartAt"), pointer)
    if not isinstance(scope.get("Comment", ""), str):
        findings.error(f"{pointer}/Comment", "Comment must be a string")
    states = scope.get("States")
    if "States" not in scope:
        return
    if not isinstance(states, dict) or not states:
        findings.error(f"{pointer}/States", "States must be an object that holds at least one state")
        return
    for name, state in states.items():
        check_named(name, state, f"{pointer}/States/{escape(name)}", language, names, findings)
    check_graph(scope, states, pointer, findings)


def check_named(name: str, state: Any, pointer: str, language: str, names: dict[str, str], findings: Findings) -> None:
    """A state under its name."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        findings.error(pointer, f"State names must have 1 to {LONGEST_NAME} characters")
    if name in names:
        findings.error(pointer, f"State names must be unique; '{name}' is also at {names[name]}")
    names.setdefault(name, pointer)
    if not isinstance(state, dict):
        findings.error(pointer, f"A state must be an object, not {kind_of(state)}")
    elif "Type" not in state:
        findings.required(state, ("Type",), pointer)
    elif state["Type"] not in TYPES:
        hint = nearest(str(state["Type"]), frozenset(TYPES))
        findings.error(f"{pointer}/Type", f"Type must be one of [{', '.join(TYPES)}]{hint}")
    else:
        check_state(name, state, pointer, language, findings)


def check_graph(scope: Mapping[str, Any], states: Mapping[str, Any], pointer: str, findings: Findings) -> None:
    """Where the states lead, and whether each can be reached."""
    start, names = scope.get("StartAt"), frozenset(states)
    if "StartAt" in scope and not isinstance(start, str):
        findings.error(f"{pointer}/StartAt", "StartAt must be a string")
    elif start is not None and start not in states:
        findings.error(f"{pointer}/StartAt", f"Missing 'StartAt' target: {start}{nearest(start, names)}", TRANSITION)
    for name, state in states.items():
        for place, target in targets(state):
            if target not in states:
                where = f"{pointer}/States/{escape(name)}/{place}"
                field = place.rpartition("/")[2]
                findings.error(where, f"Missing '{field}' target: {target}{nearest(target, names)}", TRANSITION)
    if isinstance(start, str) and start in states:
        check_reach(start, states, pointer, findings)
    else:
        meant = likely_start(start, states)
        check_reach(meant, states, pointer, findings, f" even if StartAt were '{meant}'")


def likely_start(start: Any, states: Mapping[str, Any]) -> str:
    """The state that a StartAt which leads nowhere may have meant: of a like name, or the one that leads furthest."""
    names = list(states)
    close = alike(start, frozenset(names)) if isinstance(start, str) else None
    if close is not None:
        return close
    led_to = {target for name, state in states.items() for _, target in targets(state) if target != name}
    first = [name for name in names if name not in led_to] or names
    return max(first[:MOST_STARTS], key=lambda name: len(reach(name, states)))


def reach(start: str, states: Mapping[str, Any]) -> set[str]:
    """The states that can be reached from one of them, itself included."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in reached or name not in states:
            continue
        reached.add(name)
        waiting.extend(target for _, target in targets(states[name]))
    return reached


def check_reach(start: str, states: Mapping[str, Any], pointer: str, findings: Findings, so: str = "") -> None:
    """Report states that nothing leads to, and a machine without an end."""
    reached = reach(start, states)
    for name in states:
        if name not in reached:
            findings.error(f"{pointer}/States/{escape(name)}", f'State "{name}" is not reachable{so}.', TRANSITION)
    ends = any(
        isinstance(states[name], dict)
        and (states[name].get("End") is True or states[name].get("Type") in ("Succeed", "Fail"))
        for name in reached
    )
    if not ends:
        findings.warn(f"{pointer}/States", "No state that can be reached ends it: it runs until it fails", "NO_END")


def targets(state: Any) -> Iterator[tuple[str, str]]:
    """Where a state may lead, each with the place that says so."""
    if not isinstance(state, dict):
        return
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield field, state[field]
    for field in ("Choices", "Catch"):
        entries = state.get(field)
        for at, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("Next"), str):
                yield f"{field}/{at}/Next", entry["Next"]
