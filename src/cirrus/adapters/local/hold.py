"""Until when attempts may start: one number that control process and workers share, without a call between them.

It counts on the clock of time.monotonic, which is the same for all processes of a machine and never set. A control
process that sleeps does not renew it, so its workers begin nothing that another process may have taken over.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from math import inf
from pathlib import Path

_INSTANT = struct.Struct("d")
NAME = "hold"


class Hold:
    """The control process's side, in a file of `folder`."""

    def __init__(self) -> None:
        self._until = inf
        self._shared: list[mmap.mmap] = []

    def share(self, folder: Path) -> Path:
        """Make the file for another zygote's workers."""
        path = folder / NAME
        path.write_bytes(_INSTANT.pack(self._until))
        self._shared.append(_mapped(path, mmap.PROT_READ | mmap.PROT_WRITE))
        return path

    def until(self, instant: float) -> None:
        """Let attempts start until this instant."""
        self._until = instant
        for shared in self._shared:
            _INSTANT.pack_into(shared, 0, instant)

    def lasts(self) -> bool:
        """Whether attempts may start now."""
        return time.monotonic() < self._until

    def close(self) -> None:
        """Let go of the files."""
        for shared in self._shared:
            shared.close()
        self._shared.clear()


class Held:
    """The worker's side."""

    def __init__(self, path: Path) -> None:
        self._shared = _mapped(path, mmap.PROT_READ)

    def lasts(self) -> bool:
        """Whether an attempt may start now."""
        return time.monotonic() < float(_INSTANT.unpack_from(self._shared, 0)[0])


def _mapped(path: Path, protection: int) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR if protection & mmap.PROT_WRITE else os.O_RDONLY)
    try:
        return mmap.mmap(descriptor, _INSTANT.size, prot=protection)
    finally:
        os.close(descriptor)
