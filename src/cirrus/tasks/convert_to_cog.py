"""convert-to-cog: rasters become Cloud-Optimized GeoTIFFs with overviews, pixel for pixel the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stactask.exceptions import InvalidInput

from cirrus.tasks import parameters
from cirrus.tasks.assets import Asset, AssetTask, Item, choose, file_info
from cirrus.tasks.errors import AssetError
from cirrus.tasks.rasters import environment, is_mask, is_raster, opened

MEDIA_TYPE = "image/tiff; application=geotiff; profile=cloud-optimized"

COMPRESSIONS = ("DEFLATE", "LZW", "ZSTD", "LZMA", "NONE")
RESAMPLINGS = ("auto", "nearest", "average", "bilinear", "cubic", "cubicspline", "lanczos", "mode", "rms")

_PREDICTED = ("DEFLATE", "LZW", "ZSTD")
_WHOLE_BYTES = ("8", "16", "32", "64")


class ConvertToCog(AssetTask):
    """Converts rasters by GDAL's COG driver, without loss, and uploads them to the Item's place.

    Parameters: `assets` (keys; default: every GeoTIFF and JPEG 2000 but thumbnails and overviews),
    `compression` (DEFLATE), `blocksize` (512), `resampling` of the overviews (auto: nearest for masks and
    classes, average for the rest), `overviews` (how many; default: until the smallest fits one block).
    """

    name = "convert-to-cog"
    description = "Convert rasters to Cloud-Optimized GeoTIFFs"
    version = "1.0.0"

    def process(self, **given: Any) -> list[Item]:
        """The Items, their rasters replaced by Cloud-Optimized GeoTIFFs."""
        options = _Options.of(given, self.payload.workflow_options)
        with environment():
            return [self._converted(item, options) for item in self.copies()]

    def _converted(self, item: Item, options: _Options) -> Item:
        wanted = (lambda _: True) if options.assets else is_raster
        keys = choose(item, options.assets, wanted)
        if not keys:
            raise AssetError(item["id"], "*", "the Item has no GeoTIFF or JPEG 2000 to convert")
        files: dict[str, Path] = {}
        for key in keys:
            source = self.local(item, key)
            taken = {file.name for file in files.values()}
            name = f"{source.stem}.tif"
            target = self.folder(item) / (name if name not in taken else f"{key.replace('/', '_')}_{name}")
            convert(source, target, item, key, options)
            files[key] = target
        for key, path in files.items():
            item["assets"][key]["type"] = MEDIA_TYPE
            file_info(item, key, path)
        self.upload(item, files)
        self.logger.info("%s: converted %s", item["id"], ", ".join(keys))
        return item


def convert(source: Path, target: Path, item: Item, key: str, options: _Options) -> None:
    """Write the raster `source` as a Cloud-Optimized GeoTIFF."""
    from rasterio.errors import RasterioError
    from rasterio.shutil import copy

    with opened(source, item["id"], key) as raster:
        creation = options.creation(raster, item["assets"][key])
        try:
            copy(raster, target, driver="COG", **creation)
        except RasterioError as error:
            raise AssetError(item["id"], key, f"{source} cannot be converted: {error}") from error


@dataclass(frozen=True, slots=True)
class _Options:
    assets: list[str] | None
    compression: str
    blocksize: int
    resampling: str
    overviews: int | None

    @classmethod
    def of(cls, given: Mapping[str, Any], shared: Mapping[str, Any]) -> _Options:
        parameters.known(given, ("assets", "compression", "blocksize", "resampling", "overviews"), shared)
        blocksize = parameters.integer("blocksize", given.get("blocksize", 512), 128, 4096)
        if blocksize % 16:
            raise InvalidInput(f"parameter 'blocksize' must be a multiple of 16, not {blocksize}")
        overviews = given.get("overviews")
        return cls(
            None if given.get("assets") is None else parameters.texts("assets", given["assets"]),
            parameters.choice("compression", given.get("compression", "DEFLATE"), COMPRESSIONS),
            blocksize,
            parameters.choice("resampling", given.get("resampling", "auto"), RESAMPLINGS),
            None if overviews is None else parameters.integer("overviews", overviews, 0, 16),
        )

    def creation(self, raster: Any, asset: Asset) -> dict[str, Any]:
        """The creation options of GDAL's COG driver for a raster."""
        options: dict[str, Any] = {
            "COMPRESS": self.compression,
            "BLOCKSIZE": self.blocksize,
            "OVERVIEW_RESAMPLING": self._resampled(raster, asset).upper(),
            "BIGTIFF": "IF_SAFER",
            # Overviews that the source brings may be of another kind, or of other pixels.
            "OVERVIEWS": "NONE" if self.overviews == 0 else "IGNORE_EXISTING",
        }
        bits = raster.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", "8")
        if self.compression in _PREDICTED and bits in _WHOLE_BYTES:
            options["PREDICTOR"] = "YES"
        if self.overviews:
            options["OVERVIEW_COUNT"] = self.overviews
        return options

    def _resampled(self, raster: Any, asset: Asset) -> str:
        if self.resampling != "auto":
            return self.resampling
        from rasterio.enums import ColorInterp

        return "nearest" if is_mask(asset) or ColorInterp.palette in raster.colorinterp else "average"
