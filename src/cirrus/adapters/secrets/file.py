"""Secrets in files that their owner alone can read, each a JSON object."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from cirrus.adapters.secrets.document import decode
from cirrus.errors import NotFound, StoreError


class FileSecrets:
    """Secrets whose names are paths, relative ones below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, name: str) -> dict[str, Any]:
        """The keys in a file; one that others can read is refused."""
        path = self._path(name)
        try:
            with path.open("rb") as file:
                _refuse_open(path, os.fstat(file.fileno()))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            raise NotFound("secret", f"file:{path}", "make it with `cirrus secrets set`") from None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}") from None
        return decode(text, str(path))

    def stamp(self, name: str) -> object:
        """Which file stands there, and when it was changed."""
        try:
            status = self._path(name).stat()
        except OSError:
            return "not there"
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        """A new file of mode 0600 in the place of the old one."""
        path = self._path(name)
        part = path.with_name(f".{uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
                json.dump(dict(keys), file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from None
        finally:
            with suppress(OSError):
                part.unlink()

    def _path(self, name: str) -> Path:
        return self._folder / Path(name).expanduser()


def _refuse_open(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        raise StoreError(f"{path} has mode {mode:04o}, so that others can use it: chmod 600 {path}")
    if status.st_uid not in (os.getuid(), 0):
        raise StoreError(f"{path} belongs to another user (uid {status.st_uid})")
