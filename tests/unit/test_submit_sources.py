"""Where payloads come from, how bare Items become payloads, and what tasks say of their parameters."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.local.task_parameters import TaskParameters
from cirrus.adapters.objects.store import ObjectStores
from cirrus.client import sources
from cirrus.core.process_text import read_process
from cirrus.errors import InvalidPayload, NotFound, StoreError
from cirrus.flow.compose import compose
from cirrus.ports.compute import TaskSpec
from cirrus.ports.parameters import Checked

ITEM = {"type": "Feature", "id": "a"}
PROCESS = [{"workflow": "w"}]
MACHINE = b'{"Resource": "arn:aws:lambda:local:000000000000:function:scale"}'


def composed(document: Any, **more: bool) -> list[Any]:
    return [json.loads(text) for text in compose([json.dumps(document).encode()], PROCESS, **more)]


def test_items_become_payloads() -> None:
    collection = {"type": "FeatureCollection", "features": [ITEM, {**ITEM, "id": "b"}]}
    assert [one["features"][0]["id"] for one in composed(collection)] == ["a", "b"]
    assert [len(one["features"]) for one in composed(collection, together=True)] == [2]
    assert composed(ITEM) == [{"type": "FeatureCollection", "features": [ITEM], "process": PROCESS}]


@pytest.mark.parametrize("document", [{"process": [{"workflow": "x"}], "features": []}, {"url": "s3://b/k"}, 7, []])
def test_what_is_no_bare_item_goes_through(document: Any) -> None:
    assert composed(document) == [document]
    assert list(compose([b"{no"], PROCESS)) == [b"{no"]


def test_process_definitions_in_files() -> None:
    text = '{"process": [{"workflow": "${w}", "upload_options": {"path_template": "${collection}/${id}"}}]}'
    (found,) = read_process(text, "f", {"w": "v"})
    assert found == {"workflow": "v", "upload_options": {"path_template": "${collection}/${id}"}}
    assert read_process('{"description": "d"}', "f", None, "w")[0]["workflow"] == "w"
    with pytest.raises(InvalidPayload, match=r"def\.json: no value for w"):
        read_process(text, "def.json")
    with pytest.raises(InvalidPayload, match=r"def.json: process\[0\].workflow: is missing"):
        read_process("{}", "def.json")


def test_documents_of_files_patterns_and_urls(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(f'{{"id":\n"{name}"}}\n')
    (tmp_path / "c.ndjson").write_text('{"id":"c"}\n{"id":"d"}')
    places = sources.files([str(tmp_path / "*.json"), (tmp_path / "c.ndjson").as_uri()])
    told: list[int] = []
    texts = sources.texts(ObjectStores(str(tmp_path)), places, told.append)
    assert [json.loads(text)["id"] for text in texts] == ["a", "b", "c", "d"]
    assert sum(told) == sum(file.stat().st_size for file in tmp_path.iterdir())
    assert sources.size(places) is None
    assert sources.size([str(tmp_path / "a.json")]) == 12


def test_places_that_are_not_there(tmp_path: Path) -> None:
    for place in (str(tmp_path / "no.json"), str(tmp_path / "*.tif")):
        with pytest.raises(NotFound, match="no file"):
            sources.files([place])
    with pytest.raises(NotFound, match="it is a folder"):
        sources.files([str(tmp_path)])
    with pytest.raises(StoreError, match="cannot read"):
        list(sources.texts(ObjectStores(str(tmp_path)), [str(tmp_path)]))


def test_an_item_that_is_alone_in_its_place_links_to_it(tmp_path: Path) -> None:
    file = tmp_path / "a.json"

    def read(text: str, *, features: bool = True) -> list[Any]:
        file.write_text(text)
        return [json.loads(one) for one in sources.texts(ObjectStores(), [str(file)], features=features)]

    link = {"rel": "self", "href": str(file), "type": "application/geo+json"}
    assert read(json.dumps(ITEM)) == [{**ITEM, "links": [link]}]
    own = {**ITEM, "links": [{"rel": "self", "href": "https://x.example/a"}]}
    for text in (ITEM, own, {"features": [ITEM]}, {**ITEM, "links": 7}, 7):
        whole = json.dumps(text)
        assert read(whole, features=False) == [text]
        assert text is ITEM or read(whole) == [text]
    assert read(f"{json.dumps(ITEM)}\n{json.dumps(own)}\n") == [ITEM, own]
    assert read("") == []
    file.write_text("{no")
    assert list(sources.texts(ObjectStores(), [file.as_uri()], features=True)) == [b"{no"]


# ---------------------------------------------------------------- parameters

MODEL = """
from pydantic import BaseModel, Field
print("noise")
class Scale:
    name = "scale"
    class Parameters(BaseModel):
        factor: float = Field(ge=0, description="by which values are multiplied")
        bands: list[str] = []
"""
SCHEMA = 'def scale(p):\n    return p\nscale.Parameters = {"properties": {"factor": {"type": "number"}}}\n'


class Project:
    def __init__(self, folder: Path, text: str) -> None:
        self.file = folder / "tasks" / "t.py"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(text)
        self.cache = folder / "root" / "parameters.json"
        name = "Scale" if "class Scale" in text else "scale"
        self.specs = {
            "scale": TaskSpec("scale", f"tasks.t:{name}"),
            "other": TaskSpec("other", "cirrus.tasks.publish:P"),
        }
        self.folder = folder

    def check(self, **given: Any) -> Checked:
        return TaskParameters(self.folder, self.specs, self.cache).check(MACHINE, given)


def test_parameters_are_held_to_the_model(tmp_path: Path) -> None:
    project = Project(tmp_path, MODEL)
    assert project.check(scale={"factor": 2, "bands": ["B4"]}) == Checked()
    assert project.check(scale={"factor": -1}).problems == (
        "tasks.scale.factor: -1 is less than the minimum of 0 (by which values are multiplied)",
    )
    assert project.check(scale={"factor": 1, "bans": []}).problems == (
        "tasks.scale.bans: is unknown; did you mean 'bands'?",
    )
    assert project.check().problems == ('tasks.scale: "factor" is a required property; it is missing',)
    assert project.check(scale={"factor": 1, "bands": [7]}).problems == (
        'tasks.scale.bands[0]: 7 is not of type "string"',
    )
    assert "tasks.t" not in sys.modules
    schema = TaskParameters(tmp_path, project.specs, project.cache).schema(MACHINE)
    assert schema["required"] == ["scale"]
    assert schema["properties"]["scale"]["properties"].keys() == {"factor", "bands"}


def test_parameters_are_asked_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, SCHEMA)
    assert project.check(scale={"factor": "x"}).problems == ('tasks.scale.factor: "x" is not of type "number"',)
    known = project.cache.read_bytes()
    with monkeypatch.context() as nothing:
        nothing.setattr(sys, "executable", "/no/such/python")
        assert project.check(scale={"factor": "x", "more": 1}).problems
    project.file.write_text(SCHEMA.replace("number", "string"))
    assert project.check(scale={"factor": "x"}) == Checked()
    assert project.cache.read_bytes() != known


def test_tasks_that_declare_nothing_take_anything(tmp_path: Path) -> None:
    project = Project(tmp_path, "def scale(p):\n    return p\n")
    assert project.check(scale={"whatever": 1}) == Checked()
    assert not project.cache.exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("class Scale:\n    Parameters = 7\n", "Parameters is a int; a pydantic model or a JSON schema"),
        ("import no_such_module  # Parameters\nclass Scale: pass\n", "no_such_module"),
        ("import os\nos._exit(3)  # Parameters\nclass Scale: pass\n", "the import ended the process"),
        ('class Scale:\n    Parameters = {"type": "nonsense"}\n', "nonsense"),
    ],
)
def test_what_cannot_be_checked_is_a_warning(tmp_path: Path, text: str, why: str) -> None:
    found = Project(tmp_path, text).check(scale={"factor": 1})
    assert found.problems == ()
    assert why in found.warnings[0]


def test_secrets_are_not_shown_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_SECRET", "canary")
    text = 'import os\nclass Scale:\n    Parameters = {"description": os.environ.get("BUCKET_SECRET", "nothing")}\n'
    project = Project(tmp_path, text)
    found = TaskParameters(tmp_path, project.specs, project.cache, ["BUCKET_SECRET"]).schema(MACHINE)
    assert found["properties"]["scale"]["description"] == "nothing"
