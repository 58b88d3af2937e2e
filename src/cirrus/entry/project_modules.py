"""The project's own Python modules in a worker: found first, read from source only, forgotten when a file
changes.

Byte code is neither read nor written for them: its check (seconds and size) would miss a line fixed within
the same second, and a rerun would then run the old code.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)
from pathlib import Path
from typing import Any

OURS = str(Path(__file__).parents[1])
Fingerprint = tuple[int, int, int]


class SourceLoader(SourceFileLoader):
    """Loads from source, and notes in `files` what each file was like just before it was read."""

    files: dict[str, Fingerprint | None]

    def path_stats(self, path: Any) -> Any:
        """Never: without it the import system uses no byte code."""
        raise OSError(path)

    def get_data(self, path: Any) -> bytes:
        """The file's bytes."""
        self.files.setdefault(str(path), fingerprint(str(path)))
        return super().get_data(path)


class ProjectModules:
    """Imports handlers from the folder `project` and notices when their files change."""

    def __init__(self, project: Path) -> None:
        self._root = str(project.resolve())
        self._files: dict[str, Fingerprint | None] = {}
        self._loader = type("ProjectLoader", (SourceLoader,), {"files": self._files})

    def install(self) -> None:
        """Put the project first on the import path."""
        sys.path.insert(0, self._root)
        self._hook()

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Put the project first on the import path for a while, in a process that has work of its own."""
        if self._finder not in sys.path_hooks:
            self._hook()
        sys.path.insert(0, self._root)
        try:
            yield
        finally:
            with suppress(ValueError):
                sys.path.remove(self._root)

    def remove(self) -> None:
        """Forget all the project's modules, and how to import them."""
        with self.importable():  # only there do namespace packages know their folders
            self._forget()
        with suppress(ValueError):
            sys.path_hooks.remove(self._finder)
        sys.path_importer_cache.clear()

    def load(self, handler: str) -> object:
        """What "module:Name" stands for; raises what the import raises, AttributeError if there is no such
        name.
        """
        module, _, name = handler.partition(":")
        importlib.invalidate_caches()
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def files(self) -> list[str]:
        """The project's files that were read so far."""
        return sorted(self._files)

    def refresh(self) -> bool:
        """Forget all the project's modules if a file of one has changed since it was read; says whether."""
        if all(fingerprint(path) == seen for path, seen in self._files.items()):
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        for name in [name for name, module in list(sys.modules.items()) if self._owns(module)]:
            del sys.modules[name]
        self._files.clear()

    def _hook(self) -> None:
        sys.path_hooks.insert(0, self._finder)
        sys.path_importer_cache.clear()

    def _owns(self, module: object) -> bool:
        file = getattr(module, "__file__", None)
        if file is not None:
            return file in self._files
        return any(self._inside(str(path)) for path in getattr(module, "__path__", ()))

    def _inside(self, path: str) -> bool:
        return (path == self._root or path.startswith(self._root + "/")) and not (
            path.startswith((sys.prefix + "/", OURS)) or "site-packages" in path
        )

    def _finder(self, path: str) -> FileFinder:
        if not self._inside(path):
            raise ImportError(path)
        return FileFinder(path, (ExtensionFileLoader, EXTENSION_SUFFIXES), (self._loader, SOURCE_SUFFIXES))


def fingerprint(path: str) -> Fingerprint | None:
    """What tells one version of a file from another; None if it cannot be read."""
    try:
        status = os.stat(path)  # noqa: PTH116 - for every attempt, where a Path costs twice as much
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def where(error: BaseException, root: str) -> str:
    """Where in the project an import failed, as " (tasks/scene.py, line 3)"; empty if it is not known."""
    spot: tuple[str, int] | None = None
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(root + "/"):
            spot = (file, trace.tb_lineno)
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        spot = (error.filename, error.lineno or 0)
    if spot is None:
        return ""
    return f" ({spot[0].removeprefix(root + '/')}, line {spot[1]})"
