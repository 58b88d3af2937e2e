"""Where an output Item and its Assets would go under a process definition, if it came out as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.core import path_template
from cirrus.core.collection import assigned, upload_options
from cirrus.errors import CirrusError


@dataclass(frozen=True, slots=True)
class Placement:
    """One Item's output collection and the places of what is uploaded: URLs, or paths relative to the data store.

    `problem` says why there is no place, in which case `folder`, `item` and `assets` are empty.
    """

    id: str
    collection: str | None
    template: str = ""
    folder: str = ""
    item: str = ""
    assets: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields that say something."""
        told = {
            "id": self.id,
            "collection": self.collection,
            "path_template": self.template,
            "folder": self.folder,
            "item": self.item,
            "assets": dict(self.assets),
            "problem": self.problem,
        }
        return {name: value for name, value in told.items() if value}


def placement(definition: Mapping[str, Any], item: Mapping[str, Any]) -> Placement:
    """Where an Item would go; what keeps it from having a place is told, not raised."""
    name = str(item.get("id"))
    collection = template = None
    try:
        collection = assigned(definition, item)
        template = upload_options(definition, collection).get("path_template") or path_template.DEFAULT
        placed = item if collection is None else {**item, "collection": collection}
        folder = path_template.resolve(template, placed).rstrip("/")
        whole = path_template.resolve(template.rstrip("/") + "/${id}.json", placed)
    except CirrusError as error:
        return Placement(name, collection, template or "", problem=str(error))
    return Placement(name, collection, template, folder, whole, _assets(folder, item))


def _assets(folder: str, item: Mapping[str, Any]) -> dict[str, str]:
    """The places of Assets: the folder, and the last part of each href."""
    assets = item.get("assets")
    found: dict[str, str] = {}
    for key, asset in (assets if isinstance(assets, Mapping) else {}).items():
        href = asset.get("href") if isinstance(asset, Mapping) else None
        file = str(href or "").partition("?")[0].rstrip("/").rpartition("/")[2]
        if file:
            found[key] = f"{folder}/{file}"
    return found
