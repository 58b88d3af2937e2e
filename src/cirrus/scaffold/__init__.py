"""The project that `cirrus init` makes: small, and runs as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from cirrus.errors import ConfigError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_SKIPPED = ("__pycache__",)
# Installers and version control give files of these names a meaning of their own.
_RENAMED = {"gitignore": ".gitignore"}


def create(target: Path, name: str) -> None:
    """Write a project of this name into a folder that is new or empty; ConfigError if it is neither."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            repr(name), ["a project's name is 1 to 64 letters, digits, '-', '_' or '.', no sign at its ends"]
        )
    refuse_full(target)
    copy(files(__name__) / "project", target, {"{{name}}": name})


def refuse_full(target: Path) -> None:
    """ConfigError unless a project may be written here."""
    if target.is_symlink() or target.exists():
        if not target.is_dir():
            raise ConfigError(str(target), ["is not a folder"])
        if any(target.iterdir()):
            raise ConfigError(str(target), ["is not empty; a project is never written over what is there"])


def copy(source: Traversable, target: Path, words: dict[str, str]) -> None:
    """Copy a folder of the package, with words replaced in its text files."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path, file in _walk(source, ()):
            place = target.joinpath(*path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(_filled(file.read_bytes(), words))
    except OSError as error:
        raise ConfigError(str(target), [f"cannot be written: {error.strerror or error}"]) from error


def _walk(folder: Traversable, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Traversable]]:
    for entry in folder.iterdir():
        if entry.name in _SKIPPED:
            continue
        path = (*above, _RENAMED.get(entry.name, entry.name))
        if entry.is_dir():
            yield from _walk(entry, path)
        else:
            yield path, entry


def _filled(data: bytes, words: dict[str, str]) -> bytes:
    for word, value in words.items():
        data = data.replace(word.encode(), value.encode())
    return data
