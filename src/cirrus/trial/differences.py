"""Where two JSON values differ, place by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cirrus.asl.data import equal
from cirrus.asl.source import escape

ABSENT = object()
"""What stands for a member that is not there."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place, a JSON pointer below `what`, and what was expected and found there, either of them ABSENT."""

    what: str
    pointer: str
    expected: Any
    found: Any


def differences(what: str, expected: Any, found: Any, *, partly: bool = False) -> Iterator[Difference]:
    """Every place where `found` is not as expected; with `partly` it may have more members."""
    stack = [("", expected, found)]
    while stack:
        where, left, right = stack.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            keys = [key for key in right if key not in left and not partly]
            below = [(key, left.get(key, ABSENT), right.get(key, ABSENT)) for key in (*left, *keys)]
        elif isinstance(left, list) and isinstance(right, list):
            longest = max(len(left), len(right))
            below = [(at, _at(left, at), _at(right, at)) for at in range(longest)]
        else:
            if not _same(left, right):
                yield Difference(what, where, left, right)
            continue
        stack.extend((f"{where}/{escape(key)}", one, other) for key, one, other in reversed(below))


def _at(values: list[Any], at: int) -> Any:
    return values[at] if at < len(values) else ABSENT


def _same(left: Any, right: Any) -> bool:
    return left is right if left is ABSENT or right is ABSENT else equal(left, right)
