"""Runs one attempt at a task inside a worker: a stactask Task class, a plain function, or a command.

A function takes the whole payload and returns an object. A Task class runs through its `handler`, as it
would in Lambda, in a fresh working directory. What a task returns must be a JSON object; anything else is
the error `InvalidOutput`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from cirrus.adapters.objects.store import ObjectStores
from cirrus.entry import command_host, stac_task
from cirrus.entry.bucket_access import Guard
from cirrus.entry.failure import TaskFailure, message_of
from cirrus.entry.project_modules import ProjectModules, where
from cirrus.entry.task_output import encode
from cirrus.ports.compute import TaskSpec

REFERENCE = re.compile(rb'\s*\{\s*"url"\s*:')
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where attempts run: the project folder, a folder for working directories, and where relative uploads
    go. `guard` keeps secrets out of what they return and say.
    """

    project: Path
    scratch: Path
    stores: ObjectStores
    guard: Guard = field(default_factory=Guard)


class TaskHost:
    """Runs attempts at the tasks of one project; keeps what it imported until `look` finds that a file has changed."""

    def __init__(self, specs: Mapping[str, TaskSpec], modules: ProjectModules, around: Surroundings) -> None:
        self._specs = specs
        self._modules = modules
        self._around = around
        self._loaded: dict[str, Callable[[Json], object]] = {}

    def preload(self) -> None:
        """Import every handler that can be imported; the others say why in their attempts."""
        for name, spec in self._specs.items():
            if spec.handler:
                with suppress(Exception):
                    self._callable(name, spec.handler)

    def look(self) -> None:
        """Forget what was imported if a file of the project has changed since."""
        if self._modules.refresh():
            self._loaded.clear()

    def run(self, task: str, payload: bytes) -> bytes:
        """The output for `payload`, both JSON text; raises what the task raises, or TaskFailure."""
        return self._around.guard.check(task, self._run(task, payload))

    def scrub(self, text: str) -> str:
        """A message without secrets."""
        return self._around.guard.masks.text(text)

    def _run(self, task: str, payload: bytes) -> bytes:
        spec = self._specs.get(task)
        if spec is None:
            raise TaskFailure("Runtime.HandlerNotFound", f"there is no task {task!r} in the project")
        payload = self._resolve(payload)
        if spec.command:
            with stac_task.workdir(self._around.scratch) as folder:
                return command_host.run(
                    task, spec.command, payload, self._around.project, folder, self._around.guard.masks
                )
        function = self._callable(task, spec.handler or "")
        return encode(task, function(decode(payload)))

    def _resolve(self, payload: bytes) -> bytes:
        """The payload itself, where what was passed is only its URL."""
        if not REFERENCE.match(payload):
            return payload
        body = decode(payload)
        if not (isinstance(body, dict) and body.keys() == {"url"} and isinstance(body["url"], str)):
            return payload
        return self._around.stores.get(body["url"])

    def _callable(self, task: str, handler: str) -> Callable[[Json], object]:
        found = self._loaded.get(task)
        if found is None:
            found = self._loaded[task] = self._adapt(task, handler, self._import(task, handler))
        return found

    def _import(self, task: str, handler: str) -> object:
        """The handler; every way in which importing it can fail is told with task, handler and reason."""
        what = f"task {task!r}: cannot import handler {handler!r}: "
        try:
            return self._modules.load(handler)
        except AttributeError as error:
            module = sys.modules.get(handler.partition(":")[0])
            if module is None or where(error, str(self._around.project)):
                raise self._import_failure(what, error) from error
            name = handler.partition(":")[2]
            raise TaskFailure(
                "Runtime.HandlerNotFound", f"{what}{module.__name__} has no {name!r}; it has {names(module)}"
            ) from error
        except (Exception, SystemExit) as error:
            raise self._import_failure(what, error) from error

    def _import_failure(self, what: str, error: BaseException) -> TaskFailure:
        kind = "Runtime.UserCodeSyntaxError" if isinstance(error, SyntaxError) else "Runtime.ImportModuleError"
        reason = error.msg if isinstance(error, SyntaxError) else message_of(error)
        place = where(error, str(self._around.project))
        return TaskFailure(kind, f"{what}{type(error).__name__}: {reason}{place}")

    def _adapt(self, task: str, handler: str, found: object) -> Callable[[Json], object]:
        """The handler as a function of a payload, or a TaskFailure that says what is wrong with it."""
        if stac_task.is_task(found) and self._specs[task].inline:
            problem = "is a stactask.Task class; an inline task is a function"
            raise TaskFailure("Runtime.InvalidEntrypoint", f"task {task!r}: handler {handler!r} {problem}")
        if stac_task.is_task(found):
            return stac_task.runner(found, self._specs[task].params, self._around.scratch, self._around.stores)
        problem = unusable(found)
        if problem or not callable(found):
            raise TaskFailure("Runtime.InvalidEntrypoint", f"task {task!r}: handler {handler!r} {problem}")
        return found


def decode(payload: bytes) -> Any:
    """The input that a task gets."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise TaskFailure("InvalidInput", f"the payload is not JSON: {error}") from error


def unusable(found: object) -> str:
    """Why `found` can be no task; empty if it can."""
    if inspect.isclass(found):
        return "is a class, but not a subclass of stactask.Task"
    if not callable(found):
        return f"is a {type(found).__name__}; a task is a function or a stactask.Task subclass"
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        return "is an async function; a task is an ordinary function (call asyncio.run inside it)"
    return ""


def names(module: object) -> str:
    """What a module offers, for a message."""
    public = [name for name, value in vars(module).items() if not name.startswith("_") and callable(value)]
    return ", ".join(sorted(public)[:12]) or "nothing that can be called"
