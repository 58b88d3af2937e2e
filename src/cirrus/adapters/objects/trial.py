"""Tries out the access of a bucket: really lists, reads, writes and removes. What is refused is told at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

from cirrus.adapters.objects.store import open_store, reason
from cirrus.core.bucket import Access
from cirrus.core.scrub import Scrubber
from cirrus.errors import StoreError

ONCE = {"max_retries": 1, "retry_timeout": timedelta(seconds=15)}
TIMES = {"timeout": "15s", "connect_timeout": "5s"}


class BucketTrial:
    """One bucket, opened with its access; each method does what it says, or raises StoreError with the reason."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._store = open_store(access.root, access, retry_config=ONCE, client_options=TIMES)
        self._scrubber = Scrubber(access.masked())

    def list(self, prefix: str) -> str:
        """List what stands first below a prefix."""
        import obstore

        def some() -> int:
            return len(next(iter(obstore.list(self._store, prefix or None, chunk_size=1)), []))

        return "ok: listed" if self._try("list", some) else "ok: listed, nothing is there"

    def read(self, key: str) -> str:
        """Read the beginning of an object."""
        import obstore

        size = self._try(f"read {key} of", lambda: obstore.head(self._store, key))["size"]
        if size:
            self._try(f"read {key} of", lambda: obstore.get_range(self._store, key, start=0, length=min(size, 1024)))
        return f"ok: read {key}, {size} bytes"

    def write(self, prefix: str) -> str:
        """Write an object of a name that nobody has, read it, remove it."""
        import obstore

        key, body = f"{prefix}cirrus-check-{uuid4().hex}", b"written by `cirrus secrets check`"
        self._try("write to", lambda: obstore.put(self._store, key, body))
        try:
            back = self._try(f"read {key} of", lambda: bytes(obstore.get(self._store, key).bytes()))
        finally:
            self._try(f"remove {key} from", lambda: obstore.delete(self._store, key))
        if back != body:
            raise StoreError(f"{self._access.root} gave back other bytes than were written to {key}")
        return "ok: wrote, read and removed an object"

    def _try(self, what: str, do: Callable[[], Any]) -> Any:
        try:
            return do()
        except Exception as error:
            text = f"cannot {what} {self._access.root}: {reason(error)}"
            raise StoreError(self._scrubber.text(text)) from None
