"""The code of functions as zip files, built without Docker from wheels for the platform that Lambda has.

One file holds Cirrus and what it needs, the other the project's tasks besides. What is in a file decides its name: the
same code is uploaded once, and functions whose code is the same are not touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import MappingProxyType
from typing import Any

from cirrus.adapters.aws.declared import FILE
from cirrus.backends import backend
from cirrus.core.reserved import POST_BATCH, PRE_BATCH
from cirrus.deploying.layout import Layout
from cirrus.errors import CirrusError, ConfigError
from cirrus.workflows import ProjectWorkflows

LARGEST = 250 * 1024 * 1024
_PLATFORMS = {"x86_64": "x86_64", "arm64": "aarch64"}
_GLIBC = {"3.11": 26, "3.12": 34, "3.13": 34, "3.14": 34}
_WHEELS = (34, 31, 28, 27, 26, 24, 17)
_SKIPPED = frozenset({"__pycache__", "bin", "node_modules"})
NOTHING: Mapping[str, Path] = MappingProxyType({})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PACKAGE = Path(__file__).resolve().parents[1]
_TIMEOUT = 1800


class Unbuilt(CirrusError):
    """The code of a function could not be put together."""


@dataclass(frozen=True, slots=True)
class Zip:
    """A zip file, and the key under which it is uploaded."""

    file: Path
    key: str


def build_code(layout: Layout, folder: Path) -> tuple[Zip, Zip | None]:
    """The zip files of Cirrus and of the project's tasks, in a folder that keeps what was built before.

    Unbuilt if a package has no wheel for the platform, or the whole is larger than Lambda takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = _own_requirements()
    control = _zipped(layout, folder, "control", _installed(layout, folder, own), (), _declared(layout, folder))
    if all(layout.image(name) for name in layout.functions):
        return control, None
    more = _lines(layout.cloud.requirements) if layout.cloud.requirements else []
    return control, _zipped(layout, folder, "tasks", _installed(layout, folder, [*own, *more]), project_files(layout))


def _declared(layout: Layout, folder: Path) -> dict[str, Path]:
    """What tasks declare of their parameters, as a file beside the code of `process`, which checks them."""
    tasks = declared(layout)
    if not tasks:
        return {}
    workflows = ProjectWorkflows(layout.project.workflows, {*layout.tasks, PRE_BATCH, POST_BATCH})
    known = {name: workflows.definition(name).decode() for name in workflows.names()}
    file = folder / FILE
    file.write_text(json.dumps({"workflows": known, "tasks": dict(tasks)}, sort_keys=True), encoding="utf-8")
    return {f"cirrus/{FILE}": file}


def declared(layout: Layout) -> Mapping[str, Mapping[str, Any]]:
    """What the project's tasks declare of their parameters, or why one could not be asked."""
    cache = layout.where.root / "parameters.json"
    found: Mapping[str, Mapping[str, Any]] = backend("parameters", "local")(
        layout.project.folder, layout.tasks, cache
    ).declared()
    return found


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), [f"cannot be read: {error}"]) from None
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


def _own_requirements() -> list[str]:
    """What Cirrus itself needs on AWS."""
    try:
        named = requires("cirrus") or []
    except PackageNotFoundError:
        raise Unbuilt("cirrus is not installed: its requirements are not known") from None
    found = []
    for one in named:
        text, _, marker = (part.strip() for part in one.partition(";"))
        if not marker or marker.replace('"', "'") == "extra == 'aws'":
            found.append(text)
    return sorted(found)


# ---------------------------------------------------------------- dependencies


def _installed(layout: Layout, folder: Path, requirements: Sequence[str]) -> Path:
    """A folder with the wheels of some requirements, unpacked; one that was made before is used again."""
    cloud = layout.cloud
    text = "\n".join([cloud.python, cloud.architecture, *requirements])
    target = folder / f"wheels-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if target.is_dir():
        return target
    with tempfile.TemporaryDirectory(dir=folder) as kept:
        unpacked = Path(kept) / "wheels"
        _pip(layout, requirements, unpacked)
        unpacked.rename(target)
    return target


def _pip(layout: Layout, requirements: Sequence[str], target: Path) -> None:
    cloud = layout.cloud
    machine = _PLATFORMS[cloud.architecture]
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in _WHEELS if glibc <= _GLIBC[cloud.python]]
    platforms += [f"manylinux2014_{machine}"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--target", str(target), "--only-binary=:all:", "--implementation", "cp"]
    command += ["--python-version", cloud.python]
    command += [word for platform in platforms for word in ("--platform", platform)]
    folder = layout.project.folder
    try:
        done = subprocess.run(
            [*command, *requirements], capture_output=True, text=True, timeout=_TIMEOUT, check=False, cwd=folder
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unbuilt(f"pip could not be run: {error}") from None
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-5:]
        where = f"Python {cloud.python} on {cloud.architecture}"
        raise Unbuilt("\n".join([f"not every requirement has a wheel for {where}:", *told]))
    target.mkdir(exist_ok=True)


# ---------------------------------------------------------------- the project's own files


def project_files(layout: Layout) -> list[Path]:
    """The files of a project that its tasks are given: those that git would keep, but for data and secrets."""
    folder = layout.project.folder
    kept = _of_git(folder) or _walked(folder)
    return sorted(file for file in kept if file.is_file() and not _withheld(layout, file))


def _of_git(folder: Path) -> list[Path]:
    git = shutil.which("git")
    if git is None:
        return []
    command = [git, "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    names = done.stdout.decode(errors="surrogateescape").split("\0") if done.returncode == 0 else []
    return [folder / name for name in names if name]


def _walked(folder: Path) -> list[Path]:
    found = []
    for above, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if not (Path(above) / one / "pyvenv.cfg").exists() and one[0] != "."]
        found += [Path(above) / one for one in files]
    return found


def _withheld(layout: Layout, file: Path) -> bool:
    """Whether a file stays here: outputs of the local home, secrets, and whatever hides."""
    folder = layout.project.folder
    parts = file.relative_to(folder).parts
    if any(part.startswith(".") or part in _SKIPPED for part in parts) or file.is_symlink():
        return True
    references = [one.secret for one in layout.project.buckets.values() if one.secret]
    if any(one.source == "file" and (folder / one.name).resolve() == file for one in references):
        return True
    places = [str(one.root) for one in layout.project.deployments.values()]
    places += [one.data for one in layout.project.deployments.values()]
    places += [one.catalog for one in layout.project.deployments.values() if one.catalog]
    return any("://" not in place and Path(place) in file.parents for place in places)


# ---------------------------------------------------------------- zip files


def _zipped(
    layout: Layout, folder: Path, name: str, wheels: Path, files: Iterable[Path], more: Mapping[str, Path] = NOTHING
) -> Zip:
    members = dict(_members(wheels))
    members |= {f"cirrus/{path}": file for path, file in _members(_PACKAGE)} | dict(more)
    project = layout.project.folder
    members |= {file.relative_to(project).as_posix(): file for file in files}
    size = sum(file.stat().st_size for file in members.values())
    if size > LARGEST:
        raise Unbuilt(
            f"the code of {name} has {size / 1e6:,.0f} MB, and Lambda takes {LARGEST / 1e6:,.0f}: say an `image`"
        )
    digest = hashlib.sha256()
    for path, file in sorted(members.items()):
        digest.update(f"{path}\0{file.stat().st_mode & 0o111}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    key = f"{layout.cloud.stack}/{name}-{digest.hexdigest()[:32]}.zip"
    target = folder / Path(key).name
    if not target.exists():
        _write(target, members)
    return Zip(target, key)


def _members(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.is_file() and "__pycache__" not in path.parts and path.parts[0] != "bin":
            yield path.as_posix(), file


def _write(target: Path, members: dict[str, Path]) -> None:
    half = target.with_suffix(".part")
    with zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, file in sorted(members.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if file.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(entry, file.read_bytes())
    half.replace(target)
