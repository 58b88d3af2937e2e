"""The intrinsic functions of JSONPath states: `States.Format` and its kin, each a function of JSON values.

A function raises IntrinsicError for an argument that it cannot take; nothing here reads a clock or a dice of
its own: MathRandom and UUID draw from the random numbers they are given.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

from cirrus.asl import data

LONGEST_TEXT = 10_000
LONGEST_ARRAY = 1_000
LONGEST_RESULT = 1_000_000
HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
PLACE = re.compile(r"\\(.)|\{\}", re.DOTALL)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class IntrinsicError(ValueError):
    """An argument is of the wrong type, too long or out of range."""


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise IntrinsicError(f"Invalid arguments: expected an array, found {data.text(value)[:100]}")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise IntrinsicError(f"Invalid arguments: expected a string, found {data.text(value)[:100]}")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise IntrinsicError(f"Invalid arguments: expected a number, found {data.text(value)[:100]}")
    return value


def _whole(value: Any) -> int:
    number = _number(value)
    return number if isinstance(number, int) else math.floor(number + 0.5)


def _limited(value: str) -> str:
    if len(value) > LONGEST_TEXT:
        raise IntrinsicError(f"Invalid arguments: the string is longer than {LONGEST_TEXT} characters")
    return value


def format_text(template: Any, *values: Any) -> str:
    """The template with each `{}` replaced by the next value; a tuple is a template already cut at its places."""
    parts = template if isinstance(template, tuple) else _string(template).split("{}")
    if len(parts) - 1 != len(values):
        raise IntrinsicError(f"Invalid arguments: {len(parts) - 1} places for {len(values)} values")
    if data.exceeds(list(values), LONGEST_RESULT):
        raise IntrinsicError(f"Invalid arguments: the result would be longer than {LONGEST_RESULT} characters")
    shown = [show(value) for value in values]
    return "".join(piece for pair in zip(parts, [*shown, ""], strict=True) for piece in pair)


def cut_template(literal: str) -> tuple[str, ...]:
    """A literal template as it stands in the call, cut at its `{}`; a backslash keeps a brace, quote or backslash."""
    parts, last = [], 0
    for found in PLACE.finditer(literal):
        if found[1] is None:
            parts.append(literal[last : found.start()])
            last = found.end()
    parts.append(literal[last:])
    return tuple(ESCAPE.sub(r"\1", part) for part in parts)


def show(value: Any) -> str:
    """A value inside formatted text: containers as Java prints them, `{a=1, b=[]}`."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(show(item) for item in value) + "]"
    return data.text(value)


def string_to_json(value: Any) -> Any:
    """The JSON that the string holds; an empty string holds null."""
    if not _string(value).strip():
        return None
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise IntrinsicError(f"Invalid JSON: {error}") from None
    if data.too_deep(found):
        raise IntrinsicError("Invalid JSON: nested too deeply")
    return found


def json_to_string(value: Any) -> str:
    """The value as compact JSON."""
    if data.exceeds(value, LONGEST_RESULT):
        raise IntrinsicError(f"Invalid arguments: the result would be longer than {LONGEST_RESULT} characters")
    return data.text(value)


def json_merge(left: Any, right: Any, deep: Any) -> dict[str, Any]:
    """One object with the members of both, those of the second winning."""
    if deep is not False:
        raise IntrinsicError("Invalid arguments: only shallow merging is supported, the third argument must be false")
    if not isinstance(left, dict) or not isinstance(right, dict):
        raise IntrinsicError("Invalid arguments: expected two objects")
    return {**left, **right}


def partition(items: Any, length: Any) -> list[list[Any]]:
    """The array cut into arrays of at most `length`."""
    found, step = _array(items), _whole(length)
    if step <= 0:
        raise IntrinsicError("Invalid arguments: the chunk size must be a positive number")
    return [found[at : at + step] for at in range(0, len(found), step)]


def array_range(first: Any, last: Any, step: Any) -> list[int]:
    """The numbers from first to last, both included."""
    start, end, by = _whole(first), _whole(last), _whole(step)
    if by == 0:
        raise IntrinsicError("Invalid arguments: the step must not be zero")
    numbers = range(start, end + (1 if by > 0 else -1), by)
    if len(numbers) > LONGEST_ARRAY:
        raise IntrinsicError(f"Invalid arguments: the range holds more than {LONGEST_ARRAY} numbers")
    return list(numbers)


def get_item(items: Any, index: Any) -> Any:
    """The item at an index that exists."""
    at = _whole(index)
    if not 0 <= at < len(_array(items)):
        raise IntrinsicError(f"Invalid arguments: index {at} is out of range")
    return items[at]


def unique(items: Any) -> list[Any]:
    """The array without repetitions, in the order of first appearance."""
    seen: dict[str, Any] = {}
    for item in _array(items):
        seen.setdefault(_key(item), item)
    return list(seen.values())


def _key(item: Any) -> str:
    if isinstance(item, float) and item.is_integer():
        item = int(item)
    return json.dumps(item, sort_keys=True)


def contains(items: Any, wanted: Any) -> bool:
    """Whether the array holds the value."""
    return any(data.equal(item, wanted) for item in _array(items))


def encode(value: Any) -> str:
    """Base64 of the text's UTF-8."""
    return base64.b64encode(_limited(_string(value)).encode()).decode()


def decode(value: Any) -> str:
    """The text that a base64 string holds; its padding may be left out."""
    text = _limited(_string(value))
    padding = "" if text.endswith("=") else "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text + padding, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        raise IntrinsicError("Invalid arguments: the string is not base64") from None


def digest(value: Any, algorithm: Any) -> str:
    """The hash in hexadecimal of a string, or of any other value's JSON."""
    name = HASHES.get(_string(algorithm))
    if name is None:
        raise IntrinsicError(f"Invalid arguments: unknown algorithm, expected one of {', '.join(HASHES)}")
    content = _limited(value if isinstance(value, str) else json_to_string(value))
    return hashlib.new(name, content.encode(), usedforsecurity=False).hexdigest()


def split(value: Any, separators: Any) -> list[str]:
    """The parts between any of the separators' characters, empty ones left out."""
    if not _string(separators):
        return [_string(value)] if value else []
    return [part for part in re.split(f"[{re.escape(separators)}]", _string(value)) if part]


def add(one: Any, two: Any) -> int:
    """The sum of two numbers, each rounded first."""
    return _whole(one) + _whole(two)


def random_number(random: Random, first: Any, last: Any, seed: Any = None) -> int:
    """A whole number from first (included) to last (excluded), always the same for the same seed."""
    start, end = _whole(first), _whole(last)
    if start >= end:
        raise IntrinsicError("Invalid arguments: the start must be less than the end")
    source = random if seed is None else Random(_whole(seed))  # noqa: S311  # what the language asks for
    return source.randrange(start, end)


def uuid(random: Random) -> str:
    """A version 4 UUID."""
    return str(UUID(int=random.getrandbits(128), version=4))


def _length(items: Any) -> int:
    return len(_array(items))


def _make_array(*items: Any) -> list[Any]:
    return list(items)


PURE: dict[str, tuple[Callable[..., Any], int, int]] = {
    "States.Format": (format_text, 1, 100),
    "States.StringToJson": (string_to_json, 1, 1),
    "States.JsonToString": (json_to_string, 1, 1),
    "States.Array": (_make_array, 0, 1000),
    "States.ArrayPartition": (partition, 2, 2),
    "States.ArrayContains": (contains, 2, 2),
    "States.ArrayRange": (array_range, 3, 3),
    "States.ArrayGetItem": (get_item, 2, 2),
    "States.ArrayLength": (_length, 1, 1),
    "States.ArrayUnique": (unique, 1, 1),
    "States.Base64Encode": (encode, 1, 1),
    "States.Base64Decode": (decode, 1, 1),
    "States.Hash": (digest, 2, 2),
    "States.JsonMerge": (json_merge, 3, 3),
    "States.StringSplit": (split, 2, 2),
    "States.MathAdd": (add, 2, 2),
}
"""Name → (function, fewest arguments, most arguments)."""

RANDOM: dict[str, tuple[Callable[..., Any], int, int]] = {
    "States.MathRandom": (random_number, 2, 3),
    "States.UUID": (uuid, 0, 0),
}
"""As PURE, for functions that take the random numbers first."""
