"""`python -m cirrus.entry.describe`: what a project's tasks declare of their parameters, for the control process.

It imports the project's handlers, as a worker does, and runs none of them. In: a JSON object on stdin with the
project's folder, `handlers` by task, and `keys` under which parameters stand. Out: one on stdout, with the schema of
each task that declares one, and every file of the project that was read.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import validator_for

from cirrus.entry.failure import message_of
from cirrus.entry.project_modules import ProjectModules

NAME = "Parameters"


def declared(found: object) -> dict[str, Any] | None:
    """The JSON schema that a handler declares as `Parameters`, a pydantic model or a schema; None if it does not.

    A model that does not say what it does with names it does not know refuses them. TypeError for anything else.
    """
    given = getattr(found, NAME, None)
    if given is None:
        return None
    if isinstance(given, dict):
        return given
    if callable(getattr(given, "model_json_schema", None)):
        schema: dict[str, Any] = given.model_json_schema()
        extra = getattr(given, "model_config", {}).get("extra")
        return schema if extra == "allow" else {**schema, "additionalProperties": False}
    raise TypeError(f"{NAME} is a {type(given).__name__}; a pydantic model or a JSON schema (a dict) is expected")


def describe(project: Path, handlers: dict[str, str], keys: dict[str, str]) -> dict[str, Any]:
    """What each task declares, and the files that were read for it."""
    modules = ProjectModules(project)
    modules.install()
    tasks: dict[str, Any] = {}
    for task, handler in handlers.items():
        try:
            found = modules.load(handler)
            schema = declared(found)
            if schema is not None:
                validator_for(schema)
        except (Exception, SystemExit) as error:
            tasks[task] = {"error": f"{type(error).__name__}: {message_of(error)}"}
            continue
        if schema is not None:
            tasks[task] = {"key": keys.get(task) or getattr(found, "name", None) or task, "schema": schema}
    return {"tasks": tasks, "files": modules.files()}


def main() -> None:
    """Read stdin, write stdout; what the project prints goes to stderr."""
    warnings.simplefilter("ignore")
    told = orjson.loads(sys.stdin.buffer.read())
    out = os.dup(1)
    os.dup2(2, 1)
    answer = orjson.dumps(describe(Path(told["project"]), told["handlers"], told["keys"]))
    with os.fdopen(out, "wb") as stream:
        stream.write(answer)
    os._exit(0)  # threads that the project started do not matter here


if __name__ == "__main__":
    main()
