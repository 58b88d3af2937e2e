"""Length-prefixed messages on a pipe: a number, a small JSON head, and a body of bytes that nobody decodes."""

from __future__ import annotations

import fcntl
import os
import struct
from collections import deque
from contextlib import suppress
from itertools import islice

HEADER = struct.Struct("!IIQ")
SMALL = 1024
READ_SIZE = 1 << 18
DEEP = 1 << 20


def deep_pipe() -> tuple[int, int]:
    """A pipe that takes far more than the usual 64 KB, where the system lets it: neither end waits for the other."""
    ends = os.pipe()
    with suppress(OSError, AttributeError):
        fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, DEEP)
    return ends


def send(descriptor: int, data: bytes) -> None:
    """Write all of it, waiting as long as it takes."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def prefix(number: int, head: bytes, size: int) -> bytes:
    """What comes before a body of `size` bytes."""
    return HEADER.pack(number, len(head), size) + head


def pack(number: int, head: bytes, body: bytes = b"") -> bytes:
    """One frame in one piece."""
    return prefix(number, head, len(body)) + body


class FrameReader:
    """Cuts a stream into frames (number, head, body), however it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._landing = memoryview(bytearray(READ_SIZE))

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came from the stream."""
        self._buffer += data

    def receive(self, descriptor: int) -> int:
        """Take what has come over a pipe, at most READ_SIZE: how many bytes, 0 at its end. Raises as os.readv does."""
        size = os.readv(descriptor, [self._landing])
        self.feed(self._landing[:size])
        return size

    def frames(self) -> list[tuple[int, bytes, bytes]]:
        """The frames that are complete; each is given once."""
        found: list[tuple[int, bytes, bytes]] = []
        start, size = 0, len(self._buffer)
        with memoryview(self._buffer) as view:
            while size - start >= HEADER.size:
                number, head, body = HEADER.unpack_from(view, start)
                middle = start + HEADER.size + head
                if size < middle + body:
                    break
                first, start = start + HEADER.size, middle + body
                found.append((number, bytes(view[first:middle]), bytes(view[middle:start]) if body else b""))
        del self._buffer[:start]
        return found


class SendBuffer:
    """What waits to be sent on a non-blocking pipe: large bodies are never copied."""

    def __init__(self) -> None:
        self._parts: deque[bytes | memoryview] = deque()

    def __bool__(self) -> bool:
        return bool(self._parts)

    def add(self, number: int, head: bytes, body: bytes) -> None:
        """Queue one frame."""
        if len(body) <= SMALL:
            self._parts.append(pack(number, head, body))
        else:
            self._parts.append(prefix(number, head, len(body)))
            self._parts.append(body)

    def flush(self, descriptor: int) -> None:
        """Send as much as the pipe takes now; a peer that is gone takes everything into nothing."""
        while self._parts:
            some = list(islice(self._parts, 128))
            try:
                sent = os.writev(descriptor, some)
            except BlockingIOError:
                return
            except OSError:
                self._parts.clear()
                return
            for part in some:
                if sent < len(part):
                    self._parts[0] = memoryview(part)[sent:]
                    break
                sent -= len(part)
                self._parts.popleft()
