"""Appending lines to a file of this machine: on disk when the call returns, and none of them torn."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cirrus.errors import StoreError

_TAIL = 1 << 20


def append(path: Path, lines: Iterable[bytes]) -> None:
    """Append lines, each of which ends in a newline; the folder is made. StoreError if that cannot be done.

    A line that was cut off when its writer was killed goes when it comes again, and else is ended.
    """
    lines = list(lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            end = _mend(file.fileno(), lines)
            _write(file.fileno(), b"".join(lines), end)
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _write(file: int, data: bytes, end: int) -> None:
    """All of it or, where the disk is full, nothing."""
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, end)
        raise


def _mend(file: int, lines: list[bytes]) -> int:
    """Deal with what stands behind the last newline; gives the size of the file then."""
    end = os.fstat(file).st_size
    tail = os.pread(file, min(end, _TAIL), max(0, end - _TAIL))
    torn = tail[tail.rfind(b"\n") + 1 :]
    if torn and len(torn) < _TAIL and any(line.startswith(torn) for line in lines):
        end -= len(torn)
        os.ftruncate(file, end)
    elif torn:
        lines.insert(0, b"\n")
    return end
