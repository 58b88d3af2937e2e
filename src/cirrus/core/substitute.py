"""Templates of payloads: `${var}` and `${var?default}` filled in from variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cirrus.errors import InvalidPayload

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.-]*)(?:\?([^}]*))?\}")
_PATH_TEMPLATE = re.compile(r'("path_template"\s*:\s*"(?:[^"\\]|\\.)*")')
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*=\s*(.*)")


def substitute(text: str, variables: Mapping[str, str], *, silent: bool = False) -> str:
    """The text with its variables filled in; InvalidPayload names those that have no value and no default.

    With `silent` those stay as they are.
    """
    missing = sorted({name for name, _ in _missing(text, variables)})
    if missing and not silent:
        raise InvalidPayload(f"no value for {', '.join(missing)}: give -x NAME VALUE, or ${{NAME?default}}")
    return _filled(text, variables, whole=not silent)


def substitute_payload(text: str, variables: Mapping[str, str], *, silent: bool = False) -> str:
    """The text with its variables filled in; those of path templates that have no value are the Item's and stay."""
    parts = _PATH_TEMPLATE.split(text)
    missing = sorted({name for part in parts[::2] for name, _ in _missing(part, variables)})
    if missing and not silent:
        raise InvalidPayload(f"no value for {', '.join(missing)}: give -x NAME VALUE, or ${{NAME?default}}")
    return "".join(_filled(part, variables, whole=not silent and n % 2 == 0) for n, part in enumerate(parts))


def _missing(text: str, variables: Mapping[str, str]) -> list[tuple[str, str | None]]:
    return [(name, default) for name, default in _found(text) if name not in variables and default is None]


def _filled(text: str, variables: Mapping[str, str], *, whole: bool) -> str:
    def value(found: re.Match[str]) -> str:
        return variables.get(found[1], found[2] or ("" if whole or found[2] is not None else found[0]))

    return _VARIABLE.sub(value, text)


def _found(text: str) -> list[tuple[str, str | None]]:
    return [(found[1], found[2]) for found in _VARIABLE.finditer(text)]


def parse_variables(text: str, source: str) -> dict[str, str]:
    """The variables in lines of NAME=VALUE; blank lines and lines that begin with # are passed over."""
    variables = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _ASSIGNMENT.fullmatch(stripped)
        if not found:
            raise InvalidPayload(f"{source}, line {number}: NAME=VALUE is expected")
        value = found[2]
        quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
        variables[found[1]] = value[1:-1] if quoted else value
    return variables
