"""JSONPath over payloads, in the dialect of jsonpath-ng with its extensions (`=~` included); compiled once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cirrus.errors import InvalidPayload


def check_filter(expression: str) -> None:
    """InvalidPayload if a chain filter does not parse."""
    _compiled(f"$.features[?({expression})]", expression)


def check_path(path: str) -> None:
    """InvalidPayload if a collection matcher's path does not parse."""
    _compiled(path, path)


def matching_items(items: Sequence[Any], expression: str) -> list[Any]:
    """The Items for which `$.features[?(<expression>)]` matches, in their order."""
    path = _compiled(f"$.features[?({expression})]", expression)
    try:
        found = [match.value for match in path.find({"features": list(items)})]
    except Exception as error:
        raise InvalidPayload(f"chain_filter {expression!r} cannot be applied: {error}") from None
    return found


def matches(path: str, item: Mapping[str, Any]) -> bool:
    """Whether a JSONPath finds just one value in an array that holds just the Item, as stactask matches."""
    try:
        return len(_compiled(path, path).find([item])) == 1
    except InvalidPayload:
        raise
    except Exception as error:
        raise InvalidPayload(f"{path!r} cannot be applied: {error}") from None


@lru_cache(maxsize=256)
def _compiled(path: str, shown: str) -> Any:
    from jsonpath_ng.ext.parser import parse

    try:
        return parse(path)
    except Exception as error:
        raise InvalidPayload(f"{shown!r} does not parse as JSONPath: {error}".replace("\n", " ")) from None
