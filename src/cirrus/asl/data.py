"""JSON values inside the engine: shared freely, never changed, copied only where they cross its border.

A value that nobody looks inside may stay a Text, its JSON, all the way through.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

LIMIT = 262_144
MAX_DEPTH = 250


class NotJson(ValueError):
    """The value is nothing that JSON can hold, or is nested too deeply."""


UNREAD = object()


class Text:
    """A JSON value as its text in UTF-8; nobody changes it, nor the value that it gives."""

    __slots__ = ("_value", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._value: Any = UNREAD

    @property
    def value(self) -> Any:
        """The value, decoded when first asked for; raises NotJson."""
        if self._value is UNREAD:
            self._value = read(self.text)
        return self._value

    def __len__(self) -> int:
        return len(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Text({self.text!r})"


def read(text: bytes) -> Any:
    """The value of a JSON text; raises NotJson."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _read_odd(text)
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        dump(value)
    return value


def opened(value: Any) -> Any:
    """The value, decoded if it is a Text; raises NotJson."""
    return value.value if value.__class__ is Text else value


def admit(value: Any) -> tuple[Any, int]:
    """As `take`, but the Text of an object or array stays one; whether it is JSON shows when it is opened."""
    if value.__class__ is Text and value.text[:1] in (b"{", b"["):
        return value, len(value.text)
    return take(value)


def take(value: Any) -> tuple[Any, int]:
    """A private copy of a caller's JSON value, or what its Text holds, and its size as JSON; raises NotJson."""
    if value.__class__ is Text:
        return value.value, len(value.text)
    try:
        raw = orjson.dumps(value)
    except (TypeError, RecursionError):
        raw = _dump_odd(value)
        return json.loads(raw), len(raw)
    return orjson.loads(raw), len(raw)


def give(value: Any) -> Any:
    """A copy for a caller, who may then change it."""
    if value is None or value.__class__ in (str, int, float, bool, Text):
        return value
    return take(value)[0]


def dump(value: Any) -> bytes:
    """The value as compact JSON in UTF-8; raises NotJson."""
    try:
        return orjson.dumps(value, default=_open)
    except (TypeError, RecursionError):
        return _dump_odd(value)


def text(value: Any) -> str:
    """The value as compact JSON, the way it stands in causes and histories."""
    try:
        return dump(value).decode()
    except NotJson:
        return "<not JSON>"


def size(value: Any) -> int:
    """Bytes of the value as JSON, those of a Text as they stand; raises NotJson."""
    if value.__class__ is Text:
        return len(value.text)
    try:
        return len(orjson.dumps(value, default=_insert))
    except (TypeError, RecursionError):
        return len(_dump_odd(value))


def exceeds(value: Any, limit: int) -> bool:
    """Whether the value takes more than `limit` bytes as JSON, found without writing much more than that.

    For values that share parts, whose JSON may be very much larger than what they hold in memory.
    """
    left = limit
    stack = [value]
    while stack:
        top = stack.pop()
        kind = top.__class__
        if kind is dict:
            left -= 1 + len(top)
            for key, below in top.items():
                left -= len(key) + 3
                stack.append(below)
        elif kind is list:
            left -= 1 + len(top)
            stack.extend(top)
        else:
            left -= len(top.encode(errors="surrogatepass")) + 2 if kind is str else 1
        if left < 0:
            return True
    return False


def equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are the same: numbers by value, and no boolean is a number."""
    stack = [(left, right)]
    while stack:
        one, two = stack.pop()
        if isinstance(one, bool) or isinstance(two, bool):
            if one is not two:
                return False
        elif isinstance(one, dict) and isinstance(two, dict):
            if one.keys() != two.keys():
                return False
            stack.extend((one[key], two[key]) for key in one)
        elif isinstance(one, list) and isinstance(two, list):
            if len(one) != len(two):
                return False
            stack.extend(zip(one, two, strict=True))
        elif one != two:
            return False
    return True


def too_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether containers nest more than `limit` levels."""
    level = [value]
    for _ in range(limit):
        level = [
            below
            for top in level
            if isinstance(top, dict | list)
            for below in (top.values() if isinstance(top, dict) else top)
            if isinstance(below, dict | list)
        ]
        if not level:
            return False
    return True


def _dump_odd(value: Any) -> bytes:
    """For what orjson refuses: integers over 64 bits and lone surrogates."""
    if too_deep(value):
        raise NotJson(f"the value is nested more than {MAX_DEPTH} levels deep")
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False, default=_open).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJson(f"the value is not JSON: {error}") from None


def _open(value: Any) -> Any:
    if value.__class__ is Text:
        return value.value
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _insert(value: Any) -> Any:
    return orjson.Fragment(value.text) if value.__class__ is Text else _open(value)


def _read_odd(text: bytes) -> Any:
    """What orjson refuses: lone surrogates, and what is no JSON."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise NotJson(f"the text is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
