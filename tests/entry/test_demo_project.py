"""The demo project's tasks in the order of its workflow, without the control process."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from stactask import Task
from stactask.exceptions import InvalidInput

from cirrus import demo
from cirrus.errors import ConfigError
from cirrus.tasks import BUILTIN

rasterio = pytest.importorskip("rasterio")
pytest.importorskip("rio_stac")
shapely = pytest.importorskip("shapely")

EXTENSION_SCHEMAS = Path(__file__).parents[3] / "shared/data/schemas/stac-extension-schemas.json"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    target = tmp_path / "my demo"
    demo.create(target)
    monkeypatch.setenv("CIRRUS_DATA", str(target / "data"))
    monkeypatch.syspath_prepend(str(target))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield target
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name == "tasks" or name.startswith("tasks.")]:
        del sys.modules[name]


def task(handler: str) -> type[Task]:
    module, _, name = handler.partition(":")
    found: type[Task] = getattr(importlib.import_module(module), name)
    return found


def steps(target: Path) -> list[Callable[[dict[str, Any]], dict[str, Any]]]:
    """The handlers of the workflow's states, in order, found as the definition names them."""
    forget()
    importlib.invalidate_caches()
    import tomllib

    own = {key: one["handler"] for key, one in tomllib.loads((target / "cirrus.toml").read_text())["tasks"].items()}
    definition = yaml.safe_load((target / "workflows/landsat-cog.asl.yaml").read_text())
    handlers, name = [], definition["StartAt"]
    while name:
        state = definition["States"][name]
        function = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("}")
        found = task({**BUILTIN, **own}[function])
        assert found.name == function
        handlers.append(found.handler)
        name = state.get("Next")
    return handlers


def run(target: Path, *only: str) -> tuple[dict[str, dict[str, Any]], dict[str, Exception]]:
    """The published Item or the error of each scene, or of those named."""
    done: dict[str, dict[str, Any]] = {}
    failed: dict[str, Exception] = {}
    handlers = steps(target)
    for payload in demo.payloads(target):
        scene = payload["features"][0]["id"]
        if only and scene not in only:
            continue
        try:
            for handler in handlers:
                payload = json.loads(json.dumps(handler(payload)))
            done[scene] = payload["features"][0]
        except Exception as error:
            failed[scene] = error
    return done, failed


def test_the_bug_fails_what_it_is_meant_to_and_its_fix_mends_it(project: Path) -> None:
    done, failed = run(project)
    assert len(done) == 3
    assert set(failed) == {*demo.FAILS, *demo.INVALID}
    for scene in demo.FAILS:
        assert isinstance(failed[scene], ValueError)
        assert "too many values to unpack" in str(failed[scene])
    for scene in demo.INVALID:
        assert isinstance(failed[scene], InvalidInput)
        assert f"{scene}', asset 'red': no raster" in str(failed[scene])
    demo.fix(project)
    mended, failed = run(project, *failed)
    assert set(failed) == set(demo.INVALID)
    done |= mended
    assert len(done) == 5
    footprints = {shapely.geometry.shape(item["geometry"]).wkt for item in done.values()}
    assert len(footprints) == 5
    for scene, item in done.items():
        check_item(project, scene, item)
        check_assets(project, scene, item)


def check_item(project: Path, scene: str, item: dict[str, Any]) -> None:
    place = project / f"data/landsat-cog/2020/5/18/{scene}/{scene}.json"
    assert json.loads(place.read_text()) == item
    assert item["collection"] == demo.COLLECTION
    assert item["properties"]["created"] == item["properties"]["updated"]
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert set(links) == {"self", "canonical", "collection", "derived_from"}
    assert links["self"] == links["canonical"] == str(place)
    assert links["derived_from"] == str(project / f"inputs/{scene}.json")
    pytest.importorskip("jsonschema_rs")
    from rasterio.warp import transform_geom

    from cirrus.tasks.validation import validate_item

    assert validate_item(item) == []
    footprint = shapely.geometry.shape(item["geometry"])
    assert footprint.is_valid
    assert footprint.exterior.is_ccw
    assert shapely.geometry.box(*item["bbox"]).buffer(1e-9).contains(footprint)
    raster = shapely.geometry.shape(item["properties"]["proj:geometry"])
    covered = item["assets"]["red"]["raster:bands"][0]["statistics"]["valid_percent"] / 100
    projected = shapely.geometry.shape(transform_geom("EPSG:4326", "EPSG:32621", item["geometry"]))
    assert raster.area == 640 * 384 * 900
    assert projected.area / raster.area == pytest.approx(covered, abs=0.005)
    assert (covered < 0.99) == (scene in demo.FAILS)


def check_assets(project: Path, scene: str, item: dict[str, Any]) -> None:
    from PIL import Image

    cogeo = pytest.importorskip("rio_cogeo")
    assert set(item["assets"]) == {"blue", "green", "red", "thumbnail"}
    for key, number in (("blue", 2), ("green", 3), ("red", 4)):
        href = item["assets"][key]["href"]
        assert href.startswith(str(project / "data/landsat-cog/2020/5/18"))
        assert cogeo.cog_validate(href, strict=True) == (True, [], [])
        with rasterio.open(href) as cog, rasterio.open(project / f"inputs/{scene}_B{number}.tif") as source:
            assert source.overviews(1) == []
            assert source.width >= 600
            assert cog.overviews(1) == [2, 4]
            assert (cog.read() == source.read()).all()
            assert cog.transform == source.transform
    with Image.open(item["assets"]["thumbnail"]["href"]) as thumbnail:
        assert thumbnail.size == (256, 154)


def test_extensions_are_followed(project: Path) -> None:
    rs = pytest.importorskip("jsonschema_rs")
    if not EXTENSION_SCHEMAS.exists():
        pytest.skip(f"the extensions' schemas are not there: {EXTENSION_SCHEMAS}")
    from cirrus.errors import NotFound
    from cirrus.schemas import load

    held = json.loads(EXTENSION_SCHEMAS.read_text())

    def retrieve(url: str) -> Any:
        try:
            return load(url)
        except NotFound:
            # PROJJSON, which no Item here uses, is in no bundle.
            return {key: value for key, value in held.get(url, {}).items() if key != "$id"}

    done, _ = run(project)
    checked = 0
    for item in done.values():
        for url in item["stac_extensions"]:
            if url in held:
                errors = rs.Draft7Validator(retrieve(url), retriever=retrieve, base_uri=url).iter_errors(item)
                assert [str(error) for error in errors] == []
                checked += 1
    assert checked


def test_create_refuses_what_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        demo.create(tmp_path)
    with pytest.raises(ConfigError, match="not a folder"):
        demo.create(tmp_path / "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["x"]


def test_the_fix_is_one_line_and_fits_once(tmp_path: Path) -> None:
    demo.create(tmp_path / "p")
    path = tmp_path / "p" / demo.BUG.file
    before = path.read_text().split("\n")
    demo.fix(tmp_path / "p")
    after = path.read_text().split("\n")
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new] == [
        (demo.BUG.wrong, demo.BUG.right)
    ]
    with pytest.raises(ConfigError, match="0 times"):
        demo.fix(tmp_path / "p")


def test_payloads_are_absolute_and_written_beside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo.create(Path("p"))
    payloads = demo.payloads(Path("p"))
    assert [json.loads(line) for line in (tmp_path / "p/payloads.ndjson").read_text().splitlines()] == payloads
    assert len(payloads) == 6
    for payload in payloads:
        (item,) = payload["features"]
        assert all(Path(asset["href"]).is_absolute() for asset in item["assets"].values())
        assert all(Path(asset["href"]).is_file() for asset in item["assets"].values())


def test_the_scenes_say_where_they_are_from_and_are_a_few_megabytes() -> None:
    inputs = Path(str(files("cirrus.demo"))) / "project/inputs"
    assert "public domain" in (inputs / "README.md").read_text()
    assert sum(path.stat().st_size for path in inputs.iterdir()) < 5_000_000


def test_a_scene_without_a_band_is_invalid_input(project: Path) -> None:
    payload = demo.payloads(project)[0]
    del payload["features"][0]["assets"]["green"]
    with pytest.raises(InvalidInput, match="no asset 'green'"):
        steps(project)[0](payload)
