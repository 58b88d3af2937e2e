"""ResultPath: where a state's result goes inside its input. Copies only the containers on the way."""

from __future__ import annotations

from typing import Any

from cirrus.asl import data
from cirrus.asl.definition import Place
from cirrus.asl.failure import RESULT_PATH, Failure
from cirrus.asl.paths import parse_reference


def compile_place(text: str | None) -> Place | None:
    """A function of (input, result); None where the result takes the input's place."""
    if text is None:
        return lambda given, result: given
    names = parse_reference(text).names
    if not names:
        return None

    def place(given: Any, result: Any) -> Any:
        try:
            return put(given, names, result)
        except (TypeError, IndexError):
            raise Failure(RESULT_PATH, f"Unable to apply ReferencePath {text} to input {data.text(given)}") from None

    return place


def put(given: Any, names: tuple[str | int, ...], result: Any) -> Any:
    """`given` with `result` at `names`, members made where they are missing."""
    containers: list[Any] = []
    node = given
    for name in names:
        if isinstance(name, str):
            if not isinstance(node, dict):
                raise TypeError
            containers.append(node)
            node = node.get(name, {})
        else:
            if not isinstance(node, list):
                raise TypeError
            containers.append(node)
            node = node[name]
    for name, container in zip(reversed(names), reversed(containers), strict=True):
        changed: Any = container.copy()
        changed[name] = result
        result = changed
    return result
