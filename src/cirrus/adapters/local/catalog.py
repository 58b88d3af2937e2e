"""The static catalog: published Items under collection, year, month and day, as plain STAC files.

Rules: one writer at a time (the outbox leases its targets, and a folder is locked while a day is written);
publishing writes the Item, its day, and only those parents that are new; every link inside the catalog is relative, so
that it can be moved.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cirrus.adapters.local.single_writer import single_writer
from cirrus.core.href import absolute
from cirrus.core.jsontext import decode, encode_pretty
from cirrus.core.keys import link_component
from cirrus.core.publication import output_items, output_url
from cirrus.errors import CirrusError, NotFound
from cirrus.ports.objects import Objects
from cirrus.ports.outbox import Delivery
from cirrus.ports.target import Failed

_VERSION = "1.1.0"
_OWN_LINKS = frozenset({"root", "parent", "collection", "self", "item", "child"})
_WITHOUT_COLLECTION = "no-collection"
_LATER = Failed("there was no time left: not tried yet", tried=False)
_JSON, _GEOJSON = "application/json", "application/geo+json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an Item stands: its collection (None for none), and folders for year, month and day."""

    collection: str | None
    date: tuple[str, ...]

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders from the root down."""
        return (link_component(self.collection or _WITHOUT_COLLECTION), *self.date)


def place(item: dict[str, Any]) -> Place:
    """Where an Item belongs: by its datetime, else its start_datetime, else `undated`."""
    properties = item["properties"]
    moment = properties.get("datetime") or properties.get("start_datetime")
    parts = moment[:10].split("-") if isinstance(moment, str) else []
    dated = len(parts) == 3 and all(part.isdigit() for part in parts)
    return Place(item.get("collection"), tuple(parts) if dated else ("undated",))


def problem(item: dict[str, Any]) -> str | None:
    """What keeps an output from being an Item of a catalog, if anything does."""
    if not isinstance(item.get("id"), str) or not item["id"]:
        return "an output Item has no id"
    for name, kind in (("properties", dict), ("assets", dict), ("links", list)):
        if not isinstance(item.get(name, kind()), kind) or (name == "properties" and name not in item):
            return f"output Item {item['id']!r} is no STAC Item: {name} is missing or of the wrong type"
    return None


class CatalogTarget:
    """Publishes the Items of output payloads to a static catalog below `root` (a folder or a store's URL).

    What was not begun `patience` seconds after it was given is left for another time: by then, if this process was
    asleep, another may have it, and have gone on to newer versions.
    """

    def __init__(self, root: str, objects: Objects, title: str, patience: float = 15.0) -> None:
        self._root = root.rstrip("/")
        self._objects = objects
        self._title = title
        self._patience = patience

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Write the Items of all deliveries, each day once; gives what failed, by delivery."""
        failures: dict[int, Failed] = {}
        until = time.monotonic() + self._patience
        days: dict[Place, dict[str, tuple[int, dict[str, Any]]]] = {}
        for delivery in deliveries:
            for item in output_items(decode(delivery.body)):
                wrong = problem(item)
                if wrong:
                    failures[delivery.id] = Failed(wrong, final=True)
                else:
                    days.setdefault(place(item), {})[item["id"]] = (delivery.id, item)
        for day, items in days.items():
            try:
                with single_writer(self._root, day.folders):
                    if time.monotonic() > until:
                        failures |= {number: _LATER for number, _ in items.values() if number not in failures}
                    else:
                        self._write_day(day, [item for _, item in items.values()])
            except CirrusError as error:
                failures |= {number: Failed(str(error)) for number, _ in items.values() if number not in failures}
        return failures

    def flaw(self, item: Mapping[str, Any]) -> str | None:
        """Why an output Item cannot be found in the catalog as it was published last; None if it can."""
        wrong = problem(dict(item))
        if wrong:
            return wrong
        day = place(dict(item))
        path = (*day.folders, f"{link_component(item['id'])}.json")
        found = self._get(path)
        if found is None:
            return f"there is no {self._url(path)}"
        here, wanted = (one["properties"].get("updated") for one in (found, item))
        if isinstance(here, str) and isinstance(wanted, str) and here < wanted:
            return f"{self._url(path)} is of {here}, and the Item of {wanted}"
        links = (self._get((*day.folders, "catalog.json")) or {}).get("links", [])
        if not any(link.get("href") == f"./{path[-1]}" for link in links):
            return f"{self._url(path)} is not linked from its day's catalog"
        return None

    def _write_day(self, day: Place, items: Sequence[dict[str, Any]]) -> None:
        for item in items:
            name = f"{link_component(item['id'])}.json"
            self._put((*day.folders, name), _item(item, day), _GEOJSON)
        self._link_items(day, items)
        self._make_parents(day)

    def _link_items(self, day: Place, items: Sequence[dict[str, Any]]) -> None:
        catalog = self._get((*day.folders, "catalog.json")) or _catalog(day, len(day.folders))
        links = {link["href"]: link for link in catalog["links"]}
        for item in items:
            href = f"./{link_component(item['id'])}.json"
            links[href] = {"rel": "item", "href": href, "type": _GEOJSON, "title": item["id"]}
        self._put((*day.folders, "catalog.json"), {**catalog, "links": list(links.values())})

    def _make_parents(self, day: Place) -> None:
        """From the day upwards, until a parent is met that stands and knows its child."""
        for depth in range(len(day.folders) - 1, -1, -1):
            path = (*day.folders[:depth], _file(day, depth))
            child = f"./{day.folders[depth]}/{_file(day, depth + 1)}"
            parent = self._get(path)
            if parent and any(link["href"] == child for link in parent["links"]):
                return
            parent = parent or (_root(self._title) if depth == 0 else _catalog(day, depth))
            title = (day.collection or "Items without a collection") if depth == 0 else day.folders[depth]
            link = {"rel": "child", "href": child, "type": _JSON, "title": title}
            self._put(path, {**parent, "links": [*parent["links"], link]})

    def _get(self, path: tuple[str, ...]) -> dict[str, Any] | None:
        try:
            found = decode(self._objects.get(self._url(path)))
        except NotFound:
            return None
        return found if isinstance(found, dict) else None

    def _put(self, path: tuple[str, ...], document: dict[str, Any], content_type: str = _JSON) -> None:
        self._objects.put(self._url(path), encode_pretty(document), content_type)

    def _url(self, path: tuple[str, ...]) -> str:
        return "/".join((self._root, *path))


def _file(day: Place, depth: int) -> str:
    return "collection.json" if depth == 1 and day.collection else "catalog.json"


def _up(levels: int, name: str) -> str:
    return "../" * levels + name if levels else f"./{name}"


def _root(title: str) -> dict[str, Any]:
    links = [{"rel": "root", "href": "./catalog.json", "type": _JSON}]
    description = "Published by Cirrus: by collection, year, month and day."
    return _node("Catalog", title, description, links)


def _node(kind: str, known: str, description: str, links: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": kind, "stac_version": _VERSION, "id": known, "description": description, "links": links}


def _catalog(day: Place, depth: int) -> dict[str, Any]:
    """The empty catalog or collection at a depth of the tree (1: the collection's)."""
    links = [
        {"rel": "root", "href": _up(depth, "catalog.json"), "type": _JSON},
        {"rel": "parent", "href": _up(1, _file(day, depth - 1)), "type": _JSON},
    ]
    if depth == 1 and day.collection:
        node = _node("Collection", day.collection, f"Items of the collection {day.collection}.", links)
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
        return {**node, "license": "other", "extent": extent}
    parts = "-".join((day.collection or _WITHOUT_COLLECTION, *day.date[: depth - 1]))
    return _node("Catalog", parts, f"Items of {' '.join(day.date[: depth - 1]) or _WITHOUT_COLLECTION}.", links)


def _item(item: dict[str, Any], day: Place) -> dict[str, Any]:
    """The Item as it stands in the catalog: links of the catalog's own, asset hrefs that do not depend on it."""
    base = output_url(item)
    assets = {name: _asset(asset, base) for name, asset in item.get("assets", {}).items()}
    return {**item, "links": [*_links(item, day, base)], "assets": assets}


def _links(item: dict[str, Any], day: Place, base: str | None) -> Iterator[dict[str, Any]]:
    depth = len(day.folders)
    yield {"rel": "root", "href": _up(depth, "catalog.json"), "type": _JSON}
    yield {"rel": "parent", "href": "./catalog.json", "type": _JSON}
    if day.collection:
        yield {"rel": "collection", "href": _up(depth - 1, "collection.json"), "type": _JSON}
    kept = [link for link in item.get("links", []) if isinstance(link, dict) and link.get("rel") not in _OWN_LINKS]
    if base and all(link.get("rel") != "canonical" for link in kept):
        yield {"rel": "canonical", "href": base, "type": _GEOJSON}
    yield from kept


def _asset(asset: Any, base: str | None) -> Any:
    href = asset.get("href") if isinstance(asset, dict) else None
    place = absolute(href, base) if isinstance(href, str) else None
    return asset if place is None else {**asset, "href": place}
