"""What `cirrus init` writes: complete, and its workflow's tasks run without the geo extra."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cirrus import scaffold
from cirrus.errors import ConfigError
from cirrus.tasks import BUILTIN


def test_its_files(tmp_path: Path) -> None:
    scaffold.create(tmp_path / "p", "my-project")
    found = {str(path.relative_to(tmp_path / "p")) for path in (tmp_path / "p").rglob("*") if path.is_file()}
    assert found == {
        ".gitignore",
        "README.md",
        "cirrus.toml",
        "payload.json",
        "tasks/hello.py",
        "workflows/hello.asl.yaml",
    }
    project = tomllib.loads((tmp_path / "p/cirrus.toml").read_text())
    assert project["project"]["name"] == "my-project"
    assert "my-project" in (tmp_path / "p/README.md").read_text()
    assert not any("{{" in path.read_text() for path in (tmp_path / "p").rglob("*") if path.is_file())
    definition = yaml.safe_load((tmp_path / "p/workflows/hello.asl.yaml").read_text())
    named = {state["Parameters"]["FunctionName"] for state in definition["States"].values() if "Parameters" in state}
    assert named == {"${hello}", "${sign}", "${publish}"}


@pytest.mark.parametrize("name", ["", "-x", "x-", "a b", "a/b", "../x", "ü", "x" * 65, "a\n", "{{name}}", '"'])
def test_names_that_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        scaffold.create(tmp_path / "p", name)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("name", ["x", "My_project.2", "a-b", "x" * 64])
def test_names_that_pass(tmp_path: Path, name: str) -> None:
    (tmp_path / "p").mkdir()
    scaffold.create(tmp_path / "p", name)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        scaffold.create(tmp_path, "x")
    with pytest.raises(ConfigError, match="not a folder"):
        scaffold.create(tmp_path / "x", "x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        scaffold.create(tmp_path / "dangling", "x")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(ConfigError, match="cannot be written"):
        scaffold.create(tmp_path / "x" / "p", "x")


CHAIN = """
import importlib, json, sys
sys.modules["rasterio"] = sys.modules["jsonschema_rs"] = sys.modules["numpy"] = None
from tasks.hello import Hello, sign
from cirrus.tasks.publish import Publish
payload = json.load(open("payload.json"))
for step in (Hello.handler, sign, Publish.handler):
    payload = json.loads(json.dumps(step(payload)))
json.dump(payload, sys.stdout)
"""


def test_its_tasks_run_without_the_geo_extra(tmp_path: Path) -> None:
    target = tmp_path / "p"
    scaffold.create(target, "x")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHAIN],
        cwd=target,
        env={"CIRRUS_DATA": str(target / "data"), "PYTHONPATH": ".", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (item,) = json.loads(run.stdout)["features"]
    assert item["properties"]["title"] == "Good morning, itaipu"
    assert json.loads((target / "data/greetings/2020/5/18/itaipu/itaipu.json").read_text()) == item
    pytest.importorskip("jsonschema_rs")
    from cirrus.tasks.validation import validate_item

    assert validate_item(item) == []


def test_its_invalid_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stactask.exceptions import InvalidInput

    scaffold.create(tmp_path / "p", "x")
    monkeypatch.syspath_prepend(str(tmp_path / "p"))
    payload: dict[str, Any] = json.loads((tmp_path / "p/payload.json").read_text())
    del payload["features"][0]["geometry"]
    try:
        with pytest.raises(InvalidInput, match="'itaipu' has no geometry"):
            importlib.import_module("tasks.hello").Hello.handler(payload)
    finally:
        for name in ("tasks", "tasks.hello"):
            sys.modules.pop(name, None)


def test_the_registry_names_tasks_that_exist_and_imports_none_of_them() -> None:
    for name, handler in BUILTIN.items():
        module, _, cls = handler.partition(":")
        assert getattr(importlib.import_module(module), cls).name == name
    code = "import sys, cirrus.tasks; print({'stactask', 'pystac', 'rasterio', 'numpy'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "set()"
