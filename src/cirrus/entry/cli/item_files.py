"""Items from files and URLs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cirrus.core.jsontext import decode
from cirrus.core.path_template import is_url
from cirrus.core.payload import check_features
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
    return found if several else [_at(value, url)]


def _at(item: dict[str, Any], url: str) -> dict[str, Any]:
    """The Item with an absolute `self` link: its own, or one to where it was read."""
    links = [link for link in item.get("links") or [] if isinstance(link, dict)]
    if any(link.get("rel") == "self" and _is_absolute(str(link.get("href"))) for link in links):
        return item
    others = [link for link in links if link.get("rel") != "self"]
    return {**item, "links": [*others, {"rel": "self", "href": url, "type": "application/geo+json"}]}


def _is_absolute(href: str) -> bool:
    return href.startswith("/") or is_url(href)
