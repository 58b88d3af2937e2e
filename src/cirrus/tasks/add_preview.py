"""add-preview: a small picture of an Item, of one band in grey or three in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stactask.exceptions import InvalidInput

from cirrus.errors import MissingExtra
from cirrus.tasks import parameters
from cirrus.tasks.assets import Asset, AssetTask, Item, choose, roles
from cirrus.tasks.errors import AssetError
from cirrus.tasks.rasters import environment, is_mask, is_raster, opened

FORMATS = {"jpeg": ("jpg", "image/jpeg"), "png": ("png", "image/png"), "webp": ("webp", "image/webp")}

_COLOURS = ("red", "green", "blue")

Layer = tuple[str, int]
"""The key of an asset and the number of a band in it."""


class AddPreview(AssetTask):
    """Adds the assets `thumbnail` and, if asked for, `overview`, and uploads them to the Item's place.

    Parameters: `thumbnail` (pixels of its longer side, 256; 0 for none), `overview` (likewise; 0),
    `format` (jpeg, png, webp), `assets` (one key, or those of red, green and blue; default: by the bands'
    common names, else an asset of role visual, else the first raster), `bands` (band numbers in one
    asset), `percentiles` that become black and white ([2, 98]; 8-bit colour stays as it is unless they
    are given). What has no data is black in JPEG, transparent in the others.
    """

    name = "add-preview"
    description = "Add a thumbnail or an overview picture"
    version = "1.0.0"

    def process(self, **given: Any) -> list[Item]:
        """The Items, with their pictures among the assets."""
        options = _Options.of(given, self.payload.workflow_options)
        with environment():
            return [self._pictured(item, options) for item in self.copies()]

    def _pictured(self, item: Item, options: _Options) -> Item:
        layers = _layers(item, options)
        paths = {key: self.local(item, key) for key, _ in layers}
        suffix, media_type = FORMATS[options.format]
        name = item["id"].replace("/", "_")
        files: dict[str, Path] = {}
        for role, size in (("thumbnail", options.thumbnail), ("overview", options.overview)):
            if size:
                files[role] = self.folder(item) / f"{name}_{role}.{suffix}"
                draw(item["id"], layers, paths, size, options).save(files[role], **_SAVED[options.format])
                item.setdefault("assets", {})[role] = {
                    "href": str(files[role]),
                    "title": role.capitalize(),
                    "type": media_type,
                    "roles": [role],
                }
        self.upload(item, files)
        return item


_SAVED: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 85, "optimize": True},
    "png": {"optimize": True},
    "webp": {"quality": 85, "method": 4},
}


def draw(item: str, layers: Sequence[Layer], paths: Mapping[str, Path], size: int, options: _Options) -> Any:
    """A picture (PIL.Image) of one or three layers, its longer side `size` pixels at most."""
    import numpy as np

    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("a preview", "geo") from None
    arrays = _read(item, layers, paths, size)
    valid = ~np.logical_or.reduce([np.ma.getmaskarray(array) for array in arrays])
    bands = [_stretched(array, valid, options.percentiles, len(layers)) for array in arrays]
    if options.format == "jpeg":
        bands = [np.where(valid, band, 0).astype("uint8") for band in bands]
    else:
        bands.append(np.where(valid, 255, 0).astype("uint8"))
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[len(bands)]
    return Image.merge(mode, [Image.fromarray(band) for band in bands])


def _read(item: str, layers: Sequence[Layer], paths: Mapping[str, Path], size: int) -> list[Any]:
    """The layers as masked arrays of one shape, read at reduced resolution."""
    from rasterio.enums import Resampling

    with ExitStack() as stack:
        rasters = {key: stack.enter_context(opened(path, item, key)) for key, path in paths.items()}
        first = rasters[layers[0][0]]
        scale = min(1.0, size / max(first.width, first.height))
        shape = (max(1, round(first.height * scale)), max(1, round(first.width * scale)))
        arrays = []
        for key, band in layers:
            raster = rasters[key]
            if band > raster.count:
                raise AssetError(item, key, f"it has {raster.count} bands, and no band {band}")
            if not _same_place(first, raster):
                raise AssetError(item, key, f"it does not cover the same ground as asset {layers[0][0]!r}")
            arrays.append(raster.read(band, out_shape=shape, masked=True, resampling=Resampling.average))
        return arrays


def _same_place(one: Any, other: Any) -> bool:
    tolerance = max(*one.res, *other.res)
    return one.crs == other.crs and all(abs(a - b) <= tolerance for a, b in zip(one.bounds, other.bounds, strict=True))


def _stretched(array: Any, valid: Any, percentiles: tuple[float, float] | None, layers: int) -> Any:
    """The values as bytes, the percentiles of the valid ones black and white."""
    import numpy as np

    if percentiles is None and array.dtype == np.uint8 and layers == 3:
        return array.data
    values = array.data.astype("float32")
    counted = values[valid & np.isfinite(values)]
    if counted.size == 0:
        return np.zeros(array.shape, "uint8")
    low, high = np.percentile(counted, percentiles or (2, 98))
    scaled = (values - low) / max(high - low, 1e-9)
    return (np.clip(np.nan_to_num(scaled), 0, 1) * 255).round().astype("uint8")


def _layers(item: Item, options: _Options) -> list[Layer]:
    if options.assets:
        keys = choose(item, options.assets, lambda _: True)
        if len(keys) == 3:
            return [(key, 1) for key in keys]
        return [(keys[0], band) for band in options.bands or (1,)]
    assets = item.get("assets") or {}
    if options.bands is None and (found := _by_name(assets)):
        return found
    keys = [key for key in assets if "visual" in roles(assets[key]) and is_raster(assets[key])]
    if keys:
        return [(keys[0], band) for band in options.bands or (1, 2, 3)]
    keys = [key for key in assets if is_raster(assets[key]) and not is_mask(assets[key])]
    if not keys:
        raise AssetError(item["id"], "*", "the Item has no raster to make a picture of; name its 'assets'")
    return [(keys[0], band) for band in options.bands or (1,)]


def _by_name(assets: Mapping[str, Asset]) -> list[Layer]:
    """The layers of red, green and blue by the bands' common names; empty unless all three are there."""
    found: dict[str, Layer] = {}
    for key, asset in assets.items():
        if not is_raster(asset):
            continue
        named = asset.get("bands") or asset.get("eo:bands") or []
        for number, band in enumerate(named, 1):
            name = band.get("eo:common_name") or band.get("common_name")
            # A picture made for the eye has all three, and is better than its bands one by one.
            if name in _COLOURS and (name not in found or "visual" in roles(asset)):
                found[name] = (key, number)
    return [found[colour] for colour in _COLOURS] if len(found) == 3 else []


@dataclass(frozen=True, slots=True)
class _Options:
    thumbnail: int
    overview: int
    format: str
    assets: list[str] | None
    bands: tuple[int, ...] | None
    percentiles: tuple[float, float] | None

    @classmethod
    def of(cls, given: Mapping[str, Any], shared: Mapping[str, Any]) -> _Options:
        names = ("thumbnail", "overview", "format", "assets", "bands", "percentiles")
        parameters.known(given, names, shared)
        assets = None if given.get("assets") is None else parameters.texts("assets", given["assets"])
        bands = _band_numbers(given.get("bands"))
        if assets is not None and len(assets) not in (1, 3):
            raise InvalidInput(f"parameter 'assets' must be one key, or three (red, green, blue), not {len(assets)}")
        if bands is not None and assets is not None and len(assets) == 3:
            raise InvalidInput("parameter 'bands' goes with one asset, not with three")
        options = cls(
            parameters.integer("thumbnail", given.get("thumbnail", 256), 0, 8192),
            parameters.integer("overview", given.get("overview", 0), 0, 8192),
            parameters.choice("format", given.get("format", "jpeg"), tuple(FORMATS)),
            assets,
            bands,
            _percentiles(given.get("percentiles")),
        )
        if not options.thumbnail and not options.overview:
            raise InvalidInput("parameters 'thumbnail' and 'overview' are both 0: there is no picture to make")
        return options


def _band_numbers(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) not in (1, 3):
        raise InvalidInput(f"parameter 'bands' must be one number, or three, not {value!r}")
    return tuple(parameters.integer("bands", number, 1, 65536) for number in numbers)


def _percentiles(value: object) -> tuple[float, float] | None:
    if value is None:
        return None
    wrong = InvalidInput(f"parameter 'percentiles' must be two rising numbers from 0 to 100, not {value!r}")
    if not isinstance(value, list) or len(value) != 2:
        raise wrong
    low, high = value
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in value) or not 0 <= low < high <= 100:
        raise wrong
    return float(low), float(high)
