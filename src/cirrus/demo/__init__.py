"""The demo project: real Landsat windows through a real workflow, with one bad input and one bug to find.

Nothing here runs anything: the functions write the project, give its payloads, and mend its bug.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cirrus.errors import ConfigError
from cirrus.scaffold import copy, refuse_full

WORKFLOW = "landsat-cog"
COLLECTION = "landsat-cog"
PAYLOADS = "payloads.ndjson"


@dataclass(frozen=True, slots=True)
class Bug:
    """A wrong line of a project's file (a path relative to the project), and the line that mends it."""

    file: str
    wrong: str
    right: str


BUG = Bug(
    file="tasks/landsat.py",
    wrong="    outlines = [shape(outline) for outline, value in shapes(valid, transform=band.transform)]",
    right="    outlines = [shape(outline) for outline, value in shapes(valid, transform=band.transform) if value]",
)
"""What is not valid has its outline taken as well: a scene with an edge has two, where one is expected."""

INVALID = ("LC08_L1TP_224078_20200518_lost-download",)
"""Ids of the Items that can never work: their payloads end INVALID."""

FAILS = ("LC08_L1TP_224077_20200518_acaray-edge", "LC08_L1TP_224078_20200518_itaipu-lake")
"""Ids of the Items that hit the bug: their payloads end FAILED until it is mended."""


def create(target: Path) -> None:
    """Write the project, its scenes and `payloads.ndjson` into a new or empty folder, else ConfigError."""
    refuse_full(target)
    copy(files(__name__) / "project", target, {})
    lines = [json.dumps(payload) for payload in payloads(target)]
    (target / PAYLOADS).write_text("\n".join(lines) + "\n", "utf-8")


def payloads(target: Path) -> list[dict[str, Any]]:
    """One payload for each scene of the project in `target`, by id, with absolute hrefs."""
    return [_payload(path) for path in sorted((target.absolute() / "inputs").glob("*.json"))]


def fix(target: Path) -> None:
    """Mend the bug in the project's file; ConfigError unless its line stands there exactly once."""
    path = target / BUG.file
    lines = path.read_text("utf-8").split("\n")
    if lines.count(BUG.wrong) != 1:
        raise ConfigError(str(path), [f"the line to mend stands there {lines.count(BUG.wrong)} times, not once"])
    lines[lines.index(BUG.wrong)] = BUG.right
    path.write_text("\n".join(lines), "utf-8")


def _payload(path: Path) -> dict[str, Any]:
    item = json.loads(path.read_text("utf-8"))
    item["links"] = [{"rel": "self", "href": str(path), "type": "application/geo+json"}]
    for asset in item["assets"].values():
        asset["href"] = str((path.parent / asset["href"]).resolve())
    return {"type": "FeatureCollection", "features": [item], "process": [_process()]}


def _process() -> dict[str, Any]:
    return {
        "workflow": WORKFLOW,
        "description": "Landsat bands to Items with Cloud-Optimized GeoTIFFs and previews",
        "collection_matchers": [{"type": "catch_all", "collection_name": COLLECTION}],
        "upload_options": {"path_template": "${collection}/${year}/${month}/${day}/${id}"},
        "tasks": {"convert-to-cog": {"blocksize": 256}, "add-preview": {"thumbnail": 256}},
    }
