"""How much memory processes have, as /proc tells it; where there is no /proc, nothing is known and all is 0."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from cirrus.adapters.local.process_tree import Table, family

PAGE = os.sysconf("SC_PAGE_SIZE")


class OwnMemory:
    """The bytes that this process has for itself, files and shared memory left out; cheap enough for every attempt."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._file = -1

    def read(self) -> int:
        """In bytes, now; 0 where it is not known."""
        with suppress(OSError, ValueError, IndexError):
            return self._private(os.pread(self._file, 128, 0))
        with suppress(OSError, ValueError, IndexError):  # not open yet, or the task has closed it
            self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
            return self._private(os.pread(self._file, 128, 0))
        return 0

    @staticmethod
    def _private(statm: bytes) -> int:
        fields = statm.split()
        return (int(fields[1]) - int(fields[2])) * PAGE


def used(table: Table, root: int, enough: int) -> int:
    """The bytes that a process and all that came from it use; where it is at most `enough`, a larger figure may do.

    Pages that several share are counted in parts (PSS), which takes long to find out, so only where the sum of what
    they can see (RSS) is more than `enough`.
    """
    pids = family(table, root)
    seen = sum(map(resident, pids))
    return seen if seen <= enough else sum(map(proportional, pids))


def resident(pid: int) -> int:
    """What a process can see in memory, in bytes; 0 if it is gone."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    return 0


def proportional(pid: int) -> int:
    """The same, with each shared page divided by those who share it; RSS where that is not told."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return resident(pid)
