"""Page tokens: where the next page of a query begins, opaque and checked when it comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any


def write(sort: str, ascending: bool, position: Sequence[int | str]) -> str:
    """The token of a position in a sorted list."""
    text = json.dumps([sort, ascending, list(position)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(token: str, sort: str, ascending: bool, shape: Sequence[type]) -> list[Any]:
    """The position in a token, of values of these types. ValueError if it is damaged or of another sort or order."""
    try:
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise _damaged() from None
    if not isinstance(found, list) or len(found) != 3:
        raise _damaged()
    if found[:2] != [sort, ascending]:
        raise ValueError("the page token belongs to another query: sort and order must stay the same")
    position = found[2]
    if not isinstance(position, list) or [type(value) for value in position] != list(shape):
        raise _damaged()
    return position


def _damaged() -> ValueError:
    return ValueError("the page token is damaged: give it as it was given to you, or none")
