"""Settings: one table of what `cirrus.toml` may say, and the only reader of the project file and the environment."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cirrus.adapters.objects.location import names_store
from cirrus.core.bucket import DEFAULT_SECRET, SOURCES, Bucket, Reference
from cirrus.core.instant import parse_duration
from cirrus.core.payload_id import WORKFLOW_NAME
from cirrus.core.state import ENDED, State
from cirrus.core.throttle import Limit, Rate, Throttle, parse_rate
from cirrus.errors import ConfigError
from cirrus.ports.compute import TaskSpec
from cirrus.tasks.declared_name import declared_name

FILE = "cirrus.toml"
_TASK_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HANDLER = re.compile(r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]I?B)", re.IGNORECASE)
_UNITS = {
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}IB": 1024**power for power, letter in enumerate("KMGT", 1)},
}
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|(?:gs|az|azure|adl|abfs|abfss)://[^/\s?#]+")
_DEPLOYMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a table: how its value is read (ValueError says what was expected), default, and help.

    The value of a `hidden` one is not shown in messages: it may be a secret that stands where its reference should.
    """

    name: str
    read: Callable[[Any], Any]
    default: Any
    help: str
    hidden: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a string that is not empty")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a whole number from 1 up")
    return value


def _duration(value: Any) -> float:
    try:
        seconds = (
            float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else parse_duration(value)
        )
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise ValueError("a duration such as '15m', '30s' or '1.5h', or a number of seconds")
    return seconds


def _ages(value: Any) -> dict[str, float]:
    """Seconds by end state; one duration is that of all."""
    try:
        ages = value if isinstance(value, dict) else dict.fromkeys(sorted(ENDED), value)
        found = {str(State.parse(name)): _duration(age) for name, age in ages.items()}
    except ValueError:
        found = {}
    if not found or not ENDED.issuperset(found):
        raise ValueError(f"a duration such as '30d', or a table of durations by end state ({', '.join(sorted(ENDED))})")
    return found


def _size(value: Any) -> int:
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else value
    if isinstance(size, bool) or not isinstance(size, int) or size < 1_000_000:
        raise ValueError("a size from 1MB up, such as '512MB', '2GB' or '1.5GiB', or a number of bytes")
    return size


def _rate(value: Any) -> Rate:
    try:
        return parse_rate(value)
    except (TypeError, ValueError):
        raise ValueError("a rate such as '10/s', '600/m' or '1.5/h'") from None


def _flag(value: Any) -> bool:
    if value is not True and value is not False:
        raise ValueError("true or false")
    return value


def _handler(value: Any) -> str:
    if not isinstance(value, str) or not _HANDLER.fullmatch(value):
        raise ValueError("'module:Name', the name of a stactask Task class or of a function")
    return value


def _command(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) for word in value):
        raise ValueError("an array of words, the program first")
    missing = [place for place in ("{input}", "{output}") if not any(place in word for word in value)]
    if missing:
        raise ValueError(f"an array of words that holds {' and '.join(missing)}")
    return tuple(value)


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(member, str) for member in value.values()):
        raise ValueError('a table of strings, such as { GDAL_CACHEMAX = "512" }')
    return dict(value)


def _home(value: Any) -> str:
    if value not in ("local", "cluster", "aws"):
        raise ValueError("'local', 'cluster' or 'aws'")
    return str(value)


def _store(value: Any) -> str:
    text = _text(value)
    if "://" in text and not text.startswith("file://") and not names_store(text):
        raise ValueError("a folder or the URL of a store that can be written to, such as s3://bucket/prefix,")
    return text


def _webhook(value: Any) -> str:
    if not isinstance(value, str) or not re.match(r"https?://[^/\s]", value):
        raise ValueError("a URL that begins with https:// or http://")
    return value


def _stores(value: Any) -> dict[str, str]:
    return {name: _store(place) for name, place in _texts(value).items()}


def _store_or_none(value: Any) -> str | None:
    if value is False:
        return None
    try:
        return _store(value)
    except ValueError as error:
        raise ValueError(f"{error}, or false for none,") from None


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError('an array of names, such as ["scenes"]')
    return tuple(dict.fromkeys(value))


def _endpoint(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", value):
        raise ValueError("an http or https URL without user and password")
    return value.rstrip("/")


def _reference(value: Any) -> Reference:
    source, mark, name = value.partition(":") if isinstance(value, str) else ("", "", "")
    if source not in SOURCES or (mark and not name) or (not name and source in ("env", "file")):
        raise ValueError(
            "a reference (env:PREFIX, file:PATH, keyring:NAME, secretsmanager or secretsmanager:NAME), never the secret"
        )
    if source == "env" and not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise ValueError("env: and the beginning of the names of variables")
    return Reference(source, name)


PROJECT = (Setting("name", _text, None, "the project's name"),)
TASK = (
    Setting("handler", _handler, None, "`module:Name` of a stactask Task class or a function payload -> payload"),
    Setting("command", _command, None, "any program: an array of words with `{input}` and `{output}`"),
    Setting("timeout", _duration, None, "the longest that an attempt may take, such as `15m`"),
    Setting("concurrency", _count, None, "at most so many attempts at once, in all control processes together"),
    Setting("rate", _rate, None, "attempts start no more often, in all control processes together: `10/s`, `600/m`"),
    Setting("env", _texts, {}, "environment variables of the task"),
    Setting("params", _text, None, "the name under which the payload's `tasks` holds its parameters"),
    Setting("memory", _size, None, "the most memory that an attempt and its child processes may use, such as `2GB`"),
    Setting("inline", _flag, False, "`true` runs a tiny, pure function in the control process, without a time limit"),
    Setting("buckets", _names, (), "the `[buckets]` that it may use, beside that of the deployment's `data`"),
)
BUCKET = (
    Setting("endpoint", _endpoint, None, "the URL of a service that speaks S3; AWS where it is not given", hidden=True),
    Setting("region", _text, None, "its region, such as `eu-central-1`"),
    Setting("requester_pays", _flag, False, "`true` if whoever reads pays, and agrees to"),
    Setting("anonymous", _flag, False, "`true` opens it without credentials"),
    Setting("path_style", _flag, None, "whether its name stands in the URL's path; `true` where `endpoint` is given"),
    Setting(
        "secret",
        _reference,
        None,
        "where its credentials are: `env:PREFIX`, `file:PATH`, `keyring:NAME`, `secretsmanager`; the environment's own",
        hidden=True,
    ),
)
LIMIT = (
    Setting("max_running", _count, None, "at most so many executions at once, in all control processes together"),
    Setting("rate", _rate, None, "executions begin no more often, in all control processes together: `10/s`, `600/m`"),
)
WORKFLOW = (Setting("definition", _text, None, "the state machine, below the project's folder"), *LIMIT)
DEPLOYMENT = (
    Setting("home", _home, "local", "where it runs: `local`, `cluster` or `aws`"),
    Setting("root", _text, None, "the folder of its database, payloads and logs"),
    Setting("data", _store, "./data", "where uploads go whose path_template names no store: a folder or a store's URL"),
    Setting(
        "catalog",
        _store_or_none,
        "./catalog",
        "the static STAC catalog of published Items: a folder or a store's URL, or `false` for none",
    ),
    Setting("workers", _count, None, "at most so many worker processes; the number of cores (at least 2)"),
    Setting("worker_attempts", _count, 10_000, "a worker process is replaced after so many attempts"),
    Setting("worker_age", _duration, 3600.0, "a worker process is replaced when it is so old and idle"),
    Setting(
        "worker_memory",
        _size,
        512_000_000,
        "a worker process is replaced when it has grown by so much after an attempt, such as `2GB`",
    ),
    Setting("max_running", _count, 200, "at most so many executions at once in each control process"),
    Setting(
        "max_running_size",
        _size,
        256_000_000,
        "begin no more while the payloads that tasks have or wait for take so much, in each control process",
    ),
    Setting("lease", _duration, 30.0, "how long the work of a control process that died stays untouched"),
    Setting("drain", _duration, None, "how long what runs may go on after SIGTERM or an interrupt; until it has ended"),
    Setting("events_file", _text, None, "a file to which workflow events are appended, as NDJSON"),
    Setting("events_webhook", _webhook, None, "a URL to which workflow events are posted"),
    Setting("items_file", _text, None, "a file to which publish messages are appended, as NDJSON"),
    Setting("items_webhook", _webhook, None, "a URL to which publish messages are posted"),
    Setting("delivery_attempts", _count, 8, "a delivery is parked after so many attempts"),
    Setting("buckets", _stores, {}, "folders or stores that names of buckets in state machines stand for"),
    Setting("variables", _texts, {}, "variables for payload templates"),
    Setting("region", _text, None, "on AWS: its region; the environment's own where it is not given"),
    Setting("profile", _text, None, "on AWS: the profile of credentials; the environment's own where it is not given"),
    Setting("pointer", _text, None, "on AWS: its name in the parameter store, where that is not the deployment's"),
)
RETENTION = (
    Setting("histories", _ages, {}, "what happened in executions, step by step: `30d`, or `{ COMPLETED = '30d' }`"),
    Setting("logs", _ages, {}, "what tasks printed: as `histories`"),
    Setting("records", _ages, {}, "records with all that belongs to them: as `histories`"),
    Setting("events", _duration, None, "workflow events"),
    Setting("deliveries", _duration, None, "what the outbox knows of deliveries that were sent"),
    Setting("tmp", _duration, 864_000.0, "payloads that travelled by URL: `tmp/oversized` and `tmp/batch`"),
    Setting("invalid", _duration, None, "messages in quarantine"),
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
    """Where the project runs; paths are absolute; `lease` and what `retention` holds are in seconds."""

    name: str
    home: str
    root: Path
    data: str
    catalog: str | None
    workers: int | None = None
    worker_attempts: int = 10_000
    worker_age: float = 3600.0
    worker_memory: int = 512_000_000
    max_running: int = 200
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
        tasks = {name: self._task(name, table) for name, table in self._tables(document, "tasks").items()}
        buckets = {name: self._bucket(name, table) for name, table in self._tables(document, "buckets").items()}
        self._check_buckets(tasks, buckets)
        workflows, limits = self._workflows(self._tables(document, "workflows"))
        throttle = Throttle(limits, self._collections(self._tables(document, "collections")), self._task_limits)
        named = {"local": {}, **self._tables(document, "deployments")}
        deployments = {name: self._deployment(name, table) for name, table in named.items()}
        if self._problems:
            raise ConfigError(self._source, self._problems)
        return Project(
            head["name"] or self._folder.name, self._folder, tasks, workflows, deployments, buckets, throttle
        )

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
        return Deployment(name=name, **values)


def _limit(values: Mapping[str, Any]) -> Limit:
    return Limit(values["max_running"], values["rate"])


def _place(folder: Path, text: str) -> str:
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    return text if "://" in text else str((folder / text).resolve())


def environment() -> dict[str, str]:
    """The environment, read once at the edge."""
    return dict(os.environ)
