"""The tasks of this project: one as a stactask class, one as a function."""

from __future__ import annotations

from typing import Any

from stactask import Task
from stactask.exceptions import InvalidInput


class Hello(Task):
    """Greets each Item in its title. Parameter: `greeting`."""

    name = "hello"
    description = "Greet each Item"

    def process(self, greeting: str = "Hello", **_: Any) -> list[dict[str, Any]]:
        """The Items of the payload, as full STAC Items."""
        return [self._greeted(item, greeting) for item in self.payload["features"]]

    def _greeted(self, item: dict[str, Any], greeting: str) -> dict[str, Any]:
        if "geometry" not in item:
            # The payload can never work: its record ends INVALID, and is not tried again.
            raise InvalidInput(f"Item {item['id']!r} has no geometry")
        self.logger.info("greeting %s", item["id"])
        properties = {**item.get("properties", {}), "title": f"{greeting}, {item['id']}"}
        full = {"type": "Feature", "stac_version": "1.1.0", "links": [], "assets": {}}
        return {**full, **item, "properties": properties}


def sign(payload: dict[str, Any]) -> dict[str, Any]:
    """Any function from payload to payload is a task, too."""
    for item in payload["features"]:
        item["properties"]["description"] = "Made by the workflow hello"
    return payload
