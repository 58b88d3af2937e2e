"""Raster files: which assets are some, and how they are opened. rasterio is imported late: it is an extra."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cirrus.errors import MissingExtra
from cirrus.tasks.assets import Asset, has_type, roles
from cirrus.tasks.errors import AssetError

CACHE_BYTES = 256 * 2**20
"""Memory for GDAL's blocks, in bytes as rasterio wants it: several rows of tiles of a Sentinel-2 band."""

_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2", "image/jpx")
_SUFFIXES = (".tif", ".tiff", ".jp2")
_LOOKS = {"thumbnail", "overview", "metadata"}
_MASKS = {"data-mask", "cloud", "cloud-shadow", "snow-ice", "land-water", "water-mask", "saturation"}


def is_raster(asset: Asset) -> bool:
    """Whether an asset is a GeoTIFF or JPEG 2000 of data, by its media type, else by its name."""
    if roles(asset) & _LOOKS:
        return False
    if asset.get("type"):
        return has_type(asset, *_TYPES)
    return str(asset.get("href", "")).lower().endswith(_SUFFIXES)


def is_mask(asset: Asset) -> bool:
    """Whether an asset holds classes or flags, of which no average may be taken."""
    fields = [asset, *(asset.get("bands") or []), *(asset.get("raster:bands") or [])]
    return bool(roles(asset) & _MASKS) or any(name.startswith("classification:") for one in fields for name in one)


@contextmanager
def environment() -> Iterator[Any]:
    """rasterio, with a cache that suits large bands unless the environment sets another."""
    try:
        import rasterio
    except ImportError:
        raise MissingExtra("work on rasters", "geo") from None
    options: dict[str, object] = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    if "GDAL_CACHEMAX" not in os.environ:
        options["GDAL_CACHEMAX"] = CACHE_BYTES
    with rasterio.Env(**options):
        yield rasterio


@contextmanager
def opened(path: Path, item: str, asset: str) -> Iterator[Any]:
    """The raster of an asset, open; AssetError if it is none."""
    from rasterio import open as open_raster
    from rasterio.errors import RasterioIOError

    try:
        raster = open_raster(path)
    except RasterioIOError as error:
        raise AssetError(item, asset, f"{path} is no raster that GDAL reads: {error}") from error
    with raster:
        if raster.count == 0:
            raise AssetError(item, asset, f"{path} holds no band, but subdatasets; name one of them")
        yield raster
