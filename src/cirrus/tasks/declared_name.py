"""The name of a task class, read from its source."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any


def declared_name(folder: Path, handler: str) -> str | None:
    """The `name` that a Task class in the project's own files gives itself, found without importing it."""
    module, _, attribute = handler.partition(":")
    base = folder.joinpath(*module.split("."))
    for file in (base.with_suffix(".py"), base / "__init__.py"):
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (OSError, SyntaxError, ValueError):
            continue
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == attribute:
                return _name_in(node.body)
    return None


def _name_in(body: list[Any]) -> str | None:
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        named = any(isinstance(target, ast.Name) and target.id == "name" for target in targets)
        if named and isinstance(getattr(node, "value", None), ast.Constant) and isinstance(node.value.value, str):
            return node.value.value
    return None
