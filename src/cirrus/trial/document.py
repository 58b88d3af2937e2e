"""A file that a person wrote, JSON or YAML: its value, and everything that is wrong with it, each with its place."""

from __future__ import annotations

from typing import Any

from cirrus.asl.source import Source, Unusable, escape, read_source
from cirrus.errors import Diagnostic, InvalidDefinition

CODE = "INVALID_TEST"


class Document:
    """The value of a file and the problems found so far; `name` is what messages call the file."""

    def __init__(self, content: bytes, name: str) -> None:
        self.name = name
        self.problems: list[Diagnostic] = []
        try:
            self._source: Source = read_source(content)
        except Unusable as problem:
            place = f"line {problem.line}, column {problem.column}" if problem.line else "/"
            told = str(problem).replace("The definition", "The file")
            raise InvalidDefinition([Diagnostic(CODE, place, told, line=problem.line)], name) from None
        self._source.text = (self._source.text or "").replace("\t", " ")
        self.value: Any = self._source.value

    def tell(self, where: str, message: str) -> None:
        """One more problem, at a JSON pointer."""
        self.problems.append(Diagnostic(CODE, where or "/", message, line=self._source.line(where)))

    def finish(self) -> None:
        """Raise InvalidDefinition with every problem, if there was one."""
        if self.problems:
            raise InvalidDefinition(sorted(self.problems, key=lambda problem: problem.line), self.name)

    def table(self, value: Any, where: str, what: str) -> dict[str, Any]:
        """The value, which must be an object; an empty one where it is not."""
        if not isinstance(value, dict):
            self.tell(where, f"{what} is expected, an object, not {value!r:.100}")
            return {}
        return {str(key): member for key, member in value.items()}

    def member(self, table: dict[str, Any], key: str, where: str, what: str) -> dict[str, Any]:
        """A member that is an object; an empty one where it is not there."""
        return self.table(table[key], f"{where}/{escape(key)}", what) if key in table else {}
