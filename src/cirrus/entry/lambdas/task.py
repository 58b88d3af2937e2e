"""A task of the project as a Lambda function, or as the command of a Batch job; its code is unchanged.

The function's variable CIRRUS_TASK names the task; the project stands in the function's own folder, or where
CIRRUS_PROJECT says. As a job: `python -m cirrus.entry.lambdas.task TASK URL URL_OUT`. Payloads of any size: what does
not fit travels by URL. What the task raises fails the function under its own name.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from cirrus.adapters.objects.store import ObjectStores
from cirrus.backends import backend
from cirrus.core.jsontext import decode, encode, fits_inline
from cirrus.core.keys import batch_error_key, oversized_key
from cirrus.core.payload import reference
from cirrus.entry.failure import TaskFailure, error_and_cause, in_log
from cirrus.entry.project_modules import ProjectModules
from cirrus.entry.task_host import Surroundings, TaskHost
from cirrus.errors import CirrusError, NotFound
from cirrus.ports.compute import TaskSpec
from cirrus.settings import environment, load_project
from cirrus.tasks import BUILTIN, kit

MARK = "cirrus-task"
JOB_FAILED = 1


def lambda_handler(event: Any, _context: Any) -> Any:
    """What Lambda calls: the task's output for a payload, or {"url"} of one."""
    return decode(inline(run(environment()["CIRRUS_TASK"], encode(event))))


def run(task: str, payload: bytes) -> bytes:
    """A task's output for a payload, both JSON text; raises what the task raises, under its own name."""
    host, stores = _host()
    url = reference(decode(payload))
    text = stores.get(url) if url is not None else payload
    _say(f"{MARK} {_id_of(text)}")
    os.environ["CIRRUS_TASK"] = task
    try:
        with kit.provided(stores):
            return host.run(task, text)
    except TaskFailure as failure:
        raise type(failure.error, (Exception,), {})(failure.message) from None


@cache
def _host() -> tuple[TaskHost, ObjectStores]:
    """The project's tasks, loaded once."""
    variables = environment()
    folder = Path(variables.get("CIRRUS_PROJECT") or variables.get("LAMBDA_TASK_ROOT") or ".").resolve()
    project = load_project(folder)
    bucket = variables.get("CIRRUS_DATA_BUCKET")
    stores = ObjectStores(variables.get("CIRRUS_DATA") or (f"s3://{bucket}" if bucket else None))
    modules = ProjectModules(folder)
    modules.install()
    built_in = {name: TaskSpec(name=name, handler=handler) for name, handler in BUILTIN.items()}
    around = Surroundings(folder, Path(tempfile.gettempdir()), stores)
    return TaskHost({**built_in, **project.tasks}, modules, around), stores


def inline(text: bytes) -> bytes:
    """An output as a state machine takes it: itself, or the URL of where it is kept."""
    if fits_inline(text):
        return text
    variables = environment()
    bucket = variables.get("CIRRUS_PAYLOAD_BUCKET")
    if not bucket:
        raise CirrusError("the output is too large for a state machine: set CIRRUS_PAYLOAD_BUCKET for it to be kept")
    root = variables.get("CIRRUS_PAYLOAD_ROOT_PREFIX") or "cirrus"
    payloads = backend("payloads", "aws")(backend("clients", "aws")(), bucket)
    return encode({"url": payloads.put(oversized_key(root, uuid4().hex), text)})


def job(task: str, url: str, url_out: str) -> int:
    """Run a task as a Batch job: reads the payload, writes the output or the error; gives the exit code."""
    _, stores = _host()
    try:
        output = run(task, stores.get(url))
    except Exception as failure:
        name, cause = error_and_cause(failure)
        sys.stderr.write(in_log(failure))
        _say(f"{name}: {decode(cause)['errorMessage']}")
        stores.put(batch_error_key(url_out), cause.encode(), "application/json")
        return JOB_FAILED
    stores.put(url_out, output, "application/json")
    return 0


def _id_of(text: bytes) -> str:
    value = decode(text)
    return str(value.get("id", "unknown")) if isinstance(value, dict) else "unknown"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """The command of a Batch job."""
    if len(sys.argv) != 4:
        sys.stderr.write("usage: python -m cirrus.entry.lambdas.task TASK URL URL_OUT\n")
        raise SystemExit(2)
    try:
        raise SystemExit(job(*sys.argv[1:]))
    except NotFound as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(JOB_FAILED) from None


if __name__ == "__main__":
    main()
