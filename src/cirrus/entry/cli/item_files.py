"""Items from files and URLs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cirrus.core.jsontext import decode
from cirrus.core.payload import check_features
from cirrus.core.sources import with_self
from cirrus.errors import InvalidPayload
from cirrus.ports.objects import Objects

_MOST = 5


def read_items(objects: Objects, place: str) -> list[Any]:
    """The Items at a path or URL: of a FeatureCollection, or of one STAC Item, whose relative hrefs lead from there."""
    url = place if "://" in place else str(Path(place).resolve())
    try:
        value = decode(objects.get(url))
    except InvalidPayload as error:
        raise InvalidPayload(f"{place}: {error}") from None
    several = isinstance(value, dict) and value.get("type") == "FeatureCollection"
    found = value.get("features") if several else [value]
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise InvalidPayload(f"{place}: a STAC Item, or a FeatureCollection with an array of them, is expected")
    if problems := check_features(found):
        raise InvalidPayload([f"{place}: {problem}" for problem in problems[:_MOST]])
    return found if several else [with_self(value, url)]
