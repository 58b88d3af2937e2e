"""Control groups (version 2) that hold one worker each, with a memory limit that the kernel keeps.

That needs a folder below /sys/fs/cgroup that is ours to write, with the memory controller in it: what systemd calls a
delegated scope or service (`systemd-run --user --scope -p Delegate=yes`), or a container whose control groups are
writable. Processes may not live beside groups that limit memory, so this process moves to a leaf of its own first.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from cirrus.adapters.local.oom_killer import oom_kills, own_group

LEAF = "cirrus-control"
GROUP = "cirrus-pool-"


class Cgroups:
    """The groups of one pool's workers, all below `base`, where the memory controller is enabled for them."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._name = f"{GROUP}{os.getpid()}-{secrets.token_hex(4)}-"
        self._left: set[Path] = set()

    @property
    def base(self) -> Path:
        """The folder that holds the groups."""
        return self._base

    @property
    def prefix(self) -> str:
        """The path of a worker's group without the worker's number."""
        return str(self._base / self._name)

    def make(self, number: int) -> None:
        """A group for worker `number`; all that is in it ends together when it is out of memory."""
        group = self._group(number)
        group.mkdir()
        self._left.add(group)
        for file, value in (("memory.oom.group", "1"), ("memory.swap.max", "0")):
            with suppress(OSError):
                (group / file).write_text(value)

    def limit(self, number: int, memory: int | None) -> None:
        """Limit what the worker and its children use from now on, in bytes."""
        (self._group(number) / "memory.max").write_text("max" if memory is None else str(memory))

    def killed(self, number: int) -> int | None:
        """What the worker used at most if the kernel ended it for that; None if it did not."""
        group = self._group(number)
        if not oom_kills(group / "memory.events"):
            return None
        for file in ("memory.peak", "memory.max"):
            with suppress(OSError, ValueError):
                return int((group / file).read_text())
        return 0

    def remove(self, number: int) -> None:
        """End what is left in a worker's group and remove it, now or at a later call."""
        with suppress(OSError):
            (self._group(number) / "cgroup.kill").write_text("1")
        self.sweep()

    def sweep(self) -> None:
        """Remove the groups that are empty, of ours that were given up and of pools whose process is gone."""
        for group in self._base.glob(f"{GROUP}*"):
            mine = group.name.startswith(self._name)
            if mine or not Path(f"/proc/{group.name.removeprefix(GROUP).partition('-')[0]}").exists():
                with suppress(OSError):
                    group.rmdir()

    def _group(self, number: int) -> Path:
        return Path(f"{self.prefix}{number}")


def delegated() -> tuple[Cgroups | None, str]:
    """The groups that can be used here, and where; or None and why there are none."""
    own = own_group()
    if own is None:
        return None, "there are no control groups of version 2"
    try:
        base = own.parent if own.name == LEAF else own
        if "memory" not in (base / "cgroup.controllers").read_text().split():
            return None, f"the memory controller is not in {base}"
        if "memory" not in (base / "cgroup.subtree_control").read_text().split():
            _enable(base)
        groups = Cgroups(base)
        _try(groups)
    except OSError as error:
        return None, f"{error.filename or own} cannot be used: {error.strerror}"
    return groups, str(base)


def _enable(base: Path) -> None:
    """Have the kernel limit memory in groups below `base`; only where nobody but this process lives there."""
    others = set((base / "cgroup.procs").read_text().split()) - {str(os.getpid())}
    if others:
        raise OSError(16, "other processes live in it", str(base))
    leaf = base / LEAF
    leaf.mkdir(exist_ok=True)
    try:
        (leaf / "cgroup.procs").write_text(str(os.getpid()))
        (base / "cgroup.subtree_control").write_text("+memory")
    except OSError:
        with suppress(OSError):
            (base / "cgroup.procs").write_text(str(os.getpid()))
            leaf.rmdir()
        raise


def _try(groups: Cgroups) -> None:
    """Limit a process that does nothing: OSError if that cannot be done."""
    groups.make(0)
    try:
        groups.limit(0, 1 << 30)
        with subprocess.Popen(
            [sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as idle:
            Path(f"{groups.prefix}0", "cgroup.procs").write_text(str(idle.pid))
    finally:
        groups.remove(0)
