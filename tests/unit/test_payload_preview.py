"""`cirrus payload preview`: what a user sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cirrus.entry.cli.main import cirrus
from cirrus.errors import InvalidPayload

ITEM = {"type": "Feature", "id": "a", "properties": {"datetime": "2024-05-06T00:00:00Z"}, "links": []}
DEFINITION = {
    "workflow": "w",
    "collection_matchers": [{"type": "catch_all", "collection_name": "out"}],
    "upload_options": {"path_template": "${collection}/${year}/${id}"},
}


def write(folder: Path, name: str, value: object) -> str:
    path = folder / name
    path.write_text(json.dumps(value))
    return str(path)


def test_items_and_a_definition(tmp_path: Path) -> None:
    item = {**ITEM, "assets": {"red": {"href": "./in/red.tif"}}}
    items = write(tmp_path, "items.json", {"type": "FeatureCollection", "features": [item, {**item, "id": "b"}]})
    process = write(tmp_path, "process.json", {"process": [DEFINITION]})
    done = CliRunner().invoke(cirrus, ["payload", "preview", items, "--process", process, "--raw"])
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first == {
        "id": "a",
        "collection": "out",
        "path_template": "${collection}/${year}/${id}",
        "folder": "out/2024/a",
        "item": "out/2024/a/a.json",
        "assets": {"red": "out/2024/a/red.tif"},
    }
    assert second["item"] == "out/2024/b/b.json"
    assert "as if each Item came out as it went in" in done.stderr
    assert done.exit_code == 0


def test_places_of_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "cirrus.toml").write_text('[project]\nname = "p"\n[deployments.local]\ndata = "s3://bucket/data"\n')
    given = json.dumps({"features": [ITEM], "process": [DEFINITION]})
    words = ["-p", str(tmp_path), "payload", "preview", "--deployment", "local", "--raw"]
    done = CliRunner().invoke(cirrus, words, input=given)
    assert json.loads(done.stdout)["item"] == "s3://bucket/data/out/2024/a/a.json"


def test_no_place_is_a_failure(tmp_path: Path) -> None:
    definition = {**DEFINITION, "upload_options": {"path_template": "${platform}/${id}"}}
    given = json.dumps({"features": [ITEM], "process": [definition]})
    done = CliRunner().invoke(cirrus, ["payload", "preview", "--raw"], input=given)
    assert "Item 'a' has no value for ${platform}" in json.loads(done.stdout)["problem"]
    assert done.exit_code == 1


def test_a_wrong_definition_is_refused(tmp_path: Path) -> None:
    process = write(tmp_path, "p.json", {"workflow": "a_b"})
    done = CliRunner().invoke(cirrus, ["payload", "preview", write(tmp_path, "i.json", ITEM), "--process", process])
    assert isinstance(done.exception, InvalidPayload)
    assert "p.json: process[0].workflow" in str(done.exception)


@pytest.mark.parametrize("words", [["item.json"], ["--process", "p.json"]])
def test_items_and_definition_go_together(tmp_path: Path, words: list[str]) -> None:
    write(tmp_path, "p.json", DEFINITION)
    done = CliRunner().invoke(cirrus, ["payload", "preview", *(str(tmp_path / w) if "." in w else w for w in words)])
    assert done.exit_code == 2
