"""The rules of a Choice state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cirrus.asl.check_value import check_assign, check_expression, check_expressions, check_path
from cirrus.asl.choice import OPERATORS, value_kind
from cirrus.asl.clock import read_time
from cirrus.asl.findings import Findings, kind_of

Raw = Mapping[str, Any]

BOOLEAN = ("And", "Or", "Not")
DEEPEST = 50


def check_choices(raw: Raw, jsonata: bool, pointer: str, findings: Findings) -> None:
    """Choices and Default."""
    if not isinstance(raw.get("Default", ""), str):
        findings.error(f"{pointer}/Default", f"Default must be a string, not {kind_of(raw['Default'])}")
    if not findings.required(raw, ("Choices",), pointer):
        return
    rules = raw["Choices"]
    if not isinstance(rules, list) or not rules:
        findings.error(f"{pointer}/Choices", "Choices must be an array that holds at least one rule")
        return
    for at, rule in enumerate(rules):
        check_top_rule(rule, jsonata, f"{pointer}/Choices/{at}", findings)
    if "Default" not in raw:
        findings.warn(
            pointer, "Without a Default an input that no rule fits fails with States.NoChoiceMatched", "NO_DEFAULT"
        )


def check_top_rule(rule: Any, jsonata: bool, pointer: str, findings: Findings) -> None:
    """A rule that says where to go."""
    if not isinstance(rule, dict):
        findings.error(pointer, f"A rule must be an object, not {kind_of(rule)}")
        return
    findings.required(rule, ("Next",), pointer)
    if "Next" in rule and not isinstance(rule["Next"], str):
        findings.error(f"{pointer}/Next", f"Next must be a string, not {kind_of(rule['Next'])}")
    check_assign(rule, jsonata, pointer, findings)
    if not jsonata:
        check_rule(rule, pointer, findings, 0)
        return
    findings.known(rule, ("Condition", "Next", "Comment", "Assign", "Output"), pointer, "a rule of JSONata")
    if findings.required(rule, ("Condition",), pointer) and not isinstance(rule["Condition"], bool):
        check_expression(rule["Condition"], f"{pointer}/Condition", findings)
    if "Output" in rule:
        check_expressions(rule["Output"], f"{pointer}/Output", findings)


def check_rule(rule: Any, pointer: str, findings: Findings, depth: int) -> None:
    """A rule or a part of one."""
    if not isinstance(rule, dict):
        findings.error(pointer, f"A rule must be an object, not {kind_of(rule)}")
        return
    if depth > DEEPEST:
        findings.error(pointer, f"Rules must not be nested more than {DEEPEST} deep")
        return
    if depth and "Next" in rule:
        findings.error(f"{pointer}/Next", "Next may only stand in the outermost rule")
    extra = ("Comment",) if depth else ("Comment", "Next", "Assign")
    joined = [field for field in BOOLEAN if field in rule]
    if len(joined) > 1 or (joined and "Variable" in rule):
        findings.error(pointer, "A rule must have exactly one of: [And, Or, Not, Variable]")
    elif joined:
        findings.known(rule, (joined[0], "Next", *extra), pointer, "a rule")
        check_joined(joined[0], rule[joined[0]], f"{pointer}/{joined[0]}", findings, depth)
    else:
        findings.known(rule, ("Variable", "Next", *extra, *OPERATORS), pointer, "a rule")
        check_comparison(rule, pointer, findings)


def check_joined(field: str, parts: Any, pointer: str, findings: Findings, depth: int) -> None:
    """What And, Or or Not joins."""
    if field == "Not":
        check_rule(parts, pointer, findings, depth + 1)
        return
    if not isinstance(parts, list) or not parts:
        findings.error(pointer, f"{field} must be an array that holds at least one rule")
        return
    for at, part in enumerate(parts):
        check_rule(part, f"{pointer}/{at}", findings, depth + 1)


def check_comparison(rule: Raw, pointer: str, findings: Findings) -> None:
    """A variable and one operator."""
    findings.required(rule, ("Variable",), pointer)
    check_path(rule, "Variable", pointer, findings)
    given = [field for field in rule if field in OPERATORS]
    if len(given) != 1:
        findings.error(pointer, f"A rule must have exactly one comparison, found {len(given)}")
        return
    operator = given[0]
    kind = value_kind(operator)
    if kind == "path":
        check_path(rule, operator, pointer, findings)
    elif not fits(rule[operator], kind):
        words = "an RFC3339 timestamp" if kind == "timestamp" else f"a {kind}"
        findings.error(f"{pointer}/{operator}", f"{operator} compares with {words}, not {kind_of(rule[operator])}")


def fits(value: Any, kind: str) -> bool:
    """Whether a literal is of the kind that its operator takes."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "timestamp":
        return read_time(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)
