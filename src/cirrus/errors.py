"""The error tree: what went wrong, where, and what to do; mapped to exit codes at the edge only.

CirrusError
├── ConfigError          cirrus.toml or a setting is wrong (file, key, expected)
├── InvalidPayload       a message is no valid payload, or can never become one (problems)
├── InvalidDefinition    a state machine definition is wrong (diagnostics)
├── NotFound             no such payload, execution, workflow, task, deployment or object (kind, name)
├── StoreError           a store or database could not be read or written; never taken for 'not there'
│   └── Fenced           the record has moved on to another execution (execution_id)
├── UploadError          an output could not be written to its place (url)
└── MissingExtra         an optional dependency is not installed (extra)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class CirrusError(Exception):
    """Anything that Cirrus itself reports to an operator."""


class ConfigError(CirrusError):
    """The project file or a setting is wrong; `problems` holds one line for each wrong key."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class InvalidPayload(CirrusError):
    """The message is no valid payload; `problems` names each field and what was expected."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a definition: its JSON pointer, line (0 if unknown), code, message, severity."""

    code: str
    location: str
    message: str
    severity: str = "ERROR"
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.location} (line {self.line})" if self.line else self.location
        return f"{self.severity} {self.code} at {where}: {self.message}"


class InvalidDefinition(CirrusError):
    """The state machine definition is wrong; `diagnostics` holds every finding, not only the first."""

    def __init__(self, diagnostics: Sequence[Diagnostic], source: str = "definition") -> None:
        self.diagnostics = tuple(diagnostics)
        self.source = source
        super().__init__("\n".join(f"{source}: {finding}" for finding in self.diagnostics))


class NotFound(CirrusError):
    """There is no such thing; `kind` says of what sort, `name` which."""

    def __init__(self, kind: str, name: str, hint: str = "") -> None:
        self.kind = kind
        self.name = name
        super().__init__(f"no {kind} {name!r}" + (f": {hint}" if hint else ""))


class StoreError(CirrusError):
    """A store could not be read or written; the work is not lost and may be tried again."""


class Fenced(StoreError):
    """The record has moved on: a write about `execution_id` was refused."""

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__(f"execution {execution_id} is no longer the current one of its payload")


class UploadError(CirrusError):
    """An output could not be written to `url`."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(f"cannot write {url}: {reason}")


class MissingExtra(CirrusError):
    """An optional dependency is missing; the message says how to install it."""

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs an extra: pip install 'cirrus[{extra}]'")
