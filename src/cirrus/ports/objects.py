"""Where Items and other small files are read and written, by URL: what a task needs of a store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Objects(Protocol):
    """Whole objects by absolute URL or absolute path; safe to use from several threads.

    A put is atomic: a reader sees the old object or the new one, never a part. 'Could not read' is a
    StoreError and never taken for 'not there'.
    """

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        """Write an object, over what stands there; StoreError if it could not be written."""

    def get(self, url: str) -> bytes:
        """Read an object; NotFound if there is none, StoreError if it could not be read."""

    def pieces(self, url: str) -> Iterator[bytes]:
        """Read an object piece by piece, some megabytes each, none of them empty; errors as of `get`."""

    def exists(self, url: str) -> bool:
        """Whether there is an object; StoreError if that could not be found out."""
