"""Chaining: the output of one workflow becomes the payloads of the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.item_filter import matching_items
from cirrus.core.publication import output_items
from cirrus.errors import InvalidPayload


@dataclass(frozen=True, slots=True)
class Chain:
    """What follows an output: payload documents to queue, and why each branch that ended did."""

    next: tuple[dict[str, Any], ...]
    ended: tuple[str, ...]


_NOTHING = Chain((), ())


def chain(output: Any, definitions: Any) -> Chain:
    """What follows `output` where `definitions` are the process definitions, the finished one first."""
    rest = _rest(definitions)
    if not rest:
        return _NOTHING
    queued: list[dict[str, Any]] = []
    ended: list[str] = []
    for branch in _branches(rest):
        try:
            queued.append(_payload(output, branch))
        except _Ended as end:
            ended.append(f"{branch[0].get('workflow', 'unknown')}: {end}")
    return Chain(tuple(queued), tuple(ended))


class _Ended(Exception):
    """A branch has nothing to work on."""


def _rest(definitions: Any) -> list[Any]:
    return list(definitions[1:]) if isinstance(definitions, list) else []


def _branches(rest: list[Any]) -> Iterator[list[Any]]:
    head = rest[0]
    for first in head if isinstance(head, list) else [head]:
        yield [first if isinstance(first, dict) else {}, *rest[1:]]


def _payload(output: Any, process: list[Any]) -> dict[str, Any]:
    items: list[Any] = output_items(output)
    if not items:
        raise _Ended("the output has no Items")
    expression = process[0].get("chain_filter")
    if expression:
        try:
            items = matching_items(items, expression)
        except InvalidPayload as error:
            raise _Ended(str(error)) from None
    if not items:
        raise _Ended(f"chain_filter {expression!r} left no Items")
    kept: Mapping[str, Any] = {name: value for name, value in output.items() if name != "id"}
    return {**kept, "features": items, "process": process}
