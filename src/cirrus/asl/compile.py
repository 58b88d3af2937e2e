"""From a definition that was checked to closures: each state's fields become functions once, when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cirrus.asl import failure
from cirrus.asl.choice import (
    OPERATORS,
    Rule,
    compile_all,
    compile_any,
    compile_not,
    compile_test,
)
from cirrus.asl.clock import read_time
from cirrus.asl.compile_map import map_fields
from cirrus.asl.data import text as data_text
from cirrus.asl.definition import (
    Assign,
    Catcher,
    ChoiceRule,
    ChoiceState,
    Evaluate,
    FailState,
    ParallelState,
    PassState,
    Retrier,
    Scope,
    State,
    TaskState,
    WaitState,
)
from cirrus.asl.failure import Failure
from cirrus.asl.fields import constant, expression, finder, number, template, typed_expression
from cirrus.asl.opaque import opaque_input, opaque_result
from cirrus.asl.paths import MISSING, parse_path
from cirrus.asl.place import compile_place
from cirrus.asl.resource import read_resource

Raw = Mapping[str, Any]

MOST_SECONDS = 99_999_999


def compile_scope(raw: Raw, language: str) -> Scope:
    """A machine, branch or processor."""
    states = {name: compile_state(name, state, language) for name, state in raw["States"].items()}
    return Scope(raw["StartAt"], states)


def compile_state(name: str, raw: Raw, language: str) -> State:
    """One state."""
    own = raw.get("QueryLanguage", language)
    jsonata = own == "JSONata"
    kind, fields = BUILD[raw["Type"]](raw, jsonata, language)
    common = jsonata_fields(raw) if jsonata else jsonpath_fields(raw)
    target = raw.get("Next")
    opaque = not jsonata and opaque_input(raw, fields.get("kind", ""))
    if kind is TaskState:
        fields["plain"] = opaque and is_plain({**common, **fields})
    return kind(
        name=name,
        type=raw["Type"],
        next=target,
        jsonata=jsonata,
        opaque=opaque,
        retry=tuple(retrier(one) for one in raw.get("Retry", ())),
        catch=tuple(catcher(one, jsonata) for one in raw.get("Catch", ())),
        **{**common, **fields},
    )


def jsonpath_fields(raw: Raw) -> dict[str, Any]:
    """The data fields of a JSONPath state."""
    fields: dict[str, Any] = {
        "read": finder(raw, "InputPath"),
        "write": finder(raw, "OutputPath"),
        "place": compile_place(raw["ResultPath"]) if "ResultPath" in raw else None,
        "assign": assign(raw, False),
    }
    parts = 0
    if "Parameters" in raw and raw["Type"] != "Map":
        fields["shape"], parts = template(raw["Parameters"])
    if "ResultSelector" in raw:
        fields["select"], more = template(raw["ResultSelector"])
        parts += more
    return {**fields, "parts": parts}


def jsonata_fields(raw: Raw) -> dict[str, Any]:
    """The data fields of a JSONata state."""
    fields: dict[str, Any] = {"assign": assign(raw, True)}
    if "Arguments" in raw:
        fields["shape"] = expression(raw["Arguments"], "Arguments")
    if "Output" in raw:
        fields["write"] = expression(raw["Output"], "Output")
    return {**fields, "parts": 1000 if fields.keys() & {"shape", "write"} else 0}


def assign(raw: Raw, jsonata: bool) -> Assign | None:
    """The Assign of a state, rule or catcher."""
    if "Assign" not in raw:
        return None
    if jsonata:
        return Assign(expression(raw["Assign"], "Assign"), 1000)
    return Assign(*template(raw["Assign"]))


def retrier(raw: Raw) -> Retrier:
    """One entry of Retry."""
    return Retrier(
        tuple(raw["ErrorEquals"]),
        raw.get("IntervalSeconds", 1),
        raw.get("MaxAttempts", 3),
        raw.get("BackoffRate", 2.0),
        raw.get("MaxDelaySeconds"),
        raw.get("JitterStrategy", "NONE") == "FULL",
    )


def catcher(raw: Raw, jsonata: bool) -> Catcher:
    """One entry of Catch."""
    place = compile_place(raw["ResultPath"]) if "ResultPath" in raw else None
    output = expression(raw["Output"], "Output") if "Output" in raw else None
    return Catcher(tuple(raw["ErrorEquals"]), raw["Next"], place, output, assign(raw, jsonata))


def build_pass(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Pass state."""
    return PassState, {"has_result": "Result" in raw, "result": raw.get("Result")}


def build_task(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Task state."""
    resource = read_resource(raw["Resource"])
    assert resource is not None
    role = raw.get("Credentials", {}).get("RoleArn") if "RoleArn" in raw.get("Credentials", {}) else None
    find_role: Evaluate | None = None
    if role is not None:
        find_role = expression(role, "Credentials/RoleArn") if jsonata else constant(role)
    elif "RoleArn.$" in raw.get("Credentials", {}):
        find_role = finder(raw["Credentials"], "RoleArn.$")
    return TaskState, {
        "resource": raw["Resource"],
        "kind": resource.kind,
        "waits_for_token": resource.waits,
        "opaque_result": not jsonata and opaque_result(raw, resource.kind),
        "timeout": number(raw, "TimeoutSeconds", jsonata),
        "heartbeat": number(raw, "HeartbeatSeconds", jsonata),
        "role": find_role,
    }


def is_plain(fields: Mapping[str, Any]) -> bool:
    """Whether a Task gives a function its input and lets the function's result go on, and does nothing else."""
    if fields["kind"] != "lambda" or not fields["opaque_result"]:
        return False
    active = ("read", "shape", "select", "place", "write", "assign", "timeout", "heartbeat", "role")
    return all(fields.get(name) is None for name in active)


def build_choice(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Choice state."""
    rules = [
        ChoiceRule(
            condition(one, at) if jsonata else rule(one),
            one["Next"],
            expression(one["Output"], f"Choices[{at}]/Output")
            if jsonata and "Output" in one
            else choice_write(raw, jsonata),
            assign(one, jsonata),
        )
        for at, one in enumerate(raw["Choices"])
    ]
    return ChoiceState, {"rules": tuple(rules), "default": raw.get("Default")}


def choice_write(raw: Raw, jsonata: bool) -> Evaluate | None:
    """What a rule without an Output of its own gives on."""
    return None if jsonata else finder(raw, "OutputPath")


def condition(raw: Raw, at: int) -> Rule:
    """A rule of a JSONata Choice."""
    return typed_expression(raw["Condition"], f"Choices[{at}]/Condition", "boolean", bool)


def rule(raw: Raw) -> Rule:
    """A rule of a JSONPath Choice."""
    if "And" in raw:
        return compile_all([rule(one) for one in raw["And"]])
    if "Or" in raw:
        return compile_any([rule(one) for one in raw["Or"]])
    if "Not" in raw:
        return compile_not(rule(raw["Not"]))
    operator = next(key for key in raw if key in OPERATORS)
    operand = parse_path(raw[operator]) if operator.endswith("Path") else raw[operator]
    return compile_test(parse_path(raw["Variable"]), operator, operand)


def build_wait(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Wait state."""
    field = next(key for key in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if key in raw)
    if jsonata:
        expected = ("number", (int, float)) if field == "Seconds" else ("string", str)
        find = typed_expression(raw[field], field, *expected)
    elif field.endswith("Path"):
        find = wait_path(field, raw[field])
    else:
        find = constant(raw[field])
    convert = until_seconds if field.startswith("Seconds") else until_timestamp
    return WaitState, {"until": convert(field, raw[field], find, jsonata)}


def wait_path(field: str, text: str) -> Evaluate:
    """What SecondsPath or TimestampPath leads to."""
    path = parse_path(text)

    def find(data: Any, env: Any) -> Any:
        found = path.find(data, env)
        if found is MISSING:
            raise failure.runtime(f"The {field} parameter does not reference an input value: {text}")
        return found

    return find


def until_seconds(field: str, text: Any, find: Evaluate, jsonata: bool) -> Evaluate:
    """The time at which a wait of so many seconds is over."""

    def until(data: Any, env: Any) -> float:
        found = find(data, env)
        problem = wrong_seconds(found, jsonata)
        if problem is not None:
            shown = text_of(found) if jsonata else f"{text} == {text_of(found)}"
            raise invalid(field, f"{problem}: {shown}", jsonata)
        return float(env.step.at + found)

    return until


def wrong_seconds(found: Any, jsonata: bool) -> str | None:
    """What is wrong with a number of seconds to wait; a path must lead to a whole one."""
    if isinstance(found, bool) or not isinstance(found, int | float) or (not jsonata and found != int(found)):
        return "cannot be parsed as a long value"
    if found < 0:
        return "references a negative value"
    return "must be a number between 0 and 99999999 but was" if found > MOST_SECONDS else None


def text_of(found: Any) -> str:
    """What was found, for a message."""
    return found if isinstance(found, str) else data_text(found)


def until_timestamp(field: str, text: Any, find: Evaluate, jsonata: bool) -> Evaluate:
    """The time that a timestamp names."""

    def until(data: Any, env: Any) -> float:
        found = find(data, env)
        at = read_time(found)
        if at is not None:
            return at
        if jsonata:
            problem = f"cannot be parsed as an ISO-8601 extended offset date-time format string: {found}"
        else:
            problem = f"does not reference a valid ISO-8601 extended offset date-time format string: {text} == {found}"
        raise invalid(field, problem, jsonata)

    return until


def invalid(field: str, problem: str, jsonata: bool) -> Failure:
    """The failure of a wait for no time."""
    if jsonata:
        return Failure(failure.QUERY, f"The {field} field {problem}", field=field)
    return failure.runtime(f"The {field} parameter {problem}")


def build_fail(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Fail state."""
    return FailState, {"error": wording(raw, "Error", jsonata), "cause": wording(raw, "Cause", jsonata)}


def wording(raw: Raw, field: str, jsonata: bool) -> Evaluate | None:
    """A Fail state's text, given as such, by a path or call, or by an expression."""
    if jsonata and field in raw:
        return typed_expression(raw[field], field, "string", str)
    find = constant(raw[field]) if field in raw else finder(raw, f"{field}Path")
    if find is None:
        return None

    def say(data: Any, env: Any) -> str:
        found = find(data, env)
        if isinstance(found, str):
            return found
        problem = f"The {field} field of a Fail state must be a string but was: {found!r:.100}"
        raise failure.runtime(problem)

    return say


def build_parallel(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Parallel state."""
    return ParallelState, {"branches": tuple(compile_scope(one, language) for one in raw["Branches"])}


def build_map(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """The fields of a Map state."""
    kind, fields = map_fields(raw, jsonata)
    processor = raw.get("ItemProcessor") or raw["Iterator"]
    return kind, {**fields, "processor": compile_scope(processor, language)}


def build_succeed(raw: Raw, jsonata: bool, language: str) -> tuple[type[State], dict[str, Any]]:
    """A Succeed state has no fields of its own."""
    return State, {}


BUILD: dict[str, Callable[[Raw, bool, str], tuple[type[State], dict[str, Any]]]] = {
    "Pass": build_pass,
    "Task": build_task,
    "Choice": build_choice,
    "Wait": build_wait,
    "Succeed": build_succeed,
    "Fail": build_fail,
    "Parallel": build_parallel,
    "Map": build_map,
}
