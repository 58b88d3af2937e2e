"""The text of a definition, JSON or YAML, as a value; and the line on which each part of it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.asl import data
from cirrus.errors import Diagnostic

LONGEST = 1_048_576
DEEPEST = 200


class Unusable(Exception):  # carried to the caller as a diagnostic
    """The text holds no definition at all."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(slots=True)
class Source:
    """A definition and the text it came from, if there was one."""

    value: Any
    text: str | None = None
    repeated: tuple[str, ...] = ()
    _lines: dict[str, int] | None = field(default=None)

    def line(self, pointer: str) -> int:
        """The line on which the part at a pointer begins, 0 where that is not known."""
        if self.text is None:
            return 0
        if self._lines is None:
            self._lines = find_lines(self.text)
        while pointer and pointer not in self._lines:
            pointer = pointer.rpartition("/")[0]
        return self._lines.get(pointer, 0)


def read_source(definition: str | bytes | Mapping[str, Any]) -> Source:
    """The definition as a value of its own; raises Unusable."""
    if isinstance(definition, bytes):
        try:
            definition = definition.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Unusable(f"The definition is not UTF-8: {error}") from None
    source = read_text(definition) if isinstance(definition, str) else Source(definition)
    # The size first: YAML's aliases can make a small text a value that takes for ever to walk.
    if data.exceeds(source.value, LONGEST):
        raise Unusable(f"The definition is larger than {LONGEST} bytes")
    if data.too_deep(source.value, DEEPEST):
        raise Unusable(f"The definition is nested more than {DEEPEST} levels deep")
    if source.text is None:
        source.value = data.take(source.value)[0]
    return source


def read_text(text: str) -> Source:
    """JSON where the text begins with a brace or bracket or a quote, YAML elsewhere."""
    if len(text) > LONGEST:
        raise Unusable(f"The definition is larger than {LONGEST} bytes")
    if text.lstrip()[:1] in ("{", "[", '"'):
        return read_json(text)
    return read_yaml(text)


def read_json(text: str) -> Source:
    """A JSON text; notes names that one object holds twice."""
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            repeated.extend(sorted({name for name in names if names.count(name) > 1}))
        return found

    try:
        value = json.loads(text, object_pairs_hook=build, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise Unusable(error.msg, error.lineno, error.colno) from None
    except RecursionError:
        raise Unusable(f"The definition is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise Unusable(str(error)) from None
    return Source(value, text, tuple(repeated))


def no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON."""
    raise ValueError(f"{name} is not JSON")


def read_yaml(text: str) -> Source:
    """A YAML text whose only scalars are JSON's."""
    import yaml

    from cirrus.asl.yaml_loader import JsonLoader

    try:
        value = yaml.load(text, Loader=JsonLoader)  # noqa: S506  # derived from SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise Unusable(
            f"not JSON and not YAML: {error.problem}", mark.line + 1 if mark else 0, mark.column + 1 if mark else 0
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unusable(f"not JSON and not YAML: {error}") from None
    if not isinstance(value, dict):
        raise Unusable("neither a JSON nor a YAML object", 1, 1)
    return Source(value, text)


def find_lines(text: str) -> dict[str, int]:
    """Pointer → line, from 1; empty where the text cannot be followed."""
    import yaml

    from cirrus.asl.yaml_loader import JsonLoader

    lines: dict[str, int] = {}
    try:
        root = yaml.compose(text, Loader=JsonLoader)
    except (yaml.YAMLError, RecursionError):
        return lines
    stack: list[tuple[str, Any, int]] = [("", root, 1)]
    while stack and len(lines) < LONGEST:
        pointer, node, line = stack.pop()
        if pointer in lines:
            continue
        lines[pointer] = line
        if isinstance(node, yaml.MappingNode):
            stack.extend(
                (f"{pointer}/{escape(key.value)}", item, key.start_mark.line + 1)
                for key, item in node.value
                if isinstance(key, yaml.ScalarNode)
            )
        elif isinstance(node, yaml.SequenceNode):
            stack.extend((f"{pointer}/{at}", item, item.start_mark.line + 1) for at, item in enumerate(node.value))
    return lines


def escape(name: str | int) -> str:
    """A member's name as a part of a JSON pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")


def unusable(problem: Unusable) -> Diagnostic:
    """The one finding about a text that holds no definition."""
    where = f"line {problem.line}, column {problem.column}" if problem.line else "/"
    return Diagnostic("INVALID_JSON_DESCRIPTION", where, str(problem), line=problem.line)
