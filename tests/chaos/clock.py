"""A clock that can be set for every process of a run: what `time.time` says there is the machine's time and an offset.

The offset stands in a file that all processes see. A `sitecustomize` reads it, so control processes, commands, workers
and tasks all live by this clock, while time that only passes (`time.monotonic`) is the machine's, as where an operator
or NTP sets the clock.
"""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path

SITE = """
import mmap, os, struct, time
_file = open(os.environ["CIRRUS_TEST_CLOCK"], "rb")
_offset = mmap.mmap(_file.fileno(), 8, prot=mmap.PROT_READ)
_time_ns = time.time_ns
time.time_ns = lambda: _time_ns() + struct.unpack("q", _offset[:8])[0]
time.time = lambda: time.time_ns() / 1e9
"""


class Clock:
    """Starts as the machine's clock; `environment` is what processes that live by it need."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "sitecustomize.py").write_text(SITE)
        self._file = folder / "offset"
        self._file.write_bytes(bytes(8))
        self.environment = {
            "CIRRUS_TEST_CLOCK": str(self._file),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
        }
        self._offset = 0.0
        self._begun = [(time.time(), 0.0)]

    def turn(self, seconds: float) -> None:
        """Set it forward, or back."""
        self.set(self._offset + seconds)

    def set(self, offset: float) -> None:
        """Let it differ from the machine's by so many seconds."""
        self._begun.append((time.time(), offset))
        self._offset = offset
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", round(offset * 1e9)))

    def real(self, at: float) -> float | None:
        """The last moment by the machine's clock at which this one showed an instant; None if it never did."""
        ends = [begin for begin, _ in self._begun[1:]] + [time.time()]
        found = [
            at - offset
            for (begin, offset), end in zip(self._begun, ends, strict=True)
            if begin - 0.1 <= at - offset <= end + 0.1
        ]
        return max(found, default=None)
