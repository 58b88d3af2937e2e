"""A task that is any program: a payload file in, a payload file out.

`{input}`, `{output}` and `{workdir}` in its arguments stand for those paths. Exit code 65 (EX_DATAERR of
sysexits.h) says that the input can never work: the error `InvalidInput`. Any other exit code but 0 is
`CommandFailed`.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson

from cirrus.adapters.local.exit_status import ended
from cirrus.core.scrub import ScrubbedStream, Scrubber
from cirrus.entry.failure import TaskFailure
from cirrus.entry.task_output import check_items

EX_DATAERR = 65
LAST = 8192
POLL_MS = 20


def run(
    task: str, command: Sequence[str], payload: bytes, project: Path, folder: Path, masks: Scrubber | None = None
) -> bytes:
    """What the program wrote to `{output}`; TaskFailure if it failed or wrote no JSON object."""
    source, target = folder / "input.json", folder / "output.json"
    source.write_bytes(payload)
    places = {"{input}": str(source), "{output}": str(target), "{workdir}": str(folder)}
    arguments = [filled(argument, places) for argument in command]
    code, last = execute(task, arguments, project, masks or Scrubber())
    if code != 0:
        error = "InvalidInput" if code == EX_DATAERR else "CommandFailed"
        raise TaskFailure(error, f"task {task!r}: {command[0]!r} {ended(code)}{said(last)}")
    return read_output(task, target)


def filled(argument: str, places: dict[str, str]) -> str:
    """The argument with its placeholders replaced."""
    for name, path in places.items():
        argument = argument.replace(name, path)
    return argument


def execute(task: str, arguments: Sequence[str], project: Path, masks: Scrubber) -> tuple[int, bytes]:
    """Run a program to its end: its exit code (negative: the signal), and the last of what it wrote to
    stderr, masked before it is cut.
    """
    own = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": own + os.pathsep + os.environ.get("PATH", os.defpath)}
    found = arguments[0] if "/" in arguments[0] else which(arguments[0], environment["PATH"])
    try:
        process = subprocess.Popen(
            [found, *arguments[1:]],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise TaskFailure("CommandFailed", f"task {task!r}: cannot run {arguments[0]!r}: {reason}") from error
    with process:
        last = forward(process, masks)
        return process.wait(), last


def which(name: str, path: str) -> str:
    """The program's path; the bare name if there is none, so that starting it says so."""
    return shutil.which(name, path=path) or name


def forward(process: subprocess.Popen[bytes], masks: Scrubber) -> bytes:
    """Pass stderr on until the program ends, whoever else still holds it; the last bytes of it."""
    assert process.stderr is not None
    pipe = process.stderr.fileno()
    os.set_blocking(pipe, False)
    last = bytearray()
    keep = masks.stream(lambda data: _keep(data, last))
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    while True:
        done = process.poll() is not None
        ready.poll(0 if done else POLL_MS)
        more = _pass_on(pipe, keep)
        if done or not more:
            keep.flush()
            return bytes(last)


def _keep(data: bytes, last: bytearray) -> None:
    last += data
    del last[:-LAST]


def _pass_on(pipe: int, keep: ScrubbedStream) -> bool:
    """Move what is there to fd 2; False at the end of the stream."""
    while True:
        try:
            data = os.read(pipe, 65536)
        except BlockingIOError:
            return True
        if not data:
            return False
        os.write(2, data)
        keep.write(data)


def read_output(task: str, target: Path) -> bytes:
    """The output file, if it holds a JSON object."""
    what = f"task {task!r}: its command ended well but "
    try:
        data = target.read_bytes()
    except FileNotFoundError as error:
        raise TaskFailure("InvalidOutput", f"{what}wrote no file to {{output}}") from error
    except OSError as error:
        raise TaskFailure("InvalidOutput", f"{what}its output cannot be read: {error.strerror}") from error
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TaskFailure("InvalidOutput", f"{what}its output is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise TaskFailure("InvalidOutput", f"{what}its output is a {type(body).__name__}; expected an object")
    check_items(body, f"{what}its output is no payload")
    return data


def said(last: bytes) -> str:
    """The last lines of stderr, for a message."""
    lines = last.decode("utf-8", "replace").strip().splitlines()[-20:]
    return ": " + "\n".join(lines) if lines else ""
