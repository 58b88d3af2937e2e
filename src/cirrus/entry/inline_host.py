"""Runs attempts at inline tasks: plain functions, in the control process itself.

Nothing that a task raises gets out, but KeyboardInterrupt, which is the operator's. What it prints through Python goes
to its attempt's log, and to its log alone: other threads print where they always did. There is no time limit, and
nothing helps against a function that blocks or ends the process.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from cirrus.adapters.local.log_buffer import LogBuffer
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.bucket_options import AMBIENT
from cirrus.core.grants import NAMES, Grants
from cirrus.entry.bucket_access import guard, opener
from cirrus.entry.failure import error_and_cause, in_log
from cirrus.entry.project_modules import ProjectModules
from cirrus.entry.task_host import Surroundings, TaskHost
from cirrus.ports.compute import TaskSpec
from cirrus.tasks import kit

HERE = str(Path(__file__).parent)
Result = tuple[bytes | None, str | None, str | None, float, float]


class InlineHost:
    """Runs the inline tasks of a project; `environment` is set while they run, beside each attempt's context.

    With `grants`, the environment's own credentials and secrets are not shown to them.
    """

    def __init__(
        self,
        specs: Mapping[str, TaskSpec],
        project: Path,
        environment: Mapping[str, str],
        grants: Grants | None = None,
    ) -> None:
        own = next((spec.env.get(NAMES, "") for spec in specs.values() if spec.inline), "")
        opened = {access.bucket: access for access in grants.named(own)} if grants else {}
        opens = opener(opened, own) if grants else None
        self._hidden = grants.hidden | AMBIENT if grants else frozenset()
        self._stores = ObjectStores(environment["CIRRUS_DATA"], opens, list(opened))
        self._modules = ProjectModules(project)
        around = Surroundings(project, project, self._stores, guard(opened.values()))
        self._tasks = TaskHost({name: spec for name, spec in specs.items() if spec.inline}, self._modules, around)
        self._environment = dict(environment)

    def run(self, task: str, payload: bytes, context: Mapping[str, str], log: LogBuffer) -> Result:
        """Run one attempt: its output, or error and cause; when it began and ended, in seconds since the epoch."""
        variables = kit.variables(context)
        variables |= {**self._environment, "CIRRUS_TASK": task}
        output = error = cause = None
        started = time.time()
        try:
            with heard(log), visible(variables, self._hidden), kit.provided(self._stores), self._modules.importable():
                self._tasks.look()
                output = self._tasks.run(task, payload)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:
            error, cause = error_and_cause(failure, HERE, self._tasks.scrub)
            log.write(in_log(failure, HERE).encode("utf-8", "backslashreplace"))
        return output, error, cause, started, time.time()

    def close(self) -> None:
        """Forget the project's modules."""
        self._modules.remove()


@contextmanager
def heard(log: LogBuffer) -> Iterator[None]:
    """What this thread prints goes to `log`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_stream(Ear(log, stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Ear(io.RawIOBase):
    """Passes what its thread writes to a log, and what others write to the stream whose place it takes."""

    def __init__(self, log: LogBuffer, instead_of: TextIO) -> None:
        self._log = log
        self._instead_of = instead_of
        self._thread = threading.get_ident()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Take all of it."""
        text = bytes(data)
        if threading.get_ident() == self._thread:
            self._log.write(text)
        else:
            self._instead_of.write(text.decode("utf-8", "replace"))
        return len(text)


def _stream(raw: Ear) -> TextIO:
    return io.TextIOWrapper(cast("io.BufferedWriter", raw), "utf-8", "backslashreplace", write_through=True)


@contextmanager
def visible(variables: Mapping[str, str], hidden: Collection[str] = ()) -> Iterator[None]:
    """Have `os.environ` show `variables` and not the `hidden` ones.

    Not the C library, whose environment no thread may change beside others.
    """
    shown = cast("Any", os.environ)
    data, added = shown._data, {shown.encodekey(key): shown.encodevalue(value) for key, value in variables.items()}
    gone = {shown.encodekey(key) for key in hidden}
    before = {key: data.get(key) for key in {*added, *gone}}
    for key in gone:
        data.pop(key, None)
    data.update(added)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                data.pop(key, None)
            else:
                data[key] = value
