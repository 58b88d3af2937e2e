"""The bell of a machine: each control process listens at a pipe of its own below the deployment's root."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FOLDER = "bells"


class Doorbell:
    """Rings at every control process of a deployment on this machine."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def ring(self) -> None:
        """Let those who listen look; what is left of one that died is removed."""
        with suppress(OSError):
            for entry in os.scandir(self._folder):
                _ring(entry.path)


def _ring(path: str) -> None:
    try:
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody reads
            with suppress(OSError):
                Path(path).unlink()
        return
    with suppress(OSError):  # a full pipe will be heard without this ring
        os.write(pipe, b"!")
    os.close(pipe)


class Listener:
    """Hears the bell as `name`, until it is closed; `heard` is called in a thread of its own."""

    def __init__(self, root: Path, name: str, heard: Callable[[], object]) -> None:
        self._path = root / FOLDER / name
        self._heard = heard
        self._pipe = self._open()
        if self._pipe is not None:
            threading.Thread(target=self._listen, name="cirrus-bell", daemon=True).start()

    def _open(self) -> int | None:
        """A pipe that this process can read, and that always has a writer; None where there can be none."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(self._path, stat.S_IRUSR | stat.S_IWUSR)
            return os.open(self._path, os.O_RDWR)
        except OSError:
            return None

    def _listen(self) -> None:
        assert self._pipe is not None
        while os.read(self._pipe, 4096) and self._path.exists():
            self._heard()

    def close(self) -> None:
        """Listen no more."""
        if self._pipe is None:
            return
        with suppress(OSError):
            self._path.unlink()
        os.write(self._pipe, b"!")
