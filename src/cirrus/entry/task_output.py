"""What a task returned, as JSON text; or, in words, why it cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping

import orjson

from cirrus.core.payload import check_features
from cirrus.entry.failure import TaskFailure

STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
DEEPEST = 100


def encode(task: str, output: object) -> bytes:
    """The task's output as JSON text, by the rules of json.dumps; InvalidOutput if it is no JSON object."""
    if not isinstance(output, dict):
        raise TaskFailure(
            "InvalidOutput",
            f"task {task!r} returned {described(output)}; expected a payload: a JSON object (dict)",
        )
    check_items(output, f"task {task!r} returned no payload")
    try:
        return orjson.dumps(output, option=STRICT)
    except TypeError:
        pass
    try:
        return json.dumps(output).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place = find_foreign(output) or f"is not JSON: {error}"
        raise TaskFailure("InvalidOutput", f"task {task!r} returned a dict that is not JSON: {place}") from error


def check_items(output: Mapping[str, object], what: str) -> None:
    """InvalidOutput, beginning with `what`, where an output has `features` that are no Items."""
    problems = check_features(output.get("features", []))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise TaskFailure("InvalidOutput", f"{what}: {problems[0]}{more}")


def described(value: object) -> str:
    """What a task returned instead of a dict, in a few words."""
    if value is None:
        return "nothing (None)"
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    hint = " (call its to_dict())" if hasattr(value, "to_dict") else ""
    return f"a {name}{hint}"


def find_foreign(value: object, path: str = "output", depth: int = 0) -> str:
    """Where in `value` stands the first thing that JSON has no form for."""
    if depth > DEEPEST:
        return f"{path} is nested too deep"
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str | int | float | bool | None):
                return f"{path} has a key of type {type(key).__name__}"
            if found := find_foreign(inner, f"{path}.{key}", depth + 1):
                return found
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            if found := find_foreign(inner, f"{path}[{index}]", depth + 1):
                return found
    elif not isinstance(value, str | int | float | bool | None):
        return f"{path} is {described(value)}"
    return ""
