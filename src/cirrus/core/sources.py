"""Sources: the input Items of an execution, each with the href by which others know it, as its output Items link to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cirrus.core.path_template import is_url

GEOJSON = "application/geo+json"
MOST = 100
_KNOWN_BY = ("self", "canonical", "via")


@dataclass(frozen=True, slots=True)
class Source:
    """An input Item by its id, and its href: None where no link of it says one that holds elsewhere."""

    id: str
    href: str | None

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Source:
        """The Item as a source."""
        return cls(str(item.get("id")), href(item))


def href(item: Mapping[str, Any]) -> str | None:
    """The absolute href of an Item: its `self` link, else `canonical`, else `via`."""
    links = item.get("links")
    given = [link for link in links if isinstance(link, Mapping)] if isinstance(links, list) else []
    for rel in _KNOWN_BY:
        for link in given:
            if link.get("rel") == rel and is_absolute(str(link.get("href", ""))):
                return str(link["href"])
    return None


def is_absolute(place: str) -> bool:
    """Whether a href leads to the same place wherever it stands."""
    return place.startswith("/") or is_url(place)


def with_self(item: Mapping[str, Any], url: str) -> dict[str, Any]:
    """The Item with an absolute `self` link: its own, or one to where it was read."""
    links = [link for link in item.get("links") or [] if isinstance(link, Mapping)]
    if any(link.get("rel") == "self" and is_absolute(str(link.get("href"))) for link in links):
        return dict(item)
    others = [link for link in links if link.get("rel") != "self"]
    return {**item, "links": [*others, {"rel": "self", "href": url, "type": GEOJSON}]}


def hrefs_of(name: str, links: Iterable[Mapping[str, Any]], sources: Sequence[Source]) -> list[str]:
    """What an output Item of this id is to be linked to beside its own links.

    It comes from the input of the same id, else from the only one, else from all of them, unless a task has linked it
    or they are more than MOST.
    """
    same = [one for one in sources if one.id == name]
    chosen = same or sources
    linked = any(link.get("rel") == "derived_from" for link in links)
    if not same and len(sources) > 1 and (linked or len(sources) > MOST):
        return []
    return list(dict.fromkeys(one.href for one in chosen if one.href))
