"""JSON text to values and back: strict, UTF-8, bounded in depth, never a RecursionError."""

from __future__ import annotations

from typing import Any

import orjson

from cirrus.errors import InvalidPayload

MAX_DEPTH = 200


def decode(text: bytes | str) -> Any:
    """The value of a JSON text; InvalidPayload names the line and column of what cannot be read."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"no valid JSON: {error}") from None


def encode(value: Any) -> bytes:
    """The compact JSON text of a value; InvalidPayload where it is no JSON or nested deeper than 200 levels."""
    try:
        return orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError) as error:
        reason = f"nested deeper than {MAX_DEPTH} levels" if nested_too_deep(value) else error
        raise InvalidPayload(f"cannot be written as JSON: {reason}") from None


def encode_pretty(value: Any) -> bytes:
    """The JSON text of a value, indented by two spaces."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2)


def nested_too_deep(value: Any) -> bool:
    """Whether a decoded JSON value has more than 200 levels of arrays and objects."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [member for member in members if isinstance(member, (dict, list))]


def escaped_size(text: bytes) -> int:
    """How many bytes a JSON text takes when it is itself written as a JSON string."""
    return len(text) + text.count(b'"') + text.count(b"\\") + 2


INLINE_LIMIT = 120_000


def fits_inline(text: bytes) -> bool:
    """Whether a payload travels inside a message (at most 120,000 bytes escaped) or as {"url": ...}."""
    if len(text) * 2 + 2 <= INLINE_LIMIT:
        return True
    return len(text) <= INLINE_LIMIT and escaped_size(text) <= INLINE_LIMIT
