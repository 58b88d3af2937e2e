"""What a check has found so far, and where it is looking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.asl.source import Source, escape
from cirrus.errors import Diagnostic

SCHEMA = "SCHEMA_VALIDATION_FAILED"
TRANSITION = "MISSING_TRANSITION_TARGET"
UNSUPPORTED = "UNSUPPORTED_RESOURCE"
MOST = 1_000
MOST_NAMES = 300


@dataclass(slots=True)
class Findings:
    """Gathers diagnostics about one definition."""

    source: Source
    machine_type: str
    supported_only: bool
    found: list[Diagnostic] = field(default_factory=list)

    def error(self, pointer: str, message: str, code: str = SCHEMA) -> None:
        """Something that AWS refuses."""
        self.add(pointer, message, code, "ERROR")

    def warn(self, pointer: str, message: str, code: str) -> None:
        """Something legal that will hurt."""
        self.add(pointer, message, code, "WARNING")

    def unsupported(self, pointer: str, what: str) -> None:
        """Something that AWS takes and the engine does not: an error where only what it can run is allowed."""
        severity = "ERROR" if self.supported_only else "WARNING"
        self.add(pointer, f"{what} on AWS only, not on the engine of Cirrus", UNSUPPORTED, severity)

    def add(self, pointer: str, message: str, code: str, severity: str) -> None:
        """One more finding; after a thousand no more are kept."""
        if len(self.found) < MOST:
            line = self.source.line(pointer)
            self.found.append(Diagnostic(code, pointer or "/", message, severity, line))

    def required(self, raw: Mapping[str, Any], names: Iterable[str], pointer: str) -> bool:
        """Whether all of the fields are there."""
        missing = [name for name in names if name not in raw]
        if missing:
            self.error(pointer, f"These fields are required: [{', '.join(missing)}]")
        return not missing

    def known(self, raw: Mapping[str, Any], names: Iterable[str], pointer: str, where: str) -> None:
        """Report fields that do not belong here."""
        allowed = frozenset(names)
        for name in raw:
            if name not in allowed:
                hint = nearest(name, allowed)
                self.error(f"{pointer}/{escape(name)}", f"Field '{name}' is not supported in {where}{hint}")

    def exclusive(self, raw: Mapping[str, Any], names: Iterable[str], pointer: str) -> None:
        """Report fields of which only one may be given."""
        given = [name for name in names if name in raw]
        if len(given) > 1:
            self.error(pointer, f"Only one of these fields may be given: [{', '.join(given)}]")


def alike(name: str, allowed: frozenset[str]) -> str | None:
    """The allowed name that a name differs from in case or little else; none is looked for among very many."""
    from difflib import get_close_matches

    close = get_close_matches(name, sorted(allowed), 1, 0.8) if len(allowed) <= MOST_NAMES else []
    return close[0] if close else None


def nearest(name: str, allowed: frozenset[str]) -> str:
    """A hint at the allowed name that was meant."""
    close = alike(name, allowed)
    return "" if close is None else f"; did you mean '{close}'?"


def kind_of(value: Any) -> str:
    """The JSON type of a value, for messages."""
    for kind, name in ((bool, "a boolean"), (dict, "an object"), (list, "an array"), (str, "a string")):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "a number"
