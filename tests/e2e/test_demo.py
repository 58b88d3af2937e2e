"""The demo: real scenes through the command line, and everything it promises about what comes out."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from cirrus import demo
from tests.e2e.conftest import CIRRUS, Project

pystac = pytest.importorskip("pystac")
rasterio = pytest.importorskip("rasterio")
rio_cogeo = pytest.importorskip("rio_cogeo")
Image = pytest.importorskip("PIL.Image")

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The demo, run once as a user would, and what it printed."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    done = subprocess.run([*CIRRUS, "demo", str(folder)], capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return Project(folder), done.stdout.decode()


def test_only_the_failed_ones_ran_again(shown: tuple[Project, str]) -> None:
    project, _ = shown
    records = {one["payload_id"].rpartition("/")[2]: one for one in project.lines("manage", "local", "query")}
    assert len(records) == 6
    assert Counter(one["state"] for one in records.values()) == {"COMPLETED": 5, "INVALID": 1}
    assert [name for name, one in records.items() if one["state"] == "INVALID"] == [*demo.INVALID]
    assert {name for name, one in records.items() if len(one["executions"]) == 2} == {*demo.FAILS}
    assert {name for name, one in records.items() if len(one["executions"]) == 1} == records.keys() - {*demo.FAILS}


def test_states_are_shown_before_and_after(shown: tuple[Project, str]) -> None:
    _, printed = shown
    before, after = printed.split("After the fix:")
    before = before.split("Before the fix:")[1]
    for name in demo.FAILS:
        assert any(line.strip().startswith("FAILED") and name in line for line in before.splitlines())
        assert any(line.strip().startswith("COMPLETED") and name in line for line in after.splitlines())
    assert "--state FAILED --rerun | cirrus manage local process" in printed
    assert demo.BUG.right.strip() in printed


def test_items_are_valid_cogs_equal_their_sources_and_the_catalog_leads_to_them(shown: tuple[Project, str]) -> None:
    from cirrus.tasks.validation import validate_item

    project, _ = shown
    catalog = pystac.Catalog.from_file(str(project.folder / "catalog" / "catalog.json"))
    items = list(catalog.get_items(recursive=True))
    assert len(items) == 5
    assert [child.id for child in catalog.get_children()] == [demo.COLLECTION]
    assert len({json.dumps(item.geometry) for item in items}) == 5
    for item in items:
        raw = json.loads(Path(item.self_href).read_text())
        assert validate_item(raw) == []
        published = next(link.href for link in item.links if link.rel == "canonical")
        assert validate_item(json.loads(Path(published).read_text())) == []
        assert item.get_collection().id == demo.COLLECTION
        _check_bands(project, item)


def _check_bands(project: Project, item: pystac.Item) -> None:
    for name, number in (("blue", 2), ("green", 3), ("red", 4)):
        href = item.assets[name].href
        valid, errors, _ = rio_cogeo.cog_validate(href, strict=True)
        assert valid, errors
        source = project.folder / "inputs" / f"{item.id}_B{number}.tif"
        with rasterio.open(href) as cog, rasterio.open(source) as original:
            assert original.width >= 600
            assert not original.overviews(1)
            assert cog.overviews(1) == [2, 4]
            assert (cog.read() == original.read()).all()
            assert (cog.crs, cog.transform, cog.nodata) == (original.crs, original.transform, original.nodata)
    with Image.open(item.assets["thumbnail"].href) as thumbnail:
        assert max(thumbnail.size) == 256


def test_links_of_published_items_lead_somewhere(shown: tuple[Project, str]) -> None:
    project, _ = shown
    for record in project.lines("manage", "local", "query", "--state", "COMPLETED"):
        for url in record["outputs"]:
            item = json.loads(Path(url).read_text())
            for link in item["links"]:
                assert Path(link["href"]).exists(), link
