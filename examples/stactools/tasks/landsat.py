"""landsat-to-stac: the metadata of a Landsat Collection 2 scene becomes an Item."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stactask import Task
from stactask.exceptions import InvalidInput
from stactools.landsat.stac import create_item
from tasks.source import metadata_folder


class LandsatToStac(Task):
    """Needs `*_MTL.xml`, and for the footprint `*_SR_stac.json` or `*_ANG.txt` beside it: nothing is fetched."""

    name = "landsat-to-stac"
    description = "Landsat metadata to STAC Item"

    def process(self, **_: Any) -> list[dict[str, Any]]:
        return [self.to_item(source) for source in self.payload["features"]]

    def to_item(self, source: dict[str, Any]) -> dict[str, Any]:
        folder = metadata_folder(source)
        mtl = next(iter(sorted(folder.glob("*_MTL.xml"))), None)
        if mtl is None:
            raise InvalidInput(f"Item {source['id']!r}: there is no *_MTL.xml in {folder}")
        item = create_item(str(mtl), use_usgs_geometry=has_footprint(source, mtl))
        self.logger.info("%s is %s", source["id"], item.id)
        return dict(item.to_dict(include_self_link=False))


def has_footprint(source: dict[str, Any], mtl: Path) -> bool:
    """Whether the footprint of the USGS lies beside; without, stactools would ask the USGS for it."""
    scene = mtl.name.removesuffix("_MTL.xml")
    named = f"{scene}_stac.json" if scene.startswith("LM") else f"{scene}_SR_stac.json"
    if (mtl.parent / named).exists():
        return True
    if not (mtl.parent / f"{scene}_ANG.txt").exists():
        raise InvalidInput(f"Item {source['id']!r}: neither {named} nor {scene}_ANG.txt in {mtl.parent}")
    return False


if __name__ == "__main__":
    LandsatToStac.cli()
