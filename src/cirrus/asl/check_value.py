"""Single values of a definition: numbers, texts, paths, templates, expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cirrus.asl.calls import InvalidCall, parse_call
from cirrus.asl.fields import is_expression
from cirrus.asl.findings import Findings, kind_of
from cirrus.asl.paths import InvalidPath, is_path, parse_path, parse_reference
from cirrus.asl.source import escape
from cirrus.asl.template import InvalidTemplate, compile_template

VARIABLE = re.compile(r"[^\W\d_]\w{0,79}")
LITERAL_PATH = re.compile(r"\$(\$)?([.\[]|[^\W\d_]\w*[.\[]).*", re.DOTALL)


def is_number(value: Any, least: int, most: int) -> bool:
    """Whether a value is a number within bounds."""
    return not isinstance(value, bool) and isinstance(value, int | float) and least <= value <= most


def is_whole(value: Any, least: int, most: int) -> bool:
    """Whether a value is a whole number within bounds."""
    return is_number(value, least, most) and bool(value == int(value))


def check_number(
    raw: Mapping[str, Any],
    field: str,
    bounds: tuple[int, int],
    jsonata: bool,
    pointer: str,
    findings: Findings,
    *,
    whole: bool = True,
) -> None:
    """A number, or an expression in a JSONata state; its twin that ends in `Path` otherwise."""
    least, most = bounds
    if field in raw:
        value = raw[field]
        if jsonata and isinstance(value, str):
            check_expression(value, f"{pointer}/{field}", findings)
        elif not (is_whole(value, least, most) or (not whole and is_number(value, least, most))):
            words = "a whole number" if whole else "a number"
            findings.error(f"{pointer}/{field}", f"{field} must be {words} between {least} and {most}")
    findings.exclusive(raw, (field, f"{field}Path"), pointer)
    if f"{field}Path" in raw and not jsonata:
        check_path(raw, f"{field}Path", pointer, findings, reference=True)


def check_path(
    raw: Mapping[str, Any],
    field: str,
    pointer: str,
    findings: Findings,
    *,
    reference: bool = False,
    null: bool = False,
    call: bool = False,
) -> None:
    """A path in a field; `reference` if it may name one place only, `null` and `call` if it may be those."""
    if field not in raw or (null and raw[field] is None):
        return
    text, where = raw[field], f"{pointer}/{escape(field)}"
    if not isinstance(text, str):
        findings.error(where, f"{field} must be a string that holds a path, not {kind_of(text)}")
        return
    try:
        if call and not is_path(text):
            parse_call(text)
        elif reference:
            parse_reference(text)
        else:
            parse_path(text)
    except (InvalidPath, InvalidCall) as error:
        kind = "Reference Path" if reference else "JSONPath"
        findings.error(where, f"Value is not a {kind}: {error}")


def check_place(raw: Mapping[str, Any], pointer: str, findings: Findings) -> None:
    """ResultPath: a reference path into the input, or null."""
    text = raw.get("ResultPath")
    check_path(raw, "ResultPath", pointer, findings, reference=True, null=True)
    if isinstance(text, str) and text.startswith("$") and len(text) > 1 and text[1] not in ".[":
        findings.error(f"{pointer}/ResultPath", "ResultPath must begin with '$.' or '$[' and lead into the input")


def check_template(value: Any, pointer: str, findings: Findings, *, objects: bool = True) -> None:
    """A payload template of a JSONPath state."""
    if objects and not isinstance(value, dict):
        findings.error(pointer, f"A payload template must be an object, not {kind_of(value)}")
        return
    errors: list[InvalidTemplate] = []
    compile_template(value, errors)
    for error in errors:
        where = pointer + "".join(f"/{escape(part)}" for part in error.pointer)
        findings.error(where, f"{error} ({error.reason})")
    warn_literals(value, pointer, findings)


def warn_literals(value: Any, pointer: str, findings: Findings) -> None:
    """Point at members that look like paths but, without `.$`, are texts."""
    stack = [(pointer, value)]
    while stack:
        where, top = stack.pop()
        items = top.items() if isinstance(top, dict) else enumerate(top) if isinstance(top, list) else ()
        for key, item in items:
            below = f"{where}/{escape(key)}"
            literal = isinstance(item, str) and LITERAL_PATH.fullmatch(item)
            if literal and isinstance(key, str) and not key.endswith(".$"):
                findings.warn(
                    below, f"'{item}' is a text here; name the member '{key}.$' to use the path", "LITERAL_PATH"
                )
            stack.append((below, item))


def check_expressions(value: Any, pointer: str, findings: Findings) -> None:
    """Every expression in a value of a JSONata state."""
    stack = [(pointer, value)]
    while stack:
        where, top = stack.pop()
        if isinstance(top, dict):
            stack.extend((f"{where}/{escape(key)}", item) for key, item in top.items())
        elif isinstance(top, list):
            stack.extend((f"{where}/{at}", item) for at, item in enumerate(top))
        elif is_expression(top):
            check_expression(top, where, findings)


def check_expression(text: Any, pointer: str, findings: Findings) -> bool:
    """A text that must be an expression."""
    if not is_expression(text):
        findings.error(pointer, "Value must be a JSONata expression: '{% ... %}'")
        return False
    from cirrus.asl.jsonata import InvalidExpression, parse_expression

    try:
        parse_expression(text)
    except InvalidExpression as error:
        findings.error(pointer, f"Value is not a JSONata expression: {error}")
        return False
    return True


def check_assign(raw: Mapping[str, Any], jsonata: bool, pointer: str, findings: Findings) -> None:
    """Assign: names of variables, and their values."""
    if "Assign" not in raw:
        return
    value, where = raw["Assign"], f"{pointer}/Assign"
    if not isinstance(value, dict):
        findings.error(where, f"Assign must be an object, not {kind_of(value)}")
        return
    for key in value:
        name = key.removesuffix(".$") if not jsonata else key
        if not VARIABLE.fullmatch(name):
            findings.error(
                f"{where}/{escape(key)}", f"'{name}' is no name for a variable: 1 to 80 letters, digits, '_'"
            )
        elif name == "states":
            findings.error(f"{where}/{escape(key)}", "The name 'states' is reserved")
    if jsonata:
        check_expressions(value, where, findings)
    else:
        check_template(value, where, findings)
