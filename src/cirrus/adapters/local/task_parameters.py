"""What the project's tasks declare of their parameters: asked of a process of its own, kept until a file changes.

The control process never imports the project. Where no file beside a handler so much as names `Parameters`, nothing
is asked at all.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from cirrus.ports.compute import TaskSpec
from cirrus.ports.parameters import Checked

SECONDS = 60.0
_TRUSTED = 1.0  # seconds for which files are not looked at again
_WORD = re.compile(rb"\bParameters\b")
_TASK = re.compile(rb":function:([A-Za-z0-9_-]+)")
_MOST = 5


class TaskParameters:
    """The declared schemas of a project's tasks; kept in the file `cache`.

    `hidden` are variables of the environment that the project's code is not shown.
    """

    def __init__(self, project: Path, specs: Mapping[str, TaskSpec], cache: Path, hidden: Collection[str] = ()) -> None:
        self._project = project
        handlers = {name: spec.handler or "" for name, spec in specs.items()}
        self._handlers = {name: handler for name, handler in handlers.items() if _is_ours(handler)}
        self._keys = {name: spec.params for name, spec in specs.items() if spec.params}
        self._cache = cache
        self._hidden = frozenset(hidden)
        self._known: dict[str, Any] | None = None
        self._again = 0.0
        self._validators: dict[str, Any] = {}
        self._named: dict[bytes, tuple[str, ...]] = {}

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Hold a process definition's `tasks` to what the tasks of a state machine declare."""
        problems: list[str] = []
        warnings: list[str] = []
        for name, told in self._declared(definition):
            if "error" in told:
                warnings.append(f"the parameters of task {name!r} were not checked: {told['error']}")
            else:
                problems += self._problems(name, told, tasks.get(told["key"], {}))
        return Checked(tuple(problems), tuple(warnings))

    def schema(self, definition: bytes) -> dict[str, Any]:
        """The JSON schema of `tasks` for a state machine: the union of what its tasks declare."""
        found = {told["key"]: told["schema"] for _, told in self._declared(definition) if "schema" in told}
        required = sorted(key for key, schema in found.items() if schema.get("required"))
        return {"type": "object", "properties": found, **({"required": required} if required else {})}

    def _problems(self, name: str, told: Mapping[str, Any], given: Any) -> Iterator[str]:
        key, schema = told["key"], told["schema"]
        if not isinstance(given, dict):
            return  # the payload's own check says so
        known = schema.get("properties", {})
        found = list(self._validator(name, schema).iter_errors(given))
        for error in found[:_MOST]:
            yield f"tasks.{key}{_place(error, given, known)}"
        if len(found) > _MOST:
            yield f"tasks.{key}: … and {len(found) - _MOST} more"

    def _validator(self, name: str, schema: dict[str, Any]) -> Any:
        if name not in self._validators:
            import jsonschema_rs

            self._validators[name] = jsonschema_rs.validator_for(schema)
        return self._validators[name]

    # ---------------------------------------------------------------- what is declared

    def _declared(self, definition: bytes) -> list[tuple[str, dict[str, Any]]]:
        """Each task of a state machine that declares something, or cannot be asked."""
        if definition not in self._named:
            self._named[definition] = tuple(sorted({found.decode() for found in _TASK.findall(definition)}))
        names = [name for name in self._named[definition] if name in self._handlers]
        if not names:
            return []
        now = time.monotonic()
        if self._known is None or now >= self._again:
            self._again = now + _TRUSTED
            self._known = self._look()
        told: dict[str, dict[str, Any]] = self._known["tasks"]
        return [(name, told[name]) for name in names if name in told]

    def _may_declare(self) -> bool:
        return any(_WORD.search(text) for text in _read(self._sources()))

    def _sources(self) -> list[Path]:
        """The Python files beside the project's handlers, and below their folders."""
        found: set[Path] = set()
        for handler in self._handlers.values():
            first = self._project / handler.partition(":")[0].split(".")[0]
            found |= {first.with_suffix(".py")} if first.with_suffix(".py").is_file() else set(first.rglob("*.py"))
        return sorted(found)

    def _look(self) -> dict[str, Any]:
        """What is known, asked anew if a file or the table of tasks has changed."""
        if not self._may_declare():
            return {"tasks": {}, "files": {}}
        stamp = orjson.dumps([self._handlers, self._keys], option=orjson.OPT_SORT_KEYS).decode()
        known = self._known or _load(self._cache)
        if known is None or known.get("stamp") != stamp or _stamps(known["files"]) != known["files"]:
            known = {"stamp": stamp, **self._ask()}
            self._keep(known)
            self._validators.clear()
        return known

    def _ask(self) -> dict[str, Any]:
        told = orjson.dumps({"project": str(self._project), "handlers": self._handlers, "keys": self._keys})
        command = [sys.executable, "-P", "-m", "cirrus.entry.describe"]
        shown = {name: value for name, value in os.environ.items() if name not in self._hidden}
        options: dict[str, Any] = {"capture_output": True, "timeout": SECONDS, "cwd": self._project, "env": shown}
        try:
            done = subprocess.run(command, input=told, check=False, **options)
            found: dict[str, Any] = orjson.loads(done.stdout)
        except (subprocess.TimeoutExpired, OSError, orjson.JSONDecodeError) as error:
            slow = isinstance(error, subprocess.TimeoutExpired)
            reason = f"it took more than {SECONDS:g} s" if slow else "the import ended the process"
            failed = {"error": f"the project's tasks could not be imported: {reason}"}
            return {"tasks": dict.fromkeys(self._handlers, failed), "files": _stamps(map(str, self._sources()))}
        found["files"] = _stamps({*found["files"], *map(str, self._sources())})
        return found

    def _keep(self, known: Mapping[str, Any]) -> None:
        part = self._cache.with_name(f"{self._cache.name}.{os.getpid()}.part")
        with suppress(OSError):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(orjson.dumps(known))
            part.replace(self._cache)


def _is_ours(handler: str) -> bool:
    """Whether a handler is the project's; the built-in ones check their parameters themselves."""
    return bool(handler) and not handler.startswith("cirrus.")


def _load(cache: Path) -> dict[str, Any] | None:
    try:
        known = orjson.loads(cache.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return known if isinstance(known, dict) and isinstance(known.get("files"), dict) else None


def _read(files: Iterable[Path]) -> Iterator[bytes]:
    for file in files:
        with suppress(OSError):
            yield file.read_bytes()


def _stamps(files: Iterable[str]) -> dict[str, list[int] | None]:
    """What tells one version of each file from another; None for one that is not there."""
    found: dict[str, list[int] | None] = {}
    for file in files:
        try:
            status = Path(file).stat()
        except OSError:
            found[file] = None
        else:
            found[file] = [status.st_mtime_ns, status.st_size, status.st_ino]
    return found


def _place(error: Any, given: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """Where an error is, what is wrong, and what was expected."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    kind = type(error.kind).__name__.rpartition("_")[2]
    if kind == "AdditionalProperties" and not path:
        extra = sorted(given.keys() - known.keys())
        return "; ".join(f".{name}: is unknown{_hint(name, known)}" for name in extra)
    if kind == "Required":
        return f"{path}: {error.message}; it is missing"
    first = known.get(error.instance_path[0], {}) if error.instance_path else {}
    about = f" ({first['description']})" if isinstance(first, dict) and first.get("description") else ""
    return f"{path}: {error.message}{about}"


def _hint(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if known else "; the task takes no parameters"
