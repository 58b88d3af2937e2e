"""One writer at a time in a folder of this machine, even where one sleeps in the middle of a change and wakes up."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cirrus.errors import StoreError

_WAIT = 5.0
_PAUSE = 0.05
_PART = f".{'[0-9a-f]' * 32}.part"


@contextmanager
def single_writer(root: str, below: Sequence[str] = ()) -> Iterator[None]:
    """Hold the folder `root`, made if it is not there; a store's URL is not held. StoreError if another keeps it.

    Temporary files that a writer who was killed has left on the way down the folders `below` are removed.
    """
    if not root.startswith("/"):
        yield
        return
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StoreError(f"cannot write {root}: {error.strerror or error}") from error
    try:
        _lock(folder, root)
        for depth in range(len(below) + 1):
            _clean(Path(root, *below[:depth]))
        yield
    finally:
        os.close(folder)


def _lock(folder: int, root: str) -> None:
    until = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StoreError(f"cannot write {root}: another process is in the middle of a change") from None
            time.sleep(_PAUSE)  # a lock of a file that is waited for without end cannot be given up
        else:
            return


def _clean(folder: Path) -> None:
    for part in folder.glob(_PART):
        with suppress(OSError):
            part.unlink()
