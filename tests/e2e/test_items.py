"""Output Items as an operator meets them: listed, shown, validated, traced, and looked for in the catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Project, task_state

TASKS = '''
from pathlib import Path
from stactask import Task

class Raster(Task):
    """Makes one Item with another id, and a file."""
    name = "raster"
    version = "2.1.0"

    def process(self, **_):
        item = self.payload["features"][0]
        file = Path(self._workdir) / "band.tif"
        file.write_bytes(b"not really")
        made = {**item, "id": item["id"] + "-cog", "collection": "cogs", "links": [],
                "assets": {"band": {"href": str(file)}}}
        return [self.upload(made)]

    def upload(self, made):
        from pystac import Item
        item = self.upload_item_assets_to_s3(Item.from_dict(made))
        return item.to_dict(include_self_link=False, transform_hrefs=False)

class Mosaic(Task):
    name = "mosaic"
    version = "0.3.0"

    def process(self, **_):
        return [{**item, "id": item["id"] + "-mosaic", "collection": "mosaics"} for item in self.payload["features"]]
'''
SCENE = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "scene",
    "collection": "raw",
    "geometry": {"type": "Point", "coordinates": [1.0, 2.0]},
    "bbox": [1.0, 2.0, 1.0, 2.0],
    "properties": {"datetime": "2024-05-06T00:00:00Z", "eo:cloud_cover": 5},
    "links": [{"rel": "self", "href": "https://example.com/raw/scene.json"}],
    "assets": {},
}
UPLOAD = {"path_template": "${collection}/${id}"}
CHAIN = [{"workflow": "cog", "upload_options": UPLOAD}, {"workflow": "mosaic", "upload_options": UPLOAD}]
COG, MOSAIC = "raw/workflow-cog/scene", "cogs/workflow-mosaic/scene-cog"


@pytest.fixture
def done(project: Project) -> Project:
    """A chain of two workflows that has run to its end."""
    project.write("tasks/made.py", TASKS)
    project.write(
        "cirrus.toml",
        '[project]\nname = "test"\n[tasks.raster]\nhandler = "tasks.made:Raster"\n'
        '[tasks.mosaic]\nhandler = "tasks.made:Mosaic"\n',
    )
    for name, task in (("cog", "raster"), ("mosaic", "mosaic")):
        states = {task: task_state(task, Next="publish"), "publish": task_state("publish")}
        project.workflow(name, {"StartAt": task, "States": states})
    project.submit({"type": "FeatureCollection", "features": [SCENE], "process": CHAIN})
    project.drain()
    assert project.states() == {COG: "COMPLETED", MOSAIC: "COMPLETED"}
    return project


def manage(project: Project, *words: str) -> tuple[int, list[Any], str]:
    said = project.cirrus("manage", "local", *words)
    return said.returncode, [json.loads(line) for line in said.stdout.splitlines()], said.stderr.decode()


def test_items_are_listed_and_shown(done: Project) -> None:
    _, listed, _ = manage(done, "items")
    assert {one["id"]: (one["collection"], one["payload_id"]) for one in listed} == {
        "scene-cog": ("cogs", COG),
        "scene-cog-mosaic": ("mosaics", MOSAIC),
    }
    assert {one["datetime"] for one in listed} == {"2024-05-06T00:00:00Z"}
    _, (only,), _ = manage(done, "items", "list", "--workflow", "cog")
    assert only["href"] == str(done.folder / "data/cogs/scene-cog/scene-cog.json")
    assert json.loads(Path(only["href"]).read_text()) == done.json("manage", "local", "items", "show", "scene-cog")
    code, _, said = manage(done, "items", "show", "nothing")
    assert code == 3
    assert "no output Item 'nothing': no completed payload in local made it" in said


def test_items_tell_their_software_and_lineage(done: Project) -> None:
    item = done.json("manage", "local", "items", "show", "scene-cog-mosaic")
    assert item["properties"]["processing:software"] == {"raster": "2.1.0", "mosaic": "0.3.0", "publish": "1.0.0"}
    assert item["properties"]["processing:lineage"].startswith(f"Cirrus workflow mosaic, payload {MOSAIC}, execution ")
    source = str(done.folder / "data/cogs/scene-cog/scene-cog.json")
    assert source in derived_from(item)
    cog = done.json("manage", "local", "items", "show", "scene-cog")
    assert derived_from(cog) == ["https://example.com/raw/scene.json"]  # which its task had dropped


def derived_from(item: dict[str, Any]) -> list[str]:
    return [link["href"] for link in item["links"] if link["rel"] == "derived_from"]


def test_lineage_of_items_that_no_link_leads_to(done: Project) -> None:
    bare = {**SCENE, "id": "bare", "links": []}
    kept = {**bare, "collection": "mosaics"}
    for item in (bare, {**kept, "id": "bare-mosaic"}):
        done.submit({"features": [item], "process": [{"workflow": "mosaic", "upload_options": UPLOAD}]})
    done.drain()
    item = done.json("manage", "local", "items", "show", "bare-mosaic")
    assert derived_from(item) == []
    assert item["properties"]["processing:lineage"].endswith(", from bare")
    back = done.json("manage", "local", "lineage", "bare-mosaic")
    assert [one["item"] for one in back["from"]] == ["bare"]
    assert [one["made"][0]["item"] for one in back["used_by"]] == ["bare-mosaic-mosaic"]
    forward = done.json("manage", "local", "lineage", "bare")
    assert [one["made"][0]["item"] for one in forward["used_by"]] == ["bare-mosaic"]
    assert forward["used_by"][0]["made"][0]["used_by"][0]["made"][0]["item"] == "bare-mosaic-mosaic"


def test_an_item_is_not_used_by_the_payload_that_made_it(done: Project) -> None:
    done.write("tasks/same.py", "def same(payload):\n    return payload\n")
    toml = (done.folder / "cirrus.toml").read_text()
    done.write("cirrus.toml", f'{toml}\n[tasks.same]\nhandler = "tasks.same:same"\n')
    done.workflow("same", {"StartAt": "same", "States": {"same": task_state("same")}})
    done.submit({"features": [SCENE], "process": [{"workflow": "same"}]})
    done.drain()
    told = done.json("manage", "local", "lineage", "scene")
    assert told["made_by"]["payload_id"] == "raw/workflow-same/scene"
    assert [one["payload_id"] for one in told["used_by"]] == [COG]


def test_lineage_goes_back_and_forward(done: Project) -> None:
    told = done.json("manage", "local", "lineage", "scene-cog-mosaic")
    assert told["made_by"]["payload_id"] == MOSAIC
    assert [(one["state"], one["task"]) for one in told["made_by"]["tasks"]] == [
        ("mosaic", "mosaic"),
        ("publish", "publish"),
    ]
    (cog,) = told["from"]
    assert (cog["item"], cog["made_by"]["payload_id"]) == ("scene-cog", COG)
    (raw,) = cog["from"]
    assert raw == {"item": "scene", "collection": "raw", "href": "https://example.com/raw/scene.json"}
    told = done.json("manage", "local", "lineage", "scene")
    (used,) = told["used_by"]
    assert (used["payload_id"], used["made"][0]["item"]) == (COG, "scene-cog")
    assert used["made"][0]["used_by"][0]["made"][0]["item"] == "scene-cog-mosaic"
    assert done.json("manage", "local", "lineage", "scene", "--depth", "1")["used_by"][0]["made"][0]["used_by"] == []
    assert done.cirrus("manage", "local", "lineage", "nothing").returncode == 3


def test_items_are_validated(done: Project) -> None:
    pytest.importorskip("jsonschema_rs")
    code, lines, said = manage(done, "items", "validate")
    assert (code, {one["valid"] for one in lines}, said) == (0, {True}, "2 Items, 0 invalid\n")
    schema = {"$id": "https://stac-extensions.github.io/processing/v1.1.0/schema.json", "required": ["nothing"]}
    done.write("schemas/processing.json", json.dumps(schema))
    code, (line,), _ = manage(done, "items", "validate", "scene-cog", "--schemas", "schemas")
    assert code == 1
    assert "nothing" in line["problems"][0]


def test_the_catalog_is_checked(done: Project) -> None:
    code, flaws, said = manage(done, "catalog", "check")
    assert (code, flaws) == (0, [])
    assert said.startswith("2 Items and 2 Assets looked at, 0 flaws")
    (done.folder / "data/cogs/scene-cog/band.tif").unlink()
    next((done.folder / "catalog").rglob("scene-cog-mosaic.json")).unlink()
    code, flaws, _ = manage(done, "catalog", "check")
    assert code == 1
    assert sorted((one["problem"], one["item"]) for one in flaws) == [
        ("asset-missing", "scene-cog"),
        ("asset-missing", "scene-cog-mosaic"),
        ("not-in-catalog", "scene-cog-mosaic"),
    ]
    _, flaws, _ = manage(done, "catalog", "check", "--workflow", "cog")
    assert [one["problem"] for one in flaws] == ["asset-missing"]


def test_opening_an_item_tells_its_place_in_a_pipe(done: Project) -> None:
    said = done.ok("manage", "local", "items", "open", "scene-cog", "--asset", "band").decode()
    assert said == f"{done.folder}/data/cogs/scene-cog/band.tif\n"
    failed = done.cirrus("manage", "local", "items", "open", "scene-cog")
    assert failed.returncode == 3
    assert b"Item scene-cog has: band" in failed.stderr
