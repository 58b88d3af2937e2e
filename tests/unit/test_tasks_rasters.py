"""copy-assets, convert-to-cog and add-preview, on windows of a real scene."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from stactask.exceptions import InvalidInput

from cirrus.core.path_template import DEFAULT
from cirrus.errors import NotFound, UploadError
from cirrus.tasks import kit
from cirrus.tasks.add_preview import AddPreview
from cirrus.tasks.assets import AssetTask
from cirrus.tasks.convert_to_cog import MEDIA_TYPE, ConvertToCog
from cirrus.tasks.copy_assets import CopyAssets
from cirrus.tasks.errors import AssetError

np = pytest.importorskip("numpy")
rasterio = pytest.importorskip("rasterio")
pytest.importorskip("PIL")

SCENES = Path(str(files("cirrus.demo"))) / "project/inputs"
EDGE = "LC08_L1TP_224077_20200518_acaray-edge"
INSIDE = "LC08_L1TP_224078_20200518_itaipu-dam"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIRRUS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def item(name: str = EDGE, **assets: Any) -> dict[str, Any]:
    bands = {"red": 4, "green": 3, "blue": 2}
    found = {
        colour: {
            "href": str(SCENES / f"{name}_B{number}.tif"),
            "type": "image/tiff; application=geotiff",
            "eo:bands": [{"name": f"B{number}", "common_name": colour}],
            "roles": ["data"],
        }
        for colour, number in bands.items()
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "c",
        "geometry": None,
        "properties": {"datetime": "2020-05-18T00:00:00Z", "proj:epsg": 32621},
        "links": [],
        "assets": assets or found,
    }


def run(task: type[AssetTask], *items: dict[str, Any], template: str = DEFAULT, **parameters: Any) -> list[Any]:
    process = {
        "workflow": "w",
        "upload_options": {"path_template": template},
        "tasks": {task.name: parameters},
    }
    features: list[Any] = task.handler({"features": list(items), "process": [process]})["features"]
    return features


def raster(path: Path, values: Any, **profile: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.atleast_3d(values.T).T if values.ndim == 2 else values
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    place = {"crs": "EPSG:32621", "transform": rasterio.Affine(30, 0, 694005, 0, -30, -2766615)}
    with rasterio.open(path, "w", **{"driver": "GTiff", "dtype": values.dtype, **shape, **place, **profile}) as sink:
        sink.write(values)
    return str(path)


# --- copy-assets


def test_copies_every_asset_and_nothing_else_of_the_item_changes(data: Path) -> None:
    (copied,) = run(CopyAssets, item())
    for key, number in (("red", 4), ("green", 3), ("blue", 2)):
        place = data / f"c/{EDGE}/{EDGE}_B{number}.tif"
        assert copied["assets"][key]["href"] == str(place)
        assert place.read_bytes() == (SCENES / place.name).read_bytes()
        copied["assets"][key]["href"] = item()["assets"][key]["href"]
    assert copied == item()


def test_copies_what_is_chosen() -> None:
    source = item()
    source["assets"]["blue"]["roles"] = ["other"]
    source["assets"]["notes"] = {"href": "/no/such/file", "type": "text/plain"}

    def moved(**parameters: Any) -> list[str]:
        (copied,) = run(CopyAssets, source, **parameters)
        return [key for key, asset in copied["assets"].items() if asset["href"] != source["assets"][key]["href"]]

    assert moved(assets="red") == ["red"]
    assert moved(assets=["red", "blue"], roles=["data"]) == ["red"]
    assert moved(media_types=["image/tiff"]) == ["red", "green", "blue"]
    assert moved(roles=["other", "data"], media_types=["IMAGE/TIFF; application=geotiff"]) == ["red", "green", "blue"]
    assert moved(roles=["nobody's"]) == []


def test_size_and_checksum_are_set_when_asked_for() -> None:
    (copied,) = run(CopyAssets, item(), assets=["red"], size=True, checksum=True)
    content = (SCENES / f"{EDGE}_B4.tif").read_bytes()
    assert copied["assets"]["red"]["file:size"] == len(content)
    assert copied["assets"]["red"]["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
    assert copied["stac_extensions"] == ["https://stac-extensions.github.io/file/v2.1.0/schema.json"]


def test_files_of_one_name_are_told_apart(tmp_path: Path, data: Path) -> None:
    assets = {}
    for folder in ("R10m", "R20m"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "B02.txt").write_text(folder)
        assets[folder] = {"href": str(tmp_path / folder / "B02.txt")}
    (copied,) = run(CopyAssets, item(**assets))
    for folder in ("R10m", "R20m"):
        assert Path(copied["assets"][folder]["href"]).read_text() == folder


def test_two_items_do_not_overwrite_each_other() -> None:
    with pytest.raises(AssetError, match="is the place of"):
        run(CopyAssets, item(), {**item(), "id": "other"}, template="${collection}")


def test_what_is_at_its_place_stays_there(data: Path) -> None:
    (copied,) = run(CopyAssets, item())
    before = Path(copied["assets"]["red"]["href"]).stat().st_mtime_ns
    (again,) = run(CopyAssets, copied)
    assert again == copied
    assert Path(again["assets"]["red"]["href"]).stat().st_mtime_ns == before


def test_relative_and_file_hrefs_are_found(tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("x")
    source = item(one={"href": "./a b.txt"}, two={"href": f"file://{tmp_path}/a%20b.txt"})
    source["links"] = [{"rel": "self", "href": str(tmp_path / "item.json")}]
    (copied,) = run(CopyAssets, source)
    assert [Path(asset["href"]).read_text() for asset in copied["assets"].values()] == ["x", "x"]


def test_other_stores_are_read_through_the_worker_s(data: Path) -> None:
    class Bucket:
        def get(self, url: str) -> bytes:
            if url != "gs://bucket/x.txt":
                raise NotFound("object", url)
            return b"held"

        def exists(self, url: str) -> bool:
            raise AssertionError

        def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
            raise AssertionError

    with kit.provided(Bucket()):
        (copied,) = run(CopyAssets, item(x={"href": "gs://bucket/x.txt"}))
        assert Path(copied["assets"]["x"]["href"]).read_bytes() == b"held"
        with pytest.raises(AssetError, match=r"gs://bucket/y\.txt"):
            run(CopyAssets, item(y={"href": "gs://bucket/y.txt"}))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served/x.txt").write_text("over http")
    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_remote_assets_are_downloaded(served: str) -> None:
    source = item(x={"href": "./x.txt"})
    source["links"] = [{"rel": "self", "href": f"{served}/item.json"}]
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    try:
        (copied,) = run(CopyAssets, source)
        assert Path(copied["assets"]["x"]["href"]).read_text() == "over http"
        with pytest.raises(AssetError, match=r"cannot download .*none\.txt"):
            run(CopyAssets, item(x={"href": f"{served}/none.txt"}))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@pytest.mark.parametrize(
    ("task", "parameters", "error", "names"),
    [
        (CopyAssets, {"assets": []}, InvalidInput, "assets"),
        (CopyAssets, {"roles": [1]}, InvalidInput, "roles"),
        (CopyAssets, {"media_types": {}}, InvalidInput, "media_types"),
        (CopyAssets, {"checksum": "yes"}, InvalidInput, "checksum"),
        (CopyAssets, {"asset": ["red"]}, InvalidInput, "asset"),
        (CopyAssets, {"assets": ["nir"]}, AssetError, "'nir'.*there are: blue, green, red"),
        (ConvertToCog, {"assets": ["nir"]}, AssetError, "nir"),
        (ConvertToCog, {"compression": "JPEG"}, InvalidInput, "compression"),
        (ConvertToCog, {"blocksize": 100}, InvalidInput, "blocksize"),
        (ConvertToCog, {"blocksize": 200}, InvalidInput, "blocksize"),
        (ConvertToCog, {"blocksize": True}, InvalidInput, "blocksize"),
        (ConvertToCog, {"resampling": "best"}, InvalidInput, "resampling"),
        (ConvertToCog, {"overviews": -1}, InvalidInput, "overviews"),
        (AddPreview, {"thumbnail": "256"}, InvalidInput, "thumbnail"),
        (AddPreview, {"thumbnail": 0}, InvalidInput, "thumbnail"),
        (AddPreview, {"format": "gif"}, InvalidInput, "format"),
        (AddPreview, {"assets": ["red", "green"]}, InvalidInput, "assets"),
        (AddPreview, {"assets": ["red", "green", "blue"], "bands": 1}, InvalidInput, "bands"),
        (AddPreview, {"bands": [1, 2]}, InvalidInput, "bands"),
        (AddPreview, {"bands": [0, 1, 2]}, InvalidInput, "bands"),
        (AddPreview, {"bands": 2}, AssetError, "no band 2"),
        (AddPreview, {"percentiles": [98, 2]}, InvalidInput, "percentiles"),
        (AddPreview, {"percentiles": 2}, InvalidInput, "percentiles"),
        (AddPreview, {"assets": "nir"}, AssetError, "nir"),
    ],
)
def test_bad_parameters(task: Any, parameters: dict[str, Any], error: type[Exception], names: str) -> None:
    with pytest.raises(error, match=names):
        run(task, item(), **parameters)


@pytest.mark.parametrize("task", [CopyAssets, ConvertToCog, AddPreview])
def test_missing_files_and_escapes(task: Any, data: Path) -> None:
    with pytest.raises(AssetError, match=r"asset 'a': there is no file /no/such\.tif"):
        run(task, item(a={"href": "/no/such.tif"}))
    with pytest.raises(AssetError, match="it has no href"):
        run(task, item(a={"type": "image/tiff"}))
    with pytest.raises(UploadError, match=r"'\.\.'"):
        run(task, item(), template="../${id}")
    assert not data.exists()


# --- convert-to-cog


def test_bands_become_cogs_with_the_same_pixels(data: Path) -> None:
    cogeo = pytest.importorskip("rio_cogeo")
    (converted,) = run(ConvertToCog, item(), blocksize=256)
    for key, number in (("red", 4), ("green", 3), ("blue", 2)):
        asset = converted["assets"][key]
        assert asset["type"] == MEDIA_TYPE
        assert asset["href"] == str(data / f"c/{EDGE}/{EDGE}_B{number}.tif")
        assert cogeo.cog_validate(asset["href"], strict=True) == (True, [], [])
        with rasterio.open(SCENES / f"{EDGE}_B{number}.tif") as source, rasterio.open(asset["href"]) as cog:
            assert source.overviews(1) == []
            assert cog.overviews(1) == [2, 4]
            assert (cog.read() == source.read()).all()
            for what in ("nodata", "crs", "transform", "dtypes"):
                assert getattr(cog, what) == getattr(source, what)
            assert cog.profile["blockxsize"] == 256
            assert cog.profile["compress"] == "deflate"
            assert cog.tags()["AREA_OR_POINT"] == "Point"
    assert {**converted, "assets": 0} == {**item(), "assets": 0}


@pytest.mark.parametrize(("wanted", "levels"), [(0, []), (1, [2]), (3, [2, 4, 8])])
def test_the_overviews_that_are_asked_for(wanted: int, levels: list[int]) -> None:
    (converted,) = run(ConvertToCog, item(), assets=["red"], overviews=wanted, compression="zstd")
    with rasterio.open(converted["assets"]["red"]["href"]) as cog:
        assert cog.overviews(1) == levels
        assert cog.profile["compress"] == "zstd"


def test_masks_have_no_averages(tmp_path: Path) -> None:
    classes = np.indices((600, 600)).sum(0).astype("uint8") % 2 * 8
    href = raster(tmp_path / "qa.tif", classes)
    fields = (
        {},
        {"roles": ["cloud"]},
        {"classification:classes": []},
        {"raster:bands": [{"classification:classes": []}]},
    )
    values = []
    for field in fields:
        (converted,) = run(ConvertToCog, item(qa={"href": href, **field}), blocksize=256)
        with rasterio.open(converted["assets"]["qa"]["href"], overview_level=0) as overview:
            values.append(set(np.unique(overview.read())))
    assert values[0] == {4}
    assert all(found <= {0, 8} for found in values[1:])


def test_scales_descriptions_masks_and_tags_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    raster(path, np.arange(2 * 300 * 300, dtype="float32").reshape(2, 300, 300), nodata=float("nan"))
    with rasterio.open(path, "r+") as sink:
        sink.scales, sink.offsets, sink.descriptions = (0.1, 1.0), (5.0, 0.0), ("one", "two")
        sink.update_tags(SENSOR="OLI")
        sink.update_tags(2, WAVELENGTH="0.65")
    (converted,) = run(ConvertToCog, item(x={"href": str(path)}))
    with rasterio.open(converted["assets"]["x"]["href"]) as cog:
        assert (cog.scales, cog.offsets, cog.descriptions) == ((0.1, 1.0), (5.0, 0.0), ("one", "two"))
        assert cog.tags()["SENSOR"] == "OLI"
        assert cog.tags(2)["WAVELENGTH"] == "0.65"
        assert np.isnan(cog.nodata)


def test_twelve_bit_jpeg2000(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 4096, (1, 300, 300)).astype("uint16")
    href = raster(tmp_path / "B02.jp2", values, driver="JP2OpenJPEG", NBITS=12, REVERSIBLE="YES", QUALITY="100")
    (converted,) = run(ConvertToCog, item(b={"href": href, "type": "image/jp2"}))
    assert converted["assets"]["b"]["href"].endswith("/B02.tif")
    with rasterio.open(converted["assets"]["b"]["href"]) as cog:
        assert (cog.read() == values).all()


def test_only_rasters_of_data_are_taken_and_stale_sizes_put_right(tmp_path: Path) -> None:
    source = item()
    source["assets"]["red"]["file:size"] = 1
    source["assets"]["thumbnail"] = {"href": "/no/such.tif", "roles": ["thumbnail"]}
    source["assets"]["mtl"] = {"href": "/no/such.txt", "type": "text/plain"}
    (converted,) = run(ConvertToCog, source)
    red = converted["assets"]["red"]
    assert red["file:size"] == Path(red["href"]).stat().st_size
    assert converted["assets"]["mtl"] == source["assets"]["mtl"]
    with pytest.raises(AssetError, match="no GeoTIFF"):
        run(ConvertToCog, item(mtl=source["assets"]["mtl"]))


def test_what_is_no_raster_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_text("<Error/>")
    for task in (ConvertToCog, AddPreview):
        with pytest.raises(AssetError, match=r"asset 'x': .*x\.tif is no raster"):
            run(task, item(x={"href": str(tmp_path / "x.tif")}))


# --- add-preview


def picture(source: dict[str, Any], role: str = "thumbnail", **parameters: Any) -> Any:
    from PIL import Image

    (pictured,) = run(AddPreview, source, **parameters)
    asset = pictured["assets"][role]
    assert asset["roles"] == [role]
    with Image.open(asset["href"]) as image:
        image.load()
    assert Image.MIME[str(image.format)] == asset["type"]
    return image


def test_a_thumbnail_in_colour_black_where_there_is_no_data() -> None:
    image = picture(item())
    assert (image.size, image.mode, image.format) == ((256, 154), "RGB", "JPEG")
    pixels = np.asarray(image).astype(int)
    assert pixels[-10:, :30].max() < 20
    land = pixels[:60].reshape(-1, 3)
    assert land.std(0).min() > 30
    assert 40 < land.mean() < 200


@pytest.mark.parametrize("form", ["png", "webp"])
def test_transparent_where_the_format_can(form: str) -> None:
    image = picture(item(), format=form)
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    assert alpha[-1, 0] == 0
    assert alpha[0, 0] == 255


def test_the_colours_are_the_bands() -> None:
    image = picture(item(INSIDE), format="png")
    with rasterio.open(SCENES / f"{INSIDE}_B4.tif") as red:
        values = red.read(1, out_shape=(154, 256), resampling=rasterio.enums.Resampling.average)
    shades = np.asarray(image)[..., 0].astype(float)
    assert np.corrcoef(values.ravel(), shades.ravel())[0, 1] > 0.8


def test_overview_as_well_or_alone() -> None:
    (pictured,) = run(AddPreview, item(), overview=512)
    assert {"thumbnail", "overview"} < set(pictured["assets"])
    assert picture(item(), "overview", thumbnail=0, overview=2000).size == (640, 384)


def test_one_band_is_grey_and_chosen_ones_are_taken() -> None:
    assert picture(item(), assets=["red"]).mode == "L"
    assert picture(item(), assets=["red"], format="png").mode == "LA"
    assert picture(item(), assets=["red", "red", "blue"]).mode == "RGB"
    assert picture(item(x={"href": str(SCENES / f"{EDGE}_B2.tif")})).mode == "L"


def test_eight_bit_colour_stays_as_it_is(tmp_path: Path) -> None:
    values = np.stack([np.full((50, 40), shade, "uint8") for shade in (10, 120, 200)])
    href = raster(tmp_path / "rgb.tif", values, photometric="RGB")
    source = item(visual={"href": href, "type": "image/tiff", "roles": ["visual"]})
    assert np.asarray(picture(source, format="png"))[3, 3].tolist() == [10, 120, 200, 255]
    assert picture(source, format="png").size == (40, 50)


def test_nothing_valid_is_a_dark_picture(tmp_path: Path) -> None:
    href = raster(tmp_path / "x.tif", np.zeros((1, 20, 20), "uint16"), nodata=0)
    assert np.asarray(picture(item(x={"href": href}))).max() < 5


def test_bands_of_different_ground_are_refused(tmp_path: Path) -> None:
    href = raster(tmp_path / "x.tif", np.ones((1, 20, 20), "uint16"))
    source = item()
    source["assets"]["green"]["href"] = href
    with pytest.raises(AssetError, match=r"'green'.*same ground"):
        run(AddPreview, source)


def test_bands_of_different_resolution_are_one_picture(tmp_path: Path) -> None:
    source = item()
    with rasterio.open(SCENES / f"{EDGE}_B2.tif") as blue:
        values, transform = blue.read(out_shape=(192, 320)), blue.transform @ rasterio.Affine.scale(2)
    source["assets"]["blue"]["href"] = raster(tmp_path / "b.tif", values, transform=transform, nodata=0)
    assert picture(source).size == (256, 154)


def test_the_payload_passes_through_json() -> None:
    (pictured,) = run(AddPreview, *run(ConvertToCog, item()))
    assert json.loads(json.dumps(pictured)) == pictured
