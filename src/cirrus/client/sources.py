"""Where documents come from: standard input, files, patterns of files, URLs; read as they are taken."""

from __future__ import annotations

import glob
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from select import select
from typing import TYPE_CHECKING, cast

from cirrus.core.documents import PAUSE, documents
from cirrus.core.jsontext import decode, encode
from cirrus.core.sources import with_self
from cirrus.errors import InvalidPayload, NotFound, StoreError
from cirrus.ports.objects import Objects

if TYPE_CHECKING:
    from io import BufferedReader

STDIN = "-"
Read = Callable[[int], object]
_PIECE = 1 << 20
_MOMENT = 0.2


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


def texts(
    objects: Objects, places: Iterable[str], read: Read | None = None, *, features: bool = False
) -> Iterator[bytes]:
    """The JSON texts at places; `read` is told how many bytes were read since it was told last.

    Where nothing comes from a pipe for a moment there is a PAUSE among them, and once that was dealt with `read` is
    told 0. `features` is that of `documents`; then an Item that is alone in its place gets a `self` link to it.
    """
    for place in places:
        found = documents(_told(_pieces(objects, place), read), features=features)
        yield from _alone(found, place) if features and place != STDIN else found


def _alone(texts: Iterator[bytes], place: str) -> Iterator[bytes]:
    """The texts of a place; if there is but one, and it is an Item, with a `self` link to the place if it has none."""
    first, second = next(texts, None), next(texts, None)
    if first is not None:
        yield first if second is not None else _at(first, place)
    if second is not None:
        yield second
    yield from texts


def _at(text: bytes, place: str) -> bytes:
    try:
        item = decode(text)
    except InvalidPayload:
        return text
    if not isinstance(item, dict) or item.get("type") != "Feature" or not isinstance(item.get("links", []), list):
        return text
    return encode(with_self(item, place if "://" in place else str(Path(place).resolve())))


def _pieces(objects: Objects, place: str) -> Iterator[bytes]:
    if place == STDIN:
        yield from stdin()
    elif "://" in place:
        yield from objects.pieces(place)
    else:
        try:
            with Path(place).open("rb") as stream:
                yield from iter(lambda: stream.read(_PIECE), b"")
        except OSError as error:
            raise StoreError(f"cannot read {place}: {error}") from error


def stdin() -> Iterator[bytes]:
    """Standard input as it comes; a PAUSE when nothing has come for a moment."""
    stream = cast("BufferedReader", sys.stdin.buffer)
    while True:
        if not _ready(stream):
            yield PAUSE
            select([stream], [], [])
        if not (piece := stream.read1(_PIECE)):
            return
        yield piece


def _ready(stream: BufferedReader) -> bool:
    """Whether something comes within a moment, or the end; what is no pipe, file or terminal always has it."""
    try:
        return bool(select([stream], [], [], _MOMENT)[0])
    except (OSError, ValueError):
        return True


def _told(pieces: Iterator[bytes], read: Read | None) -> Iterator[bytes]:
    for piece in pieces:
        if read is not None and piece != PAUSE:
            read(len(piece))
        yield piece
        if read is not None and piece == PAUSE:
            read(0)
