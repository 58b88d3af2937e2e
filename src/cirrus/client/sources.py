"""Where documents come from: standard input, files, patterns of files, URLs; read as they are taken."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cirrus.core.documents import documents
from cirrus.errors import NotFound, StoreError
from cirrus.ports.objects import Objects

STDIN = "-"
Read = Callable[[int], object]


def files(places: Iterable[str]) -> list[str]:
    """The places, patterns replaced by the files that they match, in order; NotFound for what is not there."""
    found: list[str] = []
    for place in places:
        if place == STDIN or "://" in place:
            found.append(place)
        elif Path(place).is_dir():
            raise NotFound("file", place, f"it is a folder; name its files, such as '{place.rstrip('/')}/*.json'")
        elif Path(place).exists():
            found.append(place)
        else:
            some = sorted(glob.glob(place, recursive=True))  # noqa: PTH207 - as the operator wrote it, absolute or not
            if not some:
                raise NotFound("file", place)
            found += (one for one in some if Path(one).is_file())
    return found


def size(places: Iterable[str]) -> int | None:
    """How many bytes the places hold; None if that is not known before they are read."""
    total = 0
    for place in places:
        if place == STDIN or "://" in place:
            return None
        total += Path(place).stat().st_size
    return total


def texts(objects: Objects, places: Iterable[str], read: Read | None = None) -> Iterator[bytes]:
    """The JSON texts at places; `read` is told how many bytes were read since it was told last."""
    for place in places:
        yield from documents(_told(_lines(objects, place), read))


def _lines(objects: Objects, place: str) -> Iterator[bytes]:
    if place == STDIN:
        yield from sys.stdin.buffer
    elif "://" in place:
        yield from objects.get(place).splitlines(keepends=True)
    else:
        try:
            with Path(place).open("rb") as stream:
                yield from stream
        except OSError as error:
            raise StoreError(f"cannot read {place}: {error}") from error


def _told(lines: Iterator[bytes], read: Read | None) -> Iterator[bytes]:
    for line in lines:
        if read is not None:
            read(len(line))
        yield line
