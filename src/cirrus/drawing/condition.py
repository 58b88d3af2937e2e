"""The conditions of Choice states in a few characters, for a label."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cirrus.asl.choice import OPERATORS

LONGEST = 44
DEEPEST = 6
WORDS = {
    "Equals": "=",
    "LessThan": "<",
    "GreaterThan": ">",
    "LessThanEquals": "≤",
    "GreaterThanEquals": "≥",
}


def show_condition(rule: Mapping[str, Any]) -> str:
    """A rule of a Choice, JSONPath or JSONata, cut to what fits a label."""
    if "Condition" in rule:
        text = " ".join(str(rule["Condition"]).strip().removeprefix("{%").removesuffix("%}").split())
        return short(text)
    return short(_test(rule, 0))


def short(text: str, longest: int = LONGEST) -> str:
    """The text, its end left out where it is too long."""
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _test(rule: Mapping[str, Any], depth: int) -> str:
    if depth > DEEPEST:
        return "…"
    for word, joint in (("And", " and "), ("Or", " or ")):
        if word in rule:
            parts = [_test(one, depth + 1) for one in rule[word][:8]]
            joined = joint.join(parts)
            return f"({joined})" if depth and len(parts) > 1 else joined
    if "Not" in rule:
        inner = _test(rule["Not"], depth + 1)
        return f"not {inner}"
    operator = next((key for key in rule if key in OPERATORS), "")
    return _comparison(str(rule.get("Variable", "?")), operator, rule.get(operator))


def _comparison(variable: str, operator: str, operand: Any) -> str:
    if operator.startswith("Is"):
        kind = {"IsPresent": "present", "IsNull": "null"}.get(operator, f"a {operator[2:].lower()}")
        return f"{variable} is {'' if operand else 'not '}{kind}"
    if operator == "StringMatches":
        return f"{variable} like {_literal(operand)}"
    path = operator.endswith("Path")
    name = operator.removesuffix("Path")
    for kind in ("String", "Numeric", "Boolean", "Timestamp"):
        if name.startswith(kind):
            sign = WORDS.get(name.removeprefix(kind), name)
            return f"{variable} {sign} {operand if path else _literal(operand)}"
    return variable


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
