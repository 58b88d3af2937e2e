"""What an attempt printed, in bounded memory: its first and its last bytes, and how many were left out
between.
"""

from __future__ import annotations

from collections.abc import Iterator

from cirrus.core.scrub import ScrubbedStream, Scrubber

KEEP = 512 * 1024


class LogBuffer:
    """Keeps the first and the last `keep` bytes of what is written to it, without the secrets that `scrubber` knows."""

    __slots__ = ("_head", "_keep", "_reported", "_scrubbed", "_tail", "_total")

    def __init__(self, keep: int = KEEP, scrubber: Scrubber | None = None) -> None:
        self._keep = keep
        self._scrubbed: ScrubbedStream | None = scrubber.stream(self._append) if scrubber else None
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0
        self._reported = 0

    def write(self, data: bytes) -> None:
        """Append `data`."""
        if self._scrubbed:
            self._scrubbed.write(data)
        else:
            self._append(data)

    def _append(self, data: bytes) -> None:
        self._total += len(data)
        room = self._keep - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data[-self._keep :]
        if len(self._tail) > 2 * self._keep:
            self._trim()

    def getvalue(self) -> bytes:
        """Everything kept, with a line in the middle that says how many bytes were left out."""
        if self._scrubbed:
            self._scrubbed.flush()
        return self._since(0) if self._total else b""

    def take_new(self) -> bytes:
        """What was written since the last call."""
        if self._reported == self._total:
            return b""
        start, self._reported = self._reported, self._total
        return self._since(start)

    def _trim(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._keep)]

    def _since(self, start: int) -> bytes:
        self._trim()
        tail_start = self._total - len(self._tail)
        parts = [bytes(self._head[start:])]
        start = max(start, len(self._head))
        if start < tail_start:
            parts.append(b"\n[... %d bytes left out ...]\n" % (tail_start - start))
        parts.append(bytes(self._tail[max(0, start - tail_start) :]))
        return b"".join(parts)


class MarkedStream:
    """A stream where a marker ends each attempt: gives pieces, and whether the attempt ended there."""

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._held = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """The pieces of `data`; the beginning of what may be a marker is held back until more comes."""
        *ended, rest = (self._held + data).split(self._marker)
        for piece in ended:
            yield piece, True
        start = rest.rfind(self._marker[:1], max(0, len(rest) - len(self._marker)))
        cut = start if start >= 0 and self._marker.startswith(rest[start:]) else len(rest)
        self._held = rest[cut:]
        if cut:
            yield rest[:cut], False
