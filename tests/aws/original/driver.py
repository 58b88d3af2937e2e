"""Runs the original's functions: JSON lines in, one for each call; JSON lines out. It runs in their environment."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from typing import Any


def main() -> None:
    """Answer until there is nothing more to read."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.update(asked["environment"])
        answers.write(json.dumps(answered(asked["function"], asked["event"])) + "\n")
        answers.flush()


def answered(function: str, event: Any) -> Any:
    """What a function gives, or that it raised."""
    module = importlib.import_module(f"cirrus.lambda_functions.{function}")
    try:
        return {"answer": module.lambda_handler(event, None)}
    except Exception as error:  # whatever it raises is what is asked for
        return {"raised": type(error).__name__}


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
