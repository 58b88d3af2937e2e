from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from cirrus.deploying import code
from cirrus.deploying.layout import Layout, layout
from cirrus.errors import ConfigError
from cirrus.settings import load_project
from tests.deploying.projects import small

SECRET = '[buckets.partner]\nsecret = "file:keys.json"\n[deployments.local]\ndata = "outputs"\n'


def laid(folder: Path, more: str = "") -> Layout:
    project = load_project(small(folder, more))
    return layout(project, project.deployments["prod"])


def names(found: Layout) -> set[str]:
    return {file.relative_to(found.project.folder).as_posix() for file in code.project_files(found)}


def fill(folder: Path) -> None:
    """What lies about in projects."""
    for name in ("keys.json", ".env", "outputs/a.tif", "venv/pyvenv.cfg", "venv/lib.py", "tasks/__pycache__/x.pyc"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (folder / "tables").mkdir()
    (folder / "tables/bands.csv").write_text("b")


def test_code_is_the_projects_own_files(tmp_path: Path) -> None:
    found = laid(tmp_path / "p", SECRET)
    fill(found.project.folder)
    assert names(found) == {"cirrus.toml", "tasks/mine.py", "workflows/greet.asl.json", "tables/bands.csv"}


def test_code_is_what_git_keeps(tmp_path: Path) -> None:
    found = laid(tmp_path / "p", SECRET)
    folder = found.project.folder
    fill(folder)
    (folder / ".gitignore").write_text("tables/\nvenv/\n")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    assert names(found) == {"cirrus.toml", "tasks/mine.py", "workflows/greet.asl.json"}


def test_same_code_has_the_same_name(tmp_path: Path) -> None:
    found = laid(tmp_path / "p")
    wheels, built = tmp_path / "wheels", tmp_path / "built"
    (wheels / "dep").mkdir(parents=True)
    built.mkdir()
    (wheels / "dep/__init__.py").write_text("x = 1")
    files = code.project_files(found)
    first = code._zipped(found, built, "tasks", wheels, files)
    with zipfile.ZipFile(first.file) as archive:
        held = set(archive.namelist())
        assert {one.date_time for one in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {"dep/__init__.py", "cirrus/entry/lambdas/task.py", "tasks/mine.py", "cirrus.toml"} <= held
    assert not [name for name in held if "__pycache__" in name]
    files[0].touch()
    assert code._zipped(found, built, "tasks", wheels, files) == first
    (found.project.folder / "tasks/mine.py").write_text("def hello(payload):\n    return {}\n")
    assert code._zipped(found, built, "tasks", wheels, files).key != first.key


def test_code_that_is_too_large_asks_for_an_image(tmp_path: Path) -> None:
    found = laid(tmp_path / "p")
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with (wheels / "big.so").open("wb") as big:
        big.truncate(code.LARGEST + 1)
    with pytest.raises(code.Unbuilt, match=r"the code of tasks has 26. MB, and Lambda takes 262: say an `image`"):
        code._zipped(found, tmp_path, "tasks", wheels, ())


def test_requirement_without_a_wheel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONSTRAINT", "")
    found = laid(tmp_path / "p")
    with pytest.raises(code.Unbuilt, match=r"(?s)has a wheel for Python 3\.11 on x86_64.*No matching distribution"):
        code.build_code(found, tmp_path / "built")
    assert not list((tmp_path / "built").iterdir())


def test_requirements_of_the_project_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    small(folder)
    (folder / "requirements.txt").write_text("# for tasks\n\nshapely>=2\n")
    found = load_project(folder).deployments["prod"].cloud
    assert found is not None
    assert found.requirements == folder / "requirements.txt"
    assert code._lines(folder / "requirements.txt") == ["shapely>=2"]
    (folder / "requirements.txt").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match=r"requirements\.txt: cannot be read"):
        code._lines(folder / "requirements.txt")


def test_cirrus_brings_what_it_needs_on_aws() -> None:
    own = " ".join(code._own_requirements())
    assert "aiobotocore" in own
    assert "stactask" in own
    assert "rasterio" not in own
    assert "pytest" not in own
