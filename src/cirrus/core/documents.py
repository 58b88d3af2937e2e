"""JSON documents from a stream: one document (pretty-printed or not), NDJSON, or an array.

Rules: NDJSON is read line by line, so that any number takes the memory of one; a document that runs over several
lines is gathered until it is whole; one that never becomes whole is given as it is, for whoever reads it to refuse. An
array that is large is given element by element while it comes in.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

import orjson

from cirrus.core.json_pieces import Window, collection, elements

PAUSE = b""
"""Among pieces and documents: nothing more has come for now, so deal with what there is."""
LARGE = 8 << 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_INSIDE = (b"]", b"}", b",")


def documents(pieces: Iterable[bytes], *, features: bool = False, large: int = LARGE) -> Iterator[bytes]:
    """The JSON texts in the pieces of a stream, wherever these are cut; the elements of an array one by one.

    With `features` a FeatureCollection larger than `large` bytes that has no `process` is given as one for each of its
    features. A PAUSE comes out where one came in.
    """
    source = _Source(pieces, b"[{" if features else b"[", large)
    gathered: list[bytes] = []
    depth = size = 0
    while (line := source.line()) is not None:
        if line == PAUSE:
            yield PAUSE
            continue
        if size + len(line) > large and source.streams(gathered[0] if gathered else line):
            yield from source.streamed(b"".join([*gathered, line]))
            gathered, depth, size = [], 0, 0
            continue
        if not gathered and not _may_go_on(line):
            yield from _elements(line)
            continue
        if gathered and line[:1] == b"{" and _is_whole(line) and source.following() not in _INSIDE:
            yield b"".join(gathered).strip()
            yield from _elements(line)
            gathered, depth, size = [], 0, 0
            continue
        gathered.append(line)
        size += len(line)
        depth += _opened(line)
        if depth <= 0 and _is_whole(whole := b"".join(gathered)):
            yield from _elements(whole)
            gathered, depth, size = [], 0, 0
    yield from _elements(b"".join(gathered))


class _Source:
    """The lines of a stream that comes in pieces, and what has not been made lines of yet."""

    def __init__(self, pieces: Iterable[bytes], starts: bytes, large: int) -> None:
        self._pieces = iter(pieces)
        self._starts = starts
        self._large = large
        self._lines: deque[bytes] = deque()
        self._rest: list[bytes] = []
        self._size = 0

    def line(self) -> bytes | None:
        """The next line, PAUSE, or None at the end; of a large document without line ends, what there is of it."""
        while not self._lines:
            if self._size > self._large and self.streams(self._rest[0]):
                return self._take_rest()
            piece = next(self._pieces, None)
            if piece is None:
                return self._take_rest() or None
            if piece == PAUSE:
                return PAUSE
            self._split(piece)
        return self._lines.popleft()

    def following(self) -> bytes:
        """The first character of the next line that is not blank; none where nothing more has come yet."""
        while True:
            for line in self._lines:
                if found := line.lstrip()[:1]:
                    return found
            piece = next(self._pieces, None)
            if not piece:
                return b"".join(self._rest).lstrip()[:1]
            self._split(piece)

    def streams(self, beginning: bytes) -> bool:
        """Whether a large document that begins so is given in parts."""
        found = beginning.lstrip()[:1]
        return found != b"" and found in self._starts

    def streamed(self, begun: bytes) -> Iterator[bytes]:
        """The parts of a large document of which so much has come in; what follows it is made lines of."""
        window = Window(begun, self._raw())
        yield from elements(window) if begun.lstrip()[:1] == b"[" else collection(window)
        self._split(window.rest())

    def _raw(self) -> Iterator[bytes]:
        """What comes, no matter where lines end."""
        while self._lines or self._rest:
            yield self._lines.popleft() if self._lines else self._take_rest()
        while (piece := next(self._pieces, None)) is not None:  # `yield from` would close them with this generator
            yield piece

    def _split(self, piece: bytes) -> None:
        *ended, last = piece.split(b"\n")
        if ended:
            ended[0] = self._take_rest() + ended[0]
            self._lines.extend(line + b"\n" for line in ended)
        if last:
            self._rest.append(last)
            self._size += len(last)

    def _take_rest(self) -> bytes:
        taken, self._rest, self._size = b"".join(self._rest), [], 0
        return taken


def _may_go_on(line: bytes) -> bool:
    """Whether a line begins a document that may run over several."""
    return line.lstrip()[:1] in (b"{", b"[") and not _is_whole(line)


def _opened(line: bytes) -> int:
    """How many brackets a line opens more than it closes; strings end on the line on which they begin."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")


def _is_whole(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _elements(text: bytes) -> Iterator[bytes]:
    stripped = text.strip()
    if not stripped.startswith(b"["):
        if stripped:
            yield stripped
        return
    try:
        values = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        yield stripped
        return
    for value in values:
        yield orjson.dumps(value)
