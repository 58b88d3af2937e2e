"""scene-to-stac: the bands of a Landsat scene become a STAC Item."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import pystac
import rasterio
from rasterio.features import shapes
from rasterio.warp import transform_geom
from rio_stac.stac import create_stac_item, get_media_type, get_raster_info
from shapely.geometry import mapping, shape
from shapely.geometry.polygon import orient
from stactask import Task
from stactask.exceptions import InvalidInput

BANDS: dict[str, dict[str, Any]] = {
    "blue": {"name": "B2", "common_name": "blue", "center_wavelength": 0.48},
    "green": {"name": "B3", "common_name": "green", "center_wavelength": 0.56},
    "red": {"name": "B4", "common_name": "red", "center_wavelength": 0.65},
}
EO = "https://stac-extensions.github.io/eo/v1.1.0/schema.json"
RASTER = "https://stac-extensions.github.io/raster/v1.1.0/schema.json"


class SceneToStac(Task):
    """Input Items have an id, a datetime and the assets blue, green and red; what comes out is full STAC."""

    name = "scene-to-stac"
    description = "Landsat bands to STAC Item"
    version = "1.0.0"

    def process(self, **_: Any) -> list[dict[str, Any]]:
        """The Item of each scene, its footprint that of the pixels that are valid in every band."""
        return [self.to_item(source) for source in self.payload["features"]]

    def to_item(self, source: dict[str, Any]) -> dict[str, Any]:
        """One scene's Item."""
        with ExitStack() as opened:
            bands = {key: opened.enter_context(open_band(source, key)) for key in BANDS}
            blue = bands["blue"]
            item = create_stac_item(
                blue,
                id=source["id"],
                input_datetime=pystac.utils.str_to_datetime(source["properties"]["datetime"]),
                properties={"platform": "landsat-8", "instruments": ["oli"], "gsd": blue.res[0]},
                extensions=[EO, RASTER],
                assets={key: to_asset(key, band) for key, band in bands.items()},
                with_proj=True,
            )
            item.geometry = footprint(blue, valid_pixels(bands))
        item.bbox = list(shape(item.geometry).bounds)
        self.logger.info("%s: %s", item.id, item.bbox)
        full: dict[str, Any] = pystac.Item.from_dict(item.to_dict()).to_dict()
        collection = {"collection": source["collection"]} if "collection" in source else {}
        return {**full, **collection, "links": links(source)}


def open_band(source: dict[str, Any], key: str) -> Any:
    """The open raster of a band; InvalidInput where there is none, since trying again would not help."""
    try:
        href = source["assets"][key]["href"]
    except KeyError:
        raise InvalidInput(f"Item {source['id']!r} has no asset {key!r}") from None
    try:
        return rasterio.open(href)
    except rasterio.errors.RasterioIOError as error:
        raise InvalidInput(f"Item {source['id']!r}, asset {key!r}: no raster: {error}") from error


def to_asset(key: str, band: Any) -> pystac.Asset:
    """A band's asset: where it is, what it shows, and the statistics of its valid pixels."""
    return pystac.Asset(
        href=band.name,
        title=f"Band {BANDS[key]['name'][1:]} ({key})",
        media_type=get_media_type(band),
        roles=["data"],
        extra_fields={"eo:bands": [BANDS[key]], "raster:bands": get_raster_info(band)},
    )


def valid_pixels(bands: dict[str, Any]) -> Any:
    """1 where every band has a value, 0 elsewhere."""
    masks = [band.read_masks(1) > 0 for band in bands.values()]
    return np.logical_and.reduce(masks).astype("uint8")


def footprint(band: Any, valid: Any) -> dict[str, Any]:
    """The outline of the valid pixels in longitude and latitude, to within a pixel."""
    outlines = [shape(outline) for outline, value in shapes(valid, transform=band.transform)]
    (outline,) = outlines
    smooth = outline.simplify(band.res[0])
    geographic = shape(transform_geom(band.crs, "EPSG:4326", mapping(smooth), precision=6))
    return dict(mapping(orient(geographic)))


def links(source: dict[str, Any]) -> list[dict[str, Any]]:
    """A link to the Item that this one was made from."""
    origin = [link["href"] for link in source.get("links", []) if link["rel"] == "self"]
    return [{"rel": "derived_from", "href": href, "type": "application/geo+json"} for href in origin]


if __name__ == "__main__":
    SceneToStac.cli()
