"""Payload templates of JSONPath states (Parameters, ResultSelector, ItemSelector, Assign), compiled to closures.

A member whose name ends in `.$` holds a path or a call; everything else is itself. What a template shares with
its input stays shared: JSON values are never changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cirrus.asl import data
from cirrus.asl.calls import CallEnvironment, InvalidCall, parse_call
from cirrus.asl.failure import runtime
from cirrus.asl.paths import MISSING, InvalidPath, Path, follow, is_path, parse_path

Evaluate = Callable[[Any, CallEnvironment], Any]

WHOLE = ("InputPath", "OutputPath")
"""Fields of which AWS says in other words that their path leads nowhere."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template: `evaluate(data, environment)` gives its value; `parts` counts its expressions."""

    evaluate: Evaluate
    parts: int
    paths: tuple[Path, ...] = ()


class InvalidTemplate(ValueError):
    """One member of a template is no path and no call; `pointer` leads to the object that holds it."""

    def __init__(self, pointer: tuple[str | int, ...], message: str, reason: str) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.reason = reason


def find_or_fail(path: Path, field: str) -> Evaluate:
    """A function that gives what the path finds, or fails with the path, the field and the input in its cause."""

    def find(value: Any, env: CallEnvironment) -> Any:
        found = path.find(value, env)
        if found is MISSING:
            document = path.document(value, env)
            if field in WHOLE and path.reference and path.root == "$":
                raise runtime(f"Invalid path '{path.text}' : {nowhere(path, document)}")
            shown = data.text(value if document is MISSING else document)
            raise runtime(
                f"The JSONPath '{path.text}' specified for the field '{field}' "
                f"could not be found in the input '{shown}'"
            )
        return found

    return find


def nowhere(path: Path, document: Any) -> str:
    """Where a path ends before its end."""
    for at in range(1, len(path.names)):
        if follow(document, path.names[:at]) is MISSING:
            return f"Missing property in path {path.spelled(at)}"
    return f"No results for path: {path.spelled(len(path.names))}"


def compile_expression(text: Any, field: str) -> tuple[Evaluate, tuple[Path, ...]]:
    """A path or a call as a function; raises InvalidPath or InvalidCall."""
    if not isinstance(text, str):
        raise InvalidPath(f"expected a string, found {data.text(text)[:100]}")
    if is_path(text):
        path = parse_path(text)
        return find_or_fail(path, field), (path,)
    return parse_call(text)


def compile_template(value: Any, errors: list[InvalidTemplate] | None = None) -> Template:
    """Compile a template; what is wrong is raised, or gathered in `errors` if given."""
    compiler = _Compiler()
    evaluate = compiler.compile(value, ())
    if compiler.errors and errors is None:
        raise compiler.errors[0]
    if errors is not None:
        errors.extend(compiler.errors)
    return Template(evaluate or (lambda data, env: value), compiler.parts, tuple(compiler.paths))


class _Compiler:
    def __init__(self) -> None:
        self.parts = 0
        self.paths: list[Path] = []
        self.errors: list[InvalidTemplate] = []

    def compile(self, value: Any, pointer: tuple[str | int, ...]) -> Evaluate | None:
        """The function of a value that holds expressions, or None for one that is always itself."""
        if isinstance(value, dict):
            return self.object(value, pointer)
        if isinstance(value, list):
            return self.array(value, pointer)
        return None

    def object(self, value: dict[str, Any], pointer: tuple[str | int, ...]) -> Evaluate | None:
        members: list[tuple[str, Evaluate]] = []
        fixed: dict[str, Any] = {}
        for key, item in value.items():
            evaluate = self.member(key, item, pointer)
            name = key.removesuffix(".$")
            if evaluate is None:
                fixed[name] = item
            else:
                members.append((name, evaluate))
                fixed[name] = None
        if not members:
            return None
        if len(members) == len(fixed):
            return lambda data, env: {name: find(data, env) for name, find in members}
        return lambda data, env: {**fixed, **{name: find(data, env) for name, find in members}}

    def member(self, key: str, item: Any, pointer: tuple[str | int, ...]) -> Evaluate | None:
        if not key.endswith(".$"):
            return self.compile(item, (*pointer, key))
        self.parts += 1
        try:
            evaluate, paths = compile_expression(item, key)
        except (InvalidPath, InvalidCall) as error:
            message = f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call"
            self.errors.append(InvalidTemplate(pointer, message, str(error)))
            return None
        self.paths.extend(paths)
        return evaluate

    def array(self, value: list[Any], pointer: tuple[str | int, ...]) -> Evaluate | None:
        items = [(item, self.compile(item, (*pointer, at))) for at, item in enumerate(value)]
        if all(evaluate is None for _, evaluate in items):
            return None
        return lambda data, env: [item if find is None else find(data, env) for item, find in items]
