"""Processes and their descendants: find them, end them all, and never outlive the process that watches over
them.

Linux does all of it; elsewhere process groups are what is left, and a child that left its group may stay.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

Birth = int
Snapshot = dict[int, Birth]
Table = dict[int, tuple[int, int, Birth]]


def processes() -> Table:
    """Every process there is: its parent, process group and start time."""
    found: Table = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208 -- a few times a second
            if name.isdigit():
                with suppress(OSError, ValueError, IndexError):
                    fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                    found[int(name)] = (int(fields[1]), int(fields[2]), int(fields[19]))
    return found


def below(table: Table, roots: set[int]) -> set[int]:
    """The processes that descend from `roots`."""
    found: set[int] = set()
    frontier = roots
    while frontier:
        frontier = {pid for pid, (parent, _, _) in table.items() if parent in frontier} - found
        found |= frontier
    return found


def family(table: Table, root: int) -> set[int]:
    """`root`, its process group, and all that descend from these."""
    group = {root} | {pid for pid, (_, leader, _) in table.items() if leader == root}
    return group | below(table, group)


def descendants(root: int) -> Snapshot:
    """Every process below `root`, with its start time, which tells it from a later process of the same id."""
    table = processes()
    return {pid: table[pid][2] for pid in below(table, {root})}


def kill_group(leader: int, number: int = signal.SIGKILL) -> None:
    """Signal the whole process group of `leader`; nothing happens if it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def kill_snapshot(snapshot: Snapshot) -> None:
    """Kill those of `snapshot` that still live."""
    for pid, birth in snapshot.items():
        with suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[19]) == birth:
                os.kill(pid, signal.SIGKILL)


def kill_descendants(root: int) -> None:
    """Kill everything below `root`, also what is being started meanwhile."""
    for _ in range(20):
        snapshot = descendants(root)
        if not snapshot:
            return
        kill_snapshot(snapshot)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Be killed when the parent's thread that forked this process ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def die_with_pipe(life: int) -> None:
    """Have the kernel kill this process group once nobody holds the other end of the pipe `life`."""
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(life, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)


def survive_pipe(life: int) -> None:
    """Undo `die_with_pipe`: this process sees the end by itself, and has to clean up."""
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) & ~getattr(os, "O_ASYNC", 0))


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
