"""What the project's tasks declare of their parameters: asked of a process of its own, kept until a file changes.

The control process never imports the project. Where no file beside a handler so much as names `Parameters`, nothing
is asked at all.
"""

from __future__ import annotations

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

from cirrus.core.declared import Declared
from cirrus.ports.compute import TaskSpec
from cirrus.ports.parameters import Checked

SECONDS = 60.0
_TRUSTED = 1.0  # seconds for which files are not looked at again
_WORD = re.compile(rb"\bParameters\b")


class TaskParameters:
    """The declared schemas of a project's tasks; kept in the file `cache`.

    `hidden` are variables of the environment that the project's code is not shown. `prefix` is what names of functions
    and job definitions begin with in state machines.
    """

    def __init__(
        self,
        project: Path,
        specs: Mapping[str, TaskSpec],
        cache: Path,
        hidden: Collection[str] = (),
        prefix: str = "",
    ) -> None:
        self._project = project
        handlers = {name: spec.handler or "" for name, spec in specs.items()}
        self._handlers = {name: handler for name, handler in handlers.items() if _is_ours(handler)}
        self._keys = {name: spec.params for name, spec in specs.items() if spec.params}
        self._cache = cache
        self._hidden = frozenset(hidden)
        self._known: dict[str, Any] | None = None
        self._again = 0.0
        self._task = re.compile(rb"(?::function:|:job-definition/)%s([A-Za-z0-9_-]+)" % re.escape(prefix.encode()))
        self._tasks = Declared({})
        self._named: dict[bytes, tuple[str, ...]] = {}

    def check(self, definition: bytes, tasks: Mapping[str, Any]) -> Checked:
        """Hold a process definition's `tasks` to what the tasks of a state machine declare."""
        names = self._names(definition)
        return Checked(*self._declared().check(names, tasks)) if names else Checked()

    def schema(self, definition: bytes) -> dict[str, Any]:
        """The JSON schema of `tasks` for a state machine: the union of what its tasks declare."""
        names = self._names(definition)
        return (self._declared() if names else Declared({})).schema(names)

    def declared(self) -> Mapping[str, Mapping[str, Any]]:
        """What each task declares, or why it could not be asked."""
        return self._declared().tasks if self._handlers else {}

    # ---------------------------------------------------------------- what is declared

    def _names(self, definition: bytes) -> tuple[str, ...]:
        """The project's tasks that a state machine names."""
        if definition not in self._named:
            found = sorted({found.decode() for found in self._task.findall(definition)})
            self._named[definition] = tuple(name for name in found if name in self._handlers)
        return self._named[definition]

    def _declared(self) -> Declared:
        now = time.monotonic()
        if self._known is None or now >= self._again:
            self._again = now + _TRUSTED
            known = self._look()
            if known is not self._known:
                self._known, self._tasks = known, Declared(known["tasks"])
        return self._tasks

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
