"""The objects port in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from cirrus.errors import NotFound


class MemoryObjects:
    """Objects by URL; `puts` names every object that was written, in order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: dict[str, bytes] = {}
        self.puts: list[str] = []

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        """Write an object, over what stands there."""
        with self._lock:
            self._bodies[url] = data
            self.puts.append(url)

    def get(self, url: str) -> bytes:
        """Read an object; NotFound if there is none."""
        with self._lock:
            if url not in self._bodies:
                raise NotFound("object", url)
            return self._bodies[url]

    def pieces(self, url: str) -> Iterator[bytes]:
        """Read an object piece by piece; NotFound if there is none."""
        if found := self.get(url):
            yield found

    def exists(self, url: str) -> bool:
        """Whether there is an object."""
        with self._lock:
            return url in self._bodies
