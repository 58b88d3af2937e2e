"""The rules of Choice states: every comparison of the language as a function of (data, environment)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cirrus.asl.clock import read_time
from cirrus.asl.failure import runtime
from cirrus.asl.paths import MISSING, Environment, Path

Rule = Callable[[Any, Environment], bool]
Compare = Callable[[Any, Any], bool]

PIECE = re.compile(r"\\(.)|(\*)", re.DOTALL)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _typed(check: Callable[[Any], bool], compare: Compare) -> Compare:
    return lambda left, right: check(left) and check(right) and compare(left, right)


def _timed(compare: Compare) -> Compare:
    def compare_times(left: Any, right: Any) -> bool:
        one, two = read_time(left), read_time(right)
        return one is not None and two is not None and compare(one, two)

    return compare_times


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


ORDER: dict[str, Compare] = {
    "Equals": lambda a, b: a == b,
    "LessThan": lambda a, b: a < b,
    "GreaterThan": lambda a, b: a > b,
    "LessThanEquals": lambda a, b: a <= b,
    "GreaterThanEquals": lambda a, b: a >= b,
}

COMPARISONS: dict[str, Compare] = {
    **{f"String{name}": _typed(_is_string, compare) for name, compare in ORDER.items()},
    **{f"Numeric{name}": _typed(_number, compare) for name, compare in ORDER.items()},
    **{f"Timestamp{name}": _timed(compare) for name, compare in ORDER.items()},
    "BooleanEquals": lambda a, b: isinstance(a, bool) and isinstance(b, bool) and a is b,
}
"""Operators that take a literal; each has a twin that ends in `Path`."""

TYPES: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsString": _is_string,
    "IsNumeric": _number,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: read_time(value) is not None,
}

OPERATORS = frozenset({*COMPARISONS, *(f"{name}Path" for name in COMPARISONS), *TYPES, "IsPresent", "StringMatches"})


def value_kind(operator: str) -> str:
    """What an operator's literal must be: "string", "number", "boolean", "timestamp" or "path"."""
    if operator.endswith("Path"):
        return "path"
    if operator.startswith("String"):
        return "string"
    if operator.startswith("Numeric"):
        return "number"
    return "timestamp" if operator.startswith("Timestamp") else "boolean"


def compile_test(variable: Path, operator: str, operand: Any) -> Rule:
    """A data test; `operand` is a Path for the operators that end in `Path`."""
    if operator == "IsPresent":
        return lambda data, env: (variable.find(data, env) is not MISSING) is operand
    if operator in TYPES:
        check = TYPES[operator]
        return lambda data, env: check(_find(variable, data, env)) is operand
    if operator == "StringMatches":
        matches = compile_wildcard(operand)
        return lambda data, env: isinstance(found := _find(variable, data, env), str) and matches(found)
    compare = COMPARISONS[operator.removesuffix("Path")]
    if operator.endswith("Path"):
        return lambda data, env: compare(_find(variable, data, env), _find(operand, data, env))
    return lambda data, env: compare(_find(variable, data, env), operand)


def compile_all(rules: list[Rule]) -> Rule:
    """True if all of the rules are."""
    return lambda data, env: all(rule(data, env) for rule in rules)


def compile_any(rules: list[Rule]) -> Rule:
    """True if one of the rules is."""
    return lambda data, env: any(rule(data, env) for rule in rules)


def compile_not(rule: Rule) -> Rule:
    """True if the rule is not."""
    return lambda data, env: not rule(data, env)


def compile_wildcard(pattern: str) -> Callable[[str], bool]:
    r"""A match of the whole text, `*` standing for any characters and `\*` for itself, in time linear in pieces."""
    pieces = _pieces(pattern)
    if len(pieces) == 1:
        return lambda text: text == pieces[0]
    first, *middle, last = pieces

    def matches(text: str) -> bool:
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            found = text.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return matches


def _pieces(pattern: str) -> list[str]:
    pieces, last = [""], 0
    for found in PIECE.finditer(pattern):
        pieces[-1] += pattern[last : found.start()] + (found[1] or "")
        last = found.end()
        if found[2]:
            pieces.append("")
    pieces[-1] += pattern[last:]
    return pieces


def _find(path: Path, data: Any, env: Environment) -> Any:
    found = path.find(data, env)
    if found is MISSING:
        raise runtime(f"Invalid path '{path.text}': The choice state's condition path references an invalid value.")
    return found
