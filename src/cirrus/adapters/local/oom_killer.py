"""Whether the kernel's OOM killer has struck, as the counters that it keeps tell."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_SECONDS = 1.0
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Counter:
    """A file with a line `oom_kill N`, and in words where it counts."""

    file: Path
    where: str


class OomKiller:
    """Watches the first of some counters that can be read."""

    def __init__(self, files: Sequence[Counter]) -> None:
        self._counter = next((one for one in files if oom_kills(one.file) is not None), None)
        self._last = self._before = self._count()
        self._looked = 0.0

    def look(self, now: float) -> None:
        """Remember the count of a second or more ago; to be called often."""
        if now - self._looked >= LOOK_SECONDS:
            self._before, self._last, self._looked = self._last, self._count(), now

    def struck(self) -> str | None:
        """Where it has struck a moment ago, if it has."""
        return self._counter.where if self._counter and self._count() > self._before else None

    def _count(self) -> int:
        return (self._counter and oom_kills(self._counter.file)) or 0


def oom_kills(file: Path) -> int | None:
    """How often it has struck; None if the file does not tell."""
    with suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill":
                return int(value)
    return None


def counters(proc: Path = PROC) -> list[Counter]:
    """The counters that there may be, the narrowest first."""
    ours = "in the control group that Cirrus runs in"
    groups = [(own_group(proc), "memory.events"), (own_group(proc, "memory"), "memory.oom_control")]
    found = [Counter(group / file, ours) for group, file in groups if group is not None]
    return [*found, Counter(proc / "vmstat", "somewhere on this machine")]


def own_group(proc: Path = PROC, controller: str = "") -> Path | None:
    """The folder of the control group of this process: of version 2, or of version 1 with a controller."""
    with suppress(OSError, ValueError):
        places = [line.split(" ") for line in (proc / "self/mounts").read_text().splitlines()]
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, controllers, inside = line.split(":", 2)
            for _, place, kind, options, *_ in places:
                named = controller in controllers.split(",") and (not controller or controller in options.split(","))
                if named and kind == ("cgroup" if controller else "cgroup2"):
                    return Path(place) / inside.lstrip("/")
    return None
