"""Payloads for the scenes below a folder, as NDJSON: python payloads.py FOLDER | cirrus manage local process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PROCESS = {
    "workflow": "metadata-to-stac",
    "collection_matchers": [
        {
            "type": "jsonpath",
            "pattern": "$[?(@.properties.platform =~ '^sentinel-2')]",
            "collection_name": "sentinel-2",
        },
        {"type": "catch_all", "collection_name": "landsat-c2"},
    ],
    "upload_options": {"path_template": "${collection}/${year}/${month}/${id}"},
    "collection_options": {
        "sentinel-2": {
            "upload_options": {
                "path_template": "${collection}/${mgrs:utm_zone}/${mgrs:latitude_band}/${mgrs:grid_square}/${id}"
            }
        }
    },
}
MARKS = {"manifest.safe": "sentinel-2", "metadata.xml": "sentinel-2", "*_MTL.xml": "landsat-8"}


def scenes(root: Path) -> list[tuple[str, Path]]:
    """The platform and folder of each scene below a folder."""
    return sorted({(platform, path.parent) for mark, platform in MARKS.items() for path in root.rglob(mark)})


def payload(platform: str, folder: Path) -> dict[str, Any]:
    """What the workflow needs to know of a scene: its platform, and where its metadata lies."""
    item = {
        "type": "Feature",
        "id": folder.name.removesuffix(".SAFE"),
        "properties": {"platform": platform},
        "assets": {"metadata": {"href": str(folder.absolute()), "roles": ["metadata"]}},
    }
    return {"type": "FeatureCollection", "features": [item], "process": [{**PROCESS, "collections": platform}]}


if __name__ == "__main__":
    for found in scenes(Path(sys.argv[1])):
        sys.stdout.write(json.dumps(payload(*found)) + "\n")
