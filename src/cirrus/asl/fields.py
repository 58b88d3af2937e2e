"""Single fields as functions: a constant, a path or call, a template, a JSONata expression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl.definition import Evaluate
from cirrus.asl.template import compile_expression, compile_template


def constant(value: Any) -> Evaluate:
    """A function that always gives the value."""
    return lambda data, env: value


def finder(raw: Mapping[str, Any], field: str) -> Evaluate | None:
    """What the path or call in a field finds; None without the field, an empty object for a null path."""
    if field not in raw:
        return None
    if raw[field] is None:
        return constant({})
    if raw[field] == "$":
        return None if field in ("InputPath", "OutputPath") else lambda data, env: data
    return compile_expression(raw[field], field)[0]


def template(value: Any) -> tuple[Evaluate, int]:
    """A payload template, and how many expressions it holds."""
    compiled = compile_template(value)
    return compiled.evaluate, compiled.parts


def expression(value: Any, field: str) -> Evaluate:
    """A JSONata template; the interpreter is loaded only if there is an expression in it."""
    if not holds_expression(value):
        return constant(value)
    from cirrus.asl.jsonata import compile_value

    return compile_value(value, field)


def typed_expression(value: Any, field: str, expected: str, kind: type | tuple[type, ...]) -> Evaluate:
    """As `expression`, failing if an expression gives another type than `expected` says."""
    find = expression(value, field)
    if not is_expression(value):
        return find

    def check(data: Any, env: Any) -> Any:
        found = find(data, env)
        if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
            from cirrus.asl.jsonata import wrong_type

            raise wrong_type(value, field, expected, found)
        return found

    return check


def number(raw: Mapping[str, Any], field: str, jsonata: bool) -> Evaluate | None:
    """A number given as such, by a path in `<field>Path`, or by an expression; None where it is not given."""
    if field in raw:
        return typed_expression(raw[field], field, "number", (int, float)) if jsonata else constant(raw[field])
    return finder(raw, f"{field}Path")


def is_expression(text: Any) -> bool:
    """Whether a value is a JSONata expression, `{% ... %}`."""
    return isinstance(text, str) and text.startswith("{%") and text.rstrip().endswith("%}")


def holds_expression(value: Any) -> bool:
    """Whether a value is or contains a JSONata expression."""
    stack = [value]
    while stack:
        top = stack.pop()
        if isinstance(top, dict):
            stack.extend(top.values())
        elif isinstance(top, list):
            stack.extend(top)
        elif is_expression(top):
            return True
    return False
