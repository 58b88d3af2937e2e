"""The two that are compared: the functions and the command line of the original, and ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from cirrus.adapters.aws.clients import Clients
from cirrus.deployed import Deployed
from cirrus.entry.lambdas import api, process, update_state
from cirrus.variables import read_variables

DRIVER = Path(__file__).with_name("driver.py")


@dataclass(frozen=True)
class Printed:
    """What a command printed as data, and its exit code."""

    out: str
    code: int


class Side(Protocol):
    """Functions and commands, from outside."""

    def call(self, function: str, event: Any, environment: Mapping[str, str]) -> Any:
        """`{"answer": …}` of a function, or `{"raised": …}`."""

    def command(self, words: Sequence[str], given: str, folder: Path) -> Printed:
        """Run the command line in a folder."""


class Ours:
    """Ours, with the variables of the deployment as an existing one has them and a table of what is to be sent."""

    FUNCTIONS: Mapping[str, Callable[[Deployed, Any], Any]] = {
        "process": lambda where, event: process.handle(where, event, "o"),
        "update_state": lambda where, event: update_state.handle(where, event, "o"),
        "api": api.handle,
    }

    def call(self, function: str, event: Any, environment: Mapping[str, str]) -> Any:
        where = Deployed(read_variables(environment, "environment"), Clients())
        try:
            return {"answer": self.FUNCTIONS[function](where, event)}
        except Exception as error:  # whatever it raises is what is asked for
            return {"raised": type(error).__name__}

    def command(self, words: Sequence[str], given: str, folder: Path) -> Printed:
        return ran([sys.executable, "-m", "cirrus.entry.cli.main", "-p", str(folder), *words], given, folder)


class Original:
    """The original, installed in an environment of its own."""

    def __init__(self, python: Path) -> None:
        self._python = python
        self._process = subprocess.Popen(
            [str(python), str(DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def call(self, function: str, event: Any, environment: Mapping[str, str]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"function": function, "event": event, "environment": {**os.environ, **environment}}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def command(self, words: Sequence[str], given: str, folder: Path) -> Printed:
        return ran([str(self._python), "-m", "cirrus.management", *words], given, folder)

    def close(self) -> None:
        """End its process."""
        self._process.terminate()
        self._process.wait()


def ran(command: Sequence[str], given: str, folder: Path) -> Printed:
    """Run a command to its end."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=120, check=False, cwd=folder, env=os.environ
    )
    return Printed(done.stdout, done.returncode)
