"""The example examples/stactools on real metadata, task by task."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from stactask.exceptions import InvalidInput

from cirrus.tasks import BUILTIN
from cirrus.tasks.validation import validate_item

pytest.importorskip("jsonschema_rs")
pytest.importorskip("stactools.sentinel2")
pytest.importorskip("stactools.landsat")

pytestmark = pytest.mark.filterwarnings("ignore")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/stactools"
DATA = ROOT.parent / "shared/data"

NO_DATA = "S2B_OPER_MSI_L2A_DS_VGS1_20201101T095401_S20201101T074429-no-data"
ANTIMERIDIAN = "S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022158"
LANDSAT = "LC08_L2SP_005009_20150710_20200908_02_T2"
MIGRATED = {"created", "updated", "proj:epsg", "proj:code"}


@pytest.fixture
def data() -> Path:
    if not DATA.exists():
        pytest.skip(f"real scenes are not there: {DATA}")
    return DATA


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("CIRRUS_DATA", str(tmp_path / "data"))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("tasks", "payloads")]:
        del sys.modules[name]


def load(handler: str) -> Any:
    module, _, name = handler.partition(":")
    return getattr(importlib.import_module(module), name)


def payload(platform: str, folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = importlib.import_module("payloads").payload(platform, folder)
    return made


def run(given: dict[str, Any]) -> dict[str, Any]:
    """The published Item, by the task that the workflow chooses."""
    tasks = tomllib.loads((EXAMPLE / "cirrus.toml").read_text())["tasks"]
    platform = given["features"][0]["properties"]["platform"]
    name = "sentinel2-to-stac" if platform.startswith("sentinel-2") else "landsat-to-stac"
    task = load(tasks[name]["handler"])
    assert task.name == name
    between = json.loads(json.dumps(task.handler(given)))
    (item,) = json.loads(json.dumps(load(BUILTIN["publish"]).handler(between)))["features"]
    found: dict[str, Any] = item
    return found


def test_every_state_names_a_task() -> None:
    own = tomllib.loads((EXAMPLE / "cirrus.toml").read_text())["tasks"]
    states = yaml.safe_load((EXAMPLE / "workflows/metadata-to-stac.asl.yaml").read_text())["States"]
    named = {state["Parameters"]["FunctionName"] for state in states.values() if state["Type"] == "Task"}
    assert named == {f"${{{name}}}" for name in [*own, "publish"]}


def test_payloads_are_found(data: Path) -> None:
    found = importlib.import_module("payloads").scenes(data)
    assert {(platform, folder.name.removesuffix(".SAFE")) for platform, folder in found} == {
        *(("sentinel-2", folder.name.removesuffix(".SAFE")) for folder in (data / "sentinel2").iterdir()),
        ("landsat-8", LANDSAT),
    }


@pytest.mark.parametrize(
    "scene",
    [
        f"{ANTIMERIDIAN}.SAFE",
        "S2A_OPER_MSI_L1C_TL_SGS__20181231T203637_A018414_T10SDG",
        "S2A_OPER_MSI_L2A_TL_2APS_20240108T121951_A044635_T34VEL",
        "S2A_OPER_MSI_L2A_TL_VGS1_20220401T110010_A035382_T34LBQ",
    ],
)
def test_sentinel_2_as_expected(data: Path, project: Path, scene: str) -> None:
    folder = data / "sentinel2" / scene
    item = run(payload("sentinel-2", folder))
    expected = json.loads((folder / "expected_output.json").read_text())
    assert validate_item(item) == []
    assert item["id"] == expected["id"]
    assert item["collection"] == "sentinel-2"
    assert item["bbox"] == pytest.approx(expected["bbox"], abs=1e-6)
    assert item["geometry"]["type"] == expected["geometry"]["type"]
    assert rings(item["geometry"]) == pytest.approx(rings(expected["geometry"]), abs=1e-6)
    properties = item["properties"]
    for name, value in expected["properties"].items():
        if name not in MIGRATED:
            assert properties[name] == value, name
    code = expected["properties"].get("proj:code") or f"EPSG:{expected['properties']['proj:epsg']}"
    assert properties["proj:code"] == code
    assert set(item["assets"]) == set(expected["assets"])
    place = (properties["mgrs:utm_zone"], properties["mgrs:latitude_band"], properties["mgrs:grid_square"])
    path = project.joinpath("data/sentinel-2", *map(str, place), item["id"], f"{item['id']}.json")
    assert json.loads(path.read_text()) == item


def rings(geometry: dict[str, Any]) -> list[float]:
    """The numbers of a geometry, in order."""

    def numbers(nested: Any) -> Iterator[float]:
        for one in nested:
            if isinstance(one, int | float):
                yield float(one)
            else:
                yield from numbers(one)

    return list(numbers(geometry["coordinates"]))


def test_across_the_antimeridian(data: Path) -> None:
    item = run(payload("sentinel-2", data / f"sentinel2/{ANTIMERIDIAN}.SAFE"))
    assert item["geometry"]["type"] == "MultiPolygon"
    assert item["bbox"][0] > item["bbox"][2]


def test_a_scene_without_data_is_invalid(data: Path) -> None:
    with pytest.raises(InvalidInput, match="does not contain geometry"):
        run(payload("sentinel-2", data / "sentinel2" / NO_DATA))


@pytest.mark.parametrize("left_out", ["", "_SR_stac.json"])
def test_landsat(data: Path, project: Path, left_out: str) -> None:
    source = data / "landsat" / LANDSAT
    folder = project / LANDSAT
    folder.mkdir()
    for path in source.iterdir():
        if path.suffix in (".xml", ".json", ".txt") and not (left_out and path.name.endswith(left_out)):
            shutil.copy(path, folder)
    item = run(payload("landsat-8", folder))
    assert validate_item(item) == []
    assert item["id"] == "LC08_L2SP_005009_20150710_02_T2"
    assert item["properties"]["platform"] == "landsat-8"
    assert item["collection"] == "landsat-c2"
    usgs = json.loads((source / f"{LANDSAT}_SR_stac.json").read_text())
    assert item["bbox"] == pytest.approx(usgs["bbox"], abs=1e-5 if not left_out else 0.5)
    if not left_out:
        assert sorted(rings(item["geometry"])) == pytest.approx(sorted(rings(usgs["geometry"])), abs=1e-5)
    assert item["assets"]["red"]["href"] == str(folder / f"{LANDSAT}_SR_B4.TIF")
    assert json.loads((project / f"data/landsat-c2/2015/7/{item['id']}/{item['id']}.json").read_text()) == item


def test_bad_input(tmp_path: Path) -> None:
    for platform in ("sentinel-2", "landsat-8"):
        with pytest.raises(InvalidInput, match="there is no folder"):
            run(payload(platform, tmp_path / "none"))
        given = payload(platform, tmp_path)
        given["features"][0]["assets"] = {}
        with pytest.raises(InvalidInput, match="needs an asset 'metadata'"):
            run(given)
    with pytest.raises(InvalidInput, match="MTL"):
        run(payload("landsat-8", tmp_path))
    (tmp_path / "LC08_x_MTL.xml").write_text("<x/>")
    with pytest.raises(InvalidInput, match=r"neither LC08_x_SR_stac\.json nor LC08_x_ANG\.txt"):
        run(payload("landsat-8", tmp_path))
