"""Print the original's commands with their arguments and options, as JSON; it runs in their environment."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every command below a group, with what it may be given."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            options = {text for one in command.params for text in one.opts if text.startswith("-")}
            yield " ".join((*path, name)), sorted(options - {"--help"})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dict(commands(import_module("cirrus.management.cli").cli))) + "\n")
