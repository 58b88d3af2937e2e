"""Doctor: what is wrong with an installation, a project and a deployment, and what to do about it.

Every check stands alone: one that fails keeps no other from being made. Nothing is changed, but for a small file or
object that is written to each store, read and removed.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import orjson

from cirrus import __version__, app
from cirrus.client.client import Client
from cirrus.core.bucket import Access, bucket_of
from cirrus.core.path_template import is_url
from cirrus.errors import CirrusError, ConfigError, InvalidDefinition
from cirrus.flow.check import check as look_over
from cirrus.settings.cloud import unkept

GOOD, DOUBTFUL, BAD = "ok", "warning", "problem"
OLDEST, NEWEST = (3, 11), (3, 14)
IMPORT_SECONDS = 120
_LITTLE, _LEAST = 5_000_000_000, 200_000_000
_SKEW = 5.0
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*([^;]*)(;.*)?")
_BOUND = re.compile(r"(>=|<)\s*(\d+(?:\.\d+)*)")
_NOBODY = "doctor/workflow-doctor/nobody"
_NOTHING = "cirrus/tmp/doctor/nothing.json"
_GEO = ("GTiff", "COG", "JP2OpenJPEG")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One finding: what was looked at, how it is (ok, warning or problem), and what to do where it is not ok."""

    check: str
    status: str
    found: str
    advice: str = ""


def examine(client: Client) -> Iterator[Diagnosis]:
    """Everything that can be found out; a check that breaks is a finding itself, told once."""
    said: set[str] = set()
    on_aws = _is_on_aws(client)
    for name, look in _CHECKS.items():
        if name in (_LOCAL if on_aws else _CLOUD):
            continue
        try:
            yield from look(client)
        except CirrusError as error:
            if str(error) not in said:
                said.add(str(error))
                yield Diagnosis(name, BAD, str(error), "mend this first: other checks could not be made because of it")
        except Exception as error:  # whatever an installation leads to
            yield Diagnosis(name, BAD, f"{type(error).__name__}: {error}", "please report this, it is a bug of doctor")


# ---------------------------------------------------------------- the installation


def _versions(_: Client) -> Iterator[Diagnosis]:
    yield Diagnosis("versions", GOOD, f"cirrus {__version__}, SQLite {sqlite3.sqlite_version}, {sys.platform}")
    if sys.platform != "linux":
        yield Diagnosis("versions", DOUBTFUL, f"{sys.platform} is not tried", "the local home is made for Linux")


def _python(_: Client) -> Iterator[Diagnosis]:
    shown = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST:
        yield Diagnosis("python", BAD, shown, "Python 3.11 or newer is needed")
    elif sys.version_info[:2] > NEWEST:
        yield Diagnosis("python", DOUBTFUL, f"{shown} is newer than what was tried", "use Python 3.11 to 3.14")
    else:
        yield Diagnosis("python", GOOD, f"{shown} at {sys.executable}")


def _dependencies(_: Client) -> Iterator[Diagnosis]:
    wrong = list(_unmet(metadata.requires("cirrus") or []))
    for name, found in wrong:
        yield Diagnosis("dependencies", BAD, f"{name}: {found}", f"pip install --upgrade {name}")
    if not wrong:
        yield Diagnosis("dependencies", GOOD, "all that Cirrus itself needs is installed")


def _unmet(requirements: list[str]) -> Iterator[tuple[str, str]]:
    """The requirements without an extra that are not met."""
    for text in requirements:
        found = _REQUIREMENT.fullmatch(text)
        if found is None or found[3]:
            continue
        try:
            version = metadata.version(found[1])
        except metadata.PackageNotFoundError:
            yield found[1], "is not installed"
            continue
        for operator, bound in _BOUND.findall(found[2]):
            older = _numbers(version) < _numbers(bound)
            if older == (operator == ">="):
                yield found[1], f"is {version}, and {operator}{bound} is needed"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:4])


def _gdal(client: Client) -> Iterator[Diagnosis]:
    try:
        import rasterio
        from rasterio.drivers import raster_driver_extensions
        from rasterio.env import GDALVersion
    except ImportError as error:
        advice = "pip install 'cirrus[geo]', if tasks work on rasters (the built-in ones do)"
        yield Diagnosis("gdal", DOUBTFUL, f"rasterio cannot be imported: {error}", advice)
        return
    known = set(raster_driver_extensions().values())
    with rasterio.Env() as env:
        known |= set(env.drivers())
    missing = [name for name in _GEO if name not in known]
    shown = f"GDAL {GDALVersion.runtime()}, rasterio {rasterio.__version__}"
    if missing:
        advice = "install rasterio from its wheels, which hold these drivers"
        yield Diagnosis("gdal", DOUBTFUL, f"{shown}, without {', '.join(missing)}", advice)
    else:
        yield Diagnosis("gdal", GOOD, shown)


# ---------------------------------------------------------------- the project


def _project(client: Client) -> Iterator[Diagnosis]:
    project = client.project
    names = ", ".join(sorted(project.deployments))
    yield Diagnosis("project", GOOD, f"{project.name} in {project.folder}; deployments: {names}")


def _tasks(client: Client) -> Iterator[Diagnosis]:
    """Whether every task can be imported, in a process of its own, or its program found."""
    wrong = dict(_unimportable(client)) | dict(_without_program(client))
    for name, reason in sorted(wrong.items()):
        yield Diagnosis("tasks", BAD, f"{name}: {reason}", "mend the handler in cirrus.toml, or the module")
    if not wrong:
        yield Diagnosis("tasks", GOOD, f"{len(client.project.tasks)} of the project, all can be imported or found")


def _unimportable(client: Client) -> Iterator[tuple[str, str]]:
    handlers = {name: spec.handler for name, spec in client.project.tasks.items() if spec.handler}
    if not handlers:
        return
    told = orjson.dumps({"project": str(client.project.folder), "handlers": handlers, "keys": {}})
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "cirrus.entry.describe"],
            input=told,
            capture_output=True,
            check=False,
            timeout=IMPORT_SECONDS,
            cwd=client.project.folder,
        )
        answer = orjson.loads(done.stdout)
    except subprocess.TimeoutExpired:
        yield "all of them", f"the import took more than {IMPORT_SECONDS} s"
        return
    except orjson.JSONDecodeError:
        yield "all of them", f"the import ended the process: {done.stderr.decode(errors='replace').strip()[-500:]}"
        return
    for name, found in answer["tasks"].items():
        if "error" in found:
            yield name, found["error"]


def _without_program(client: Client) -> Iterator[tuple[str, str]]:
    folder = client.project.folder
    for name, spec in client.project.tasks.items():
        program = spec.command[0] if spec.command else None
        if program and not (shutil.which(program) or shutil.which(str(folder / program))):
            yield name, f"there is no program {program!r} on the path or in the project"


def _workflows(client: Client) -> Iterator[Diagnosis]:
    workflows, wrong = client.home.workflows, 0
    for name in workflows.names():
        try:
            workflows.definition(name)
        except InvalidDefinition as error:
            wrong += 1
            first = error.diagnostics[0] if error.diagnostics else error
            more = f" (and {len(error.diagnostics) - 1} more)" if len(error.diagnostics) > 1 else ""
            yield Diagnosis("workflows", BAD, f"{name}: {first}{more}", "cirrus workflow validate")
    if not workflows.names():
        yield Diagnosis("workflows", DOUBTFUL, "there are none", "write one to workflows/NAME.asl.yaml")
    elif not wrong:
        yield Diagnosis("workflows", GOOD, f"{len(workflows.names())}, all valid")


# ---------------------------------------------------------------- the deployment


def _clock(client: Client) -> Iterator[Diagnosis]:
    """The system's clock, against the file system's and against the newest event."""
    root = _existing(client.deployment.root)
    with tempfile.NamedTemporaryFile(dir=root if os.access(root, os.W_OK) else None, prefix=".cirrus-") as file:
        apart = time.time() - Path(file.name).stat().st_mtime
    if abs(apart) > _SKEW:
        advice = "let both machines take their time from one source (NTP): waits and due times depend on it"
        yield Diagnosis("clock", BAD, f"it is {apart:+.0f} s from that of the file system of {root}", advice)
        return
    yield Diagnosis("clock", GOOD, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def _disk(client: Client) -> Iterator[Diagnosis]:
    where = client.deployment
    places = {"root": str(where.root), "data": where.data, "catalog": where.catalog or "", "temporary files": ""}
    places["temporary files"] = tempfile.gettempdir()
    seen: set[int] = set()
    for what, place in places.items():
        if not place or is_url(place):
            continue
        folder = _existing(Path(place))
        device = folder.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        yield _space(what, folder)


def _space(what: str, folder: Path) -> Diagnosis:
    free = shutil.disk_usage(folder).free
    shown = f"{free / 1e9:.1f} GB free for {what} ({folder})"
    if free < _LEAST:
        return Diagnosis("disk", BAD, shown, "make room: nothing can be recorded on a full disk, and work stops")
    if free < _LITTLE:
        return Diagnosis("disk", DOUBTFUL, shown, "make room, or let `retention` in cirrus.toml remove what is old")
    return Diagnosis("disk", GOOD, shown)


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _database(client: Client) -> Iterator[Diagnosis]:
    file = client.deployment.root / "cirrus.db"
    if not file.exists():
        yield Diagnosis("database", GOOD, f"{file} is not made yet; the first payload makes it")
        return
    looked = look_over(client.home, app.open_upkeep(client.deployment))
    found = [one for one in looked if one.problem != "parked-deliveries"]  # `deliveries` tells them
    for one in found[:5]:
        advice = f"cirrus manage {client.name} check"
        yield Diagnosis("database", BAD, f"{one.problem}: {one.subject}: {one.detail}", advice)
    if len(found) > 5:
        yield Diagnosis("database", BAD, f"and {len(found) - 5} more", f"cirrus manage {client.name} check")
    if not found:
        yield Diagnosis("database", GOOD, f"{file}, {file.stat().st_size / 1e6:.1f} MB, nothing is wrong in it")


def _stores(client: Client) -> Iterator[Diagnosis]:
    where = client.deployment
    for what, place in (("data", where.data), ("catalog", where.catalog)):
        if place:
            yield _store(client, what, place)


def _store(client: Client, what: str, place: str) -> Diagnosis:
    try:
        if is_url(place):
            _try_store(client, place)
        else:
            _try_folder(Path(place))
    except (CirrusError, OSError) as error:
        return Diagnosis("stores", BAD, f"{what}: {error}", "cirrus secrets check BUCKET, or the folder's rights")
    return Diagnosis("stores", GOOD, f"{what}: {place} can be written, read and removed from")


def _try_folder(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=_existing(folder)) as file:
        file.write(b"x")


def _try_store(client: Client, place: str) -> None:
    bucket = bucket_of(place)
    if bucket is None:
        raise ConfigError(
            "cirrus.toml", [f"{place} is in no bucket: a folder, or s3://BUCKET/… and its kin, is expected"]
        )
    access = client.vault.access(bucket) or Access(bucket)
    prefix = place.rstrip("/").removeprefix(access.root).strip("/")
    app.open_trial_of(access).write(f"{prefix}/" if prefix else "")


# ---------------------------------------------------------------- a deployment on AWS


def _is_on_aws(client: Client) -> bool:
    try:
        return client.deployment.home == "aws"
    except CirrusError:
        return False


def _aws(client: Client) -> Iterator[Diagnosis]:
    """Whether its parts can be reached with the rights at hand, each by what is asked of it every day."""
    where = app.open_deployed(client.deployment)
    home, variables = client.home, where.variables
    yield Diagnosis("aws", GOOD, f"found in the parameter store; region {where.clients.region}")
    looks: dict[str, Callable[[], object]] = {
        f"the table {variables.state_db}": lambda: home.state_db.get([_NOBODY]),
        f"the bucket {variables.payload_bucket}": lambda: home.payloads.get_many([home.payloads.url(_NOTHING)]),
        f"the queue {variables.process_queue_url}": home.queue.depth,
        "the state machines": home.workflows.names,
    }
    for what, look in looks.items():
        yield _reached(what, look)
    word = where.vocabulary().good
    yield Diagnosis("aws", GOOD, f"the word for a good end is {word}")


def _reached(what: str, look: Callable[[], object]) -> Diagnosis:
    try:
        look()
    except CirrusError as error:
        return Diagnosis("aws", BAD, f"{what}: {error}", "see to it that it is there, and that you may use it")
    return Diagnosis("aws", GOOD, f"{what} can be reached")


def _guarantees(client: Client) -> Iterator[Diagnosis]:
    """What is weaker than a project or a deployment could have it."""
    variables = app.open_deployed(client.deployment).variables
    if variables.outbox_table is None:
        told = "without CIRRUS_OUTBOX_TABLE what an end must send can be lost with the function that wrote the end"
        advice = "deploy it with `cirrus deploy`, or make the table and name it: campaigns, pauses, limits need it, too"
        yield Diagnosis("guarantees", DOUBTFUL, told, advice)
    else:
        yield Diagnosis("guarantees", GOOD, "what an end must send is written with it")
    if variables.dead_queue_url is None:
        told = "without CIRRUS_DEAD_QUEUE_URL refused messages are kept in the bucket, and cannot be listed"
        yield Diagnosis("guarantees", DOUBTFUL, told, "name the dead letter queue of the queue of payloads")
    for one in unkept(client.project.throttle):
        yield Diagnosis("guarantees", DOUBTFUL, one, "or take the limit out of cirrus.toml")


def _index(client: Client) -> Iterator[Diagnosis]:
    """Whether setting, functions, table and its older records agree on the index of what needs attention."""
    asked = client.deployment.cloud is not None and client.deployment.cloud.attention_index
    index = app.open_deployed(client.deployment).attention()
    there, again = index.exists(), f"cirrus deploy {client.name}"
    if index.on and not there:
        told = "CIRRUS_ATTENTION_INDEX is on, but the table of records has no index `attention` that can be asked"
        yield Diagnosis("index", BAD, told, again)
    elif index.on and app.open_deployed(client.deployment).variables.outbox_table is None:
        told = "the index `attention` is not used without CIRRUS_OUTBOX_TABLE, where it is said that it is complete"
        yield Diagnosis("index", DOUBTFUL, told, again)
    elif index.on and not index.complete:
        told = "the index `attention` may lack older records: queries across workflows do without it"
        yield Diagnosis("index", DOUBTFUL, told, f"cirrus manage {client.name} migrate --apply")
    elif index.on:
        yield Diagnosis("index", GOOD, "queries across workflows for what failed use the index `attention`")
    elif there:
        told = "the table of records has an index `attention`, but CIRRUS_ATTENTION_INDEX is off: nothing fills it"
        yield Diagnosis("index", DOUBTFUL, told, again)
    if asked != index.on and client.name in client.project.deployments and client.deployment.pointer is None:
        told = f"attention_index is {str(asked).lower()} in cirrus.toml, and not so where it is deployed"
        yield Diagnosis("index", DOUBTFUL, told, again)


def _dead(client: Client) -> Iterator[Diagnosis]:
    kept = client.home.queue.quarantined(10)
    if kept:
        some = "10 or more" if len(kept) == 10 else str(len(kept))
        advice = f"cirrus manage {client.name} quarantine list"
        yield Diagnosis("quarantine", DOUBTFUL, f"{some} messages; the newest: {kept[0].reason}", advice)


def _buckets(client: Client) -> Iterator[Diagnosis]:
    for one in client.buckets():
        good = one.status in {"found", "anonymous", "from the environment"}
        advice = "" if good else f"cirrus secrets set {one.bucket.name}, or cirrus secrets check {one.bucket.name}"
        yield Diagnosis("buckets", GOOD if good else BAD, f"{one.bucket.name}: {one.status}", advice)


def _deliveries(client: Client) -> Iterator[Diagnosis]:
    if client.deployment.home == "local" and not (client.deployment.root / "cirrus.db").exists():
        return
    for target in client.home.outbox.ledger():
        if target.parked:
            advice = f"cirrus manage {client.name} deliveries list --state parked"
            yield Diagnosis(
                "deliveries", BAD, f"{target.target}: {target.parked} given up: {target.last_error}", advice
            )


_CHECKS: dict[str, Callable[[Client], Iterator[Diagnosis]]] = {
    "versions": _versions,
    "python": _python,
    "dependencies": _dependencies,
    "gdal": _gdal,
    "project": _project,
    "database": _database,
    "tasks": _tasks,
    "workflows": _workflows,
    "clock": _clock,
    "disk": _disk,
    "stores": _stores,
    "buckets": _buckets,
    "aws": _aws,
    "guarantees": _guarantees,
    "index": _index,
    "quarantine": _dead,
    "deliveries": _deliveries,
}
_LOCAL = frozenset({"database", "clock", "disk", "stores"})
_CLOUD = frozenset({"aws", "guarantees", "index", "quarantine"})
