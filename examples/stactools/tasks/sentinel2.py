"""sentinel2-to-stac: the metadata of a Sentinel-2 scene (SAFE, or a tile of the AWS archive) becomes an Item."""

from __future__ import annotations

from typing import Any

from stactask import Task
from stactask.exceptions import InvalidInput
from stactools.sentinel2.stac import create_item
from tasks.source import metadata_folder


class Sentinel2ToStac(Task):
    """Parameter: `asset_href_prefix`, which the hrefs of the assets begin with instead of the folder."""

    name = "sentinel2-to-stac"
    description = "Sentinel-2 metadata to STAC Item"

    def process(self, asset_href_prefix: str | None = None, **_: Any) -> list[dict[str, Any]]:
        return [self.to_item(source, asset_href_prefix) for source in self.payload["features"]]

    def to_item(self, source: dict[str, Any], prefix: str | None) -> dict[str, Any]:
        folder = metadata_folder(source)
        try:
            item = create_item(str(folder), asset_href_prefix=prefix)
        except ValueError as error:
            if "does not contain geometry" in str(error):
                # A scene of nodata only has no footprint, and never will.
                raise InvalidInput(f"Item {source['id']!r}: {error}") from error
            raise
        self.logger.info("%s is %s", source["id"], item.id)
        return dict(item.to_dict(include_self_link=False))


if __name__ == "__main__":
    Sentinel2ToStac.cli()
