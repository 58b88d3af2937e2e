"""Settings: one table of what `cirrus.toml` may say, and the only reader of the project file and the environment."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cirrus.core.bucket import DEFAULT_SECRET, Bucket, Reference
from cirrus.core.payload_id import WORKFLOW_NAME
from cirrus.core.throttle import Limit, Throttle
from cirrus.errors import ConfigError
from cirrus.ports.compute import TaskSpec
from cirrus.settings import values as kinds
from cirrus.settings.cloud import CLOUD, TASK_CLOUD, Cloud, cloud, misplaced
from cirrus.settings.values import Setting
from cirrus.tasks.declared_name import declared_name

FILE = "cirrus.toml"
_TASK_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|(?:gs|az|azure|adl|abfs|abfss)://[^/\s?#]+")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


PROJECT = (Setting("name", kinds.text, None, "the project's name"),)
TASK = (
    Setting("handler", kinds.handler, None, "`module:Name` of a stactask Task class or a function payload -> payload"),
    Setting("command", kinds.command, None, "any program: an array of words with `{input}` and `{output}`"),
    Setting("timeout", kinds.duration, None, "the longest that an attempt may take, such as `15m`"),
    Setting("concurrency", kinds.count, None, "at most so many attempts at once, in all control processes together"),
    Setting(
        "rate", kinds.rate, None, "attempts start no more often, in all control processes together: `10/s`, `600/m`"
    ),
    Setting("env", kinds.texts, {}, "environment variables of the task"),
    Setting("params", kinds.text, None, "the name under which the payload's `tasks` holds its parameters"),
    Setting(
        "memory", kinds.size, None, "the most memory that an attempt and its child processes may use, such as `2GB`"
    ),
    Setting(
        "inline", kinds.flag, False, "`true` runs a tiny, pure function in the control process, without a time limit"
    ),
    Setting("buckets", kinds.names, (), "the `[buckets]` that it may use, beside that of the deployment's `data`"),
    *TASK_CLOUD,
)
BUCKET = (
    Setting(
        "endpoint", kinds.endpoint, None, "the URL of a service that speaks S3; AWS where it is not given", hidden=True
    ),
    Setting("region", kinds.text, None, "its region, such as `eu-central-1`"),
    Setting("requester_pays", kinds.flag, False, "`true` if whoever reads pays, and agrees to"),
    Setting("anonymous", kinds.flag, False, "`true` opens it without credentials"),
    Setting(
        "path_style", kinds.flag, None, "whether its name stands in the URL's path; `true` where `endpoint` is given"
    ),
    Setting(
        "secret",
        kinds.reference,
        None,
        "where its credentials are: `env:PREFIX`, `file:PATH`, `keyring:NAME`, `secretsmanager`; the environment's own",
        hidden=True,
    ),
)
LIMIT = (
    Setting("max_running", kinds.count, None, "at most so many executions at once, in all control processes together"),
    Setting(
        "rate", kinds.rate, None, "executions begin no more often, in all control processes together: `10/s`, `600/m`"
    ),
)
WORKFLOW = (Setting("definition", kinds.text, None, "the state machine, below the project's folder"), *LIMIT)
DEPLOYMENT = (
    Setting("home", kinds.home, "local", "where it runs: `local`, `cluster` or `aws`"),
    Setting("root", kinds.text, None, "the folder of its database, payloads and logs"),
    Setting(
        "data", kinds.store, "./data", "where uploads go whose path_template names no store: a folder or a store's URL"
    ),
    Setting(
        "catalog",
        kinds.store_or_none,
        "./catalog",
        "the static STAC catalog of published Items: a folder or a store's URL, or `false` for none",
    ),
    Setting("workers", kinds.count, None, "at most so many worker processes; the number of cores (at least 2)"),
    Setting("worker_attempts", kinds.count, 10_000, "a worker process is replaced after so many attempts"),
    Setting("worker_age", kinds.duration, 3600.0, "a worker process is replaced when it is so old and idle"),
    Setting(
        "worker_memory",
        kinds.size,
        512_000_000,
        "a worker process is replaced when it has grown by so much after an attempt, such as `2GB`",
    ),
    Setting(
        "max_running",
        kinds.count,
        500,
        "at most so many executions at once in each control process; fewer where tasks are slow: what it begins keeps "
        "its workers busy, and no more",
    ),
    Setting(
        "max_running_size",
        kinds.size,
        256_000_000,
        "begin no more while the payloads that tasks have or wait for take so much, in each control process",
    ),
    Setting("lease", kinds.duration, 30.0, "how long the work of a control process that died stays untouched"),
    Setting(
        "drain", kinds.duration, None, "how long what runs may go on after SIGTERM or an interrupt; until it has ended"
    ),
    Setting("events_file", kinds.text, None, "a file to which workflow events are appended, as NDJSON"),
    Setting("events_webhook", kinds.webhook, None, "a URL to which workflow events are posted"),
    Setting("items_file", kinds.text, None, "a file to which publish messages are appended, as NDJSON"),
    Setting("items_webhook", kinds.webhook, None, "a URL to which publish messages are posted"),
    Setting("delivery_attempts", kinds.count, 8, "a delivery is parked after so many attempts"),
    Setting("buckets", kinds.stores, {}, "folders or stores that names of buckets in state machines stand for"),
    Setting("variables", kinds.texts, {}, "variables for payload templates"),
    Setting("region", kinds.text, None, "on AWS: its region; the environment's own where it is not given"),
    Setting(
        "profile", kinds.text, None, "on AWS: the profile of credentials; the environment's own where it is not given"
    ),
    Setting("pointer", kinds.text, None, "on AWS: its name in the parameter store, where that is not the deployment's"),
    *CLOUD,
)
RETENTION = (
    Setting(
        "histories", kinds.ages, {}, "what happened in executions, step by step: `30d`, or `{ COMPLETED = '30d' }`"
    ),
    Setting("logs", kinds.ages, {}, "what tasks printed: as `histories`"),
    Setting("records", kinds.ages, {}, "records with all that belongs to them: as `histories`"),
    Setting("events", kinds.duration, None, "workflow events"),
    Setting("deliveries", kinds.duration, None, "what the outbox knows of deliveries that were sent"),
    Setting("tmp", kinds.duration, 864_000.0, "payloads that travelled by URL: `tmp/oversized` and `tmp/batch`"),
    Setting("invalid", kinds.duration, None, "messages in quarantine"),
)
SECTIONS: Mapping[str, tuple[Setting, ...]] = {
    "project": PROJECT,
    "tasks.<name>": TASK,
    "buckets.<name>": BUCKET,
    "workflows.<name>": WORKFLOW,
    "collections.<name>": LIMIT,
    "deployments.<name>": DEPLOYMENT,
    "deployments.<name>.retention": RETENTION,
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the project runs; paths are absolute; `lease` and what `retention` holds are in seconds.

    `cloud` is there where `home` is `aws`.
    """

    name: str
    home: str
    root: Path
    data: str
    catalog: str | None
    workers: int | None = None
    worker_attempts: int = 10_000
    worker_age: float = 3600.0
    worker_memory: int = 512_000_000
    max_running: int = 500
    max_running_size: int = 256_000_000
    lease: float = 30.0
    drain: float | None = None
    events_file: str | None = None
    events_webhook: str | None = None
    items_file: str | None = None
    items_webhook: str | None = None
    delivery_attempts: int = 8
    retention: Mapping[str, Any] = field(default_factory=dict)
    buckets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    profile: str | None = None
    pointer: str | None = None
    cloud: Cloud | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A user's project: its folder, tasks, files of workflows by name, deployments, and limits on what begins."""

    name: str
    folder: Path
    tasks: Mapping[str, TaskSpec]
    workflows: Mapping[str, Path]
    deployments: Mapping[str, Deployment]
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    throttle: Throttle = field(default_factory=Throttle)


def find_project(start: Path) -> Path:
    """The nearest folder from `start` upwards that has a cirrus.toml; ConfigError if none has."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise ConfigError(str(start), [f"no {FILE} here or in any folder above: make a project with `cirrus init NAME`"])


def load_project(folder: Path) -> Project:
    """The project in a folder; ConfigError names every key that is wrong and what was expected."""
    file = folder / FILE
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(str(file), [f"cannot be read: {error}"]) from None
    return _Reader(folder.resolve(), str(file)).project(document)


class _Reader:
    """Reads one project file and collects everything that is wrong with it."""

    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder
        self._source = source
        self._problems: list[str] = []
        self._task_limits: dict[str, Limit] = {}

    def project(self, document: dict[str, Any]) -> Project:
        self._unknown("", document, ["project", "tasks", "buckets", "workflows", "collections", "deployments"])
        head = self._table("project", document.get("project", {}), PROJECT)
        self._name = str(head["name"] or self._folder.name)
        tasks = {name: self._task(name, table) for name, table in self._tables(document, "tasks").items()}
        buckets = {name: self._bucket(name, table) for name, table in self._tables(document, "buckets").items()}
        self._check_buckets(tasks, buckets)
        workflows, limits = self._workflows(self._tables(document, "workflows"))
        throttle = Throttle(limits, self._collections(self._tables(document, "collections")), self._task_limits)
        named = {"local": {}, **self._tables(document, "deployments")}
        deployments = {name: self._deployment(name, table) for name, table in named.items()}
        if self._problems:
            raise ConfigError(self._source, self._problems)
        return Project(self._name, self._folder, tasks, workflows, deployments, buckets, throttle)

    def _tables(self, document: dict[str, Any], section: str) -> dict[str, Any]:
        value = document.get(section, {})
        if not isinstance(value, dict):
            self._problems.append(f"{section}: tables [{section}.<name>] are expected, not {value!r}")
            return {}
        return value

    def _unknown(self, where: str, table: Mapping[str, Any], known: list[str]) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"
                self._problems.append(f"{where}{key}: is unknown{hint}")

    def _table(self, where: str, table: Any, settings: tuple[Setting, ...]) -> dict[str, Any]:
        values = {setting.name: setting.default for setting in settings}
        if not isinstance(table, dict):
            self._problems.append(f"{where}: a table is expected, not {table!r}")
            return values
        self._unknown(f"{where}.", table, [setting.name for setting in settings])
        for setting in settings:
            if setting.name in table:
                try:
                    values[setting.name] = setting.read(table[setting.name])
                except ValueError as error:
                    found = "what stands there" if setting.hidden else f"{table[setting.name]!r:.100}"
                    self._problems.append(f"{where}.{setting.name}: {error} is expected, not {found}")
        return values

    def _task(self, name: str, table: Any) -> TaskSpec:
        where = f"tasks.{name}"
        if not _TASK_NAME.fullmatch(name):
            self._problems.append(f"{where}: a task's name is 1 to 64 letters, digits, '-' and '_'")
        values = self._table(where, table, TASK)
        if isinstance(table, dict) and ("handler" in table) == ("command" in table):
            self._problems.append(f"{where}: either handler or command is expected")
        for key in ("command", "env", "memory", "timeout", "buckets") if values["inline"] else ():
            if isinstance(table, dict) and key in table:
                self._problems.append(f"{where}.{key}: an inline task runs in the control process and can have none")
        rate = values.pop("rate")
        spec = TaskSpec(name=name, **values)
        if rate or spec.concurrency:
            self._task_limits[name] = Limit(spec.concurrency, rate)
        self._check_name(where, spec)
        return spec

    def _check_name(self, where: str, spec: TaskSpec) -> None:
        declared = declared_name(self._folder, spec.handler) if spec.handler else None
        if declared and declared != spec.name and spec.params is None:
            self._problems.append(
                f"{where}.params: is missing: the class is named {declared!r}, so say params = {declared!r} if its"
                f" parameters stand under that name in a payload's tasks, or params = {spec.name!r}"
            )

    def _bucket(self, name: str, table: Any) -> Bucket:
        where = f"buckets.{name}"
        if not _BUCKET.fullmatch(name):
            self._problems.append(f"{where}: an S3 bucket's name is expected, or a store's URL such as gs://bucket")
        if isinstance(table, dict) and any("key" in key.lower() or "token" in key.lower() for key in table):
            self._problems.append(f"{where}: no secret stands in this file; say where it is kept: secret = 'file:PATH'")
        bucket = Bucket(name, **self._table(where, table, BUCKET))
        if bucket.anonymous and bucket.secret:
            self._problems.append(f"{where}: either anonymous or secret is expected")
        if bucket.secret and not bucket.secret.name:
            default = f"{DEFAULT_SECRET}{name}" if bucket.secret.source == "secretsmanager" else name
            bucket = replace(bucket, secret=Reference(bucket.secret.source, default))
        return bucket

    def _check_buckets(self, tasks: Mapping[str, TaskSpec], buckets: Mapping[str, Bucket]) -> None:
        for task in tasks.values():
            for name in task.buckets:
                if name not in buckets:
                    self._problems.append(f"tasks.{task.name}.buckets: there is no [buckets.{name}]")

    def _collections(self, tables: dict[str, Any]) -> dict[str, Limit]:
        read = {name: self._table(f"collections.{name}", table, LIMIT) for name, table in tables.items()}
        return {name: _limit(values) for name, values in read.items()}

    def _workflows(self, tables: dict[str, Any]) -> tuple[dict[str, Path], dict[str, Limit]]:
        found: dict[str, Path] = {}
        limits: dict[str, Limit] = {}
        for file in sorted((self._folder / "workflows").glob("*.asl.*")):
            if file.suffix in {".yaml", ".yml", ".json"}:
                found[file.name.partition(".asl.")[0]] = file
        for name, table in tables.items():
            values = self._table(f"workflows.{name}", table, WORKFLOW)
            definition = values["definition"]
            if values["max_running"] or values["rate"]:
                limits[name] = _limit(values)
            named = self._folder / definition if definition else found.get(name)
            if named is None or not named.is_file():
                expected = definition or f"workflows/{name}.asl.yaml or workflows/{name}.asl.json"
                self._problems.append(f"workflows.{name}.definition: there is no file {expected}")
            else:
                found[name] = named
        for name in found:
            if not WORKFLOW_NAME.fullmatch(name):
                self._problems.append(f"workflows.{name}: a workflow's name is letters, digits and '-' (never '_')")
        return found, limits

    def _deployment(self, name: str, table: Any) -> Deployment:
        where = f"deployments.{name}"
        if not _DEPLOYMENT.fullmatch(name):
            self._problems.append(f"{where}: a deployment's name is letters, digits, '-', '_' and '.'")
        rest = dict(table) if isinstance(table, dict) else table
        kept = rest.pop("retention", {}) if isinstance(rest, dict) else {}
        values = self._table(where, rest, DEPLOYMENT)
        values["retention"] = self._table(f"{where}.retention", kept, RETENTION)
        values["root"] = self._folder / (values["root"] or f".cirrus/{name}")
        for key in ("data", "catalog"):
            values[key] = values[key] and _place(self._folder, values[key])
        values["buckets"] = {name: _place(self._folder, place) for name, place in values["buckets"].items()}
        for key in ("events_file", "items_file"):
            values[key] = values[key] and str(self._folder / values[key])
        given = {one.name: values.pop(one.name) for one in CLOUD}
        values["cloud"] = self._cloud(name, given) if values["home"] == "aws" else None
        said = misplaced(values["home"], rest if isinstance(rest, dict) else {})
        self._problems += (f"{where}.{problem}" for problem in said)
        return Deployment(name=name, **values)

    def _cloud(self, name: str, given: dict[str, Any]) -> Cloud | None:
        try:
            return cloud(self._folder, self._name, name, given)
        except ConfigError as error:
            self._problems += (f"deployments.{name}.{problem}" for problem in error.problems)
            return None


def _limit(values: Mapping[str, Any]) -> Limit:
    return Limit(values["max_running"], values["rate"])


def _place(folder: Path, text: str) -> str:
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return text if "://" in text else str((folder / text).resolve())


def environment() -> dict[str, str]:
    """The environment, read once at the edge."""
    return dict(os.environ)
