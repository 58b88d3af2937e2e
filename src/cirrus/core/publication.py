"""Publishing an output Item: the message's attributes, and the URL by which a record remembers the Item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROCESSING = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"
SOFTWARE, LINEAGE = "processing:software", "processing:lineage"

Attribute = str | float
_CORNERS = ("bbox.ll_lon", "bbox.ll_lat", "bbox.ur_lon", "bbox.ur_lat")


@dataclass(frozen=True, slots=True)
class Publication:
    """The message about one Item: its body is the Item itself; numbers are of the type Number, text is String."""

    item: Mapping[str, Any]
    attributes: Mapping[str, Attribute]


def publication(item: Mapping[str, Any]) -> Publication:
    """The message of an Item; what the Item does not have makes no attribute."""
    given = item.get("properties")
    properties: Mapping[str, Any] = given if isinstance(given, dict) else {}
    attributes: dict[str, Attribute] = {}
    if isinstance(item.get("collection"), str):
        attributes["collection"] = item["collection"]
    attributes |= _bbox(item.get("bbox")) | _times(properties)
    cloud = properties.get("eo:cloud_cover")
    if cloud is not None and _is_number(cloud):
        attributes["cloud_cover"] = cloud
    created, updated = properties.get("created"), properties.get("updated")
    if created and updated:
        attributes["status"] = "created" if created == updated else "updated"
    return Publication(item, attributes)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _bbox(bbox: Any) -> dict[str, Attribute]:
    if not isinstance(bbox, list) or len(bbox) not in {4, 6} or not all(map(_is_number, bbox)):
        return {}
    corners = bbox if len(bbox) == 4 else [bbox[0], bbox[1], bbox[3], bbox[4]]
    return dict(zip(_CORNERS, corners, strict=True))


def _times(properties: Mapping[str, Any]) -> dict[str, Attribute]:
    moment = properties.get("datetime")
    found = {
        "start_datetime": properties.get("start_datetime") or moment,
        "end_datetime": properties.get("end_datetime") or moment,
        "datetime": moment,
    }
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def output_url(item: Mapping[str, Any]) -> str | None:
    """The URL of an output Item: its `canonical` link, else `self`, else none."""
    links = item.get("links")
    hrefs = {
        link.get("rel"): link.get("href")
        for link in reversed(links if isinstance(links, list) else [])
        if isinstance(link, dict)
    }
    found = hrefs.get("canonical") or hrefs.get("self")
    return found if isinstance(found, str) else None


def output_items(payload: Any) -> list[dict[str, Any]]:
    """The Items of a workflow's output; none where it has no list of features."""
    features = payload.get("features") if isinstance(payload, dict) else None
    return [item for item in features if isinstance(item, dict)] if isinstance(features, list) else []
