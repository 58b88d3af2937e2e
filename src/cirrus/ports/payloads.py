"""The payload store: every body that went in or came out, under the keys of the storage specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Payloads(Protocol):
    """Bodies by key; a URL names a key of this store wherever a payload travels as {"url": ...}."""

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""

    def get(self, url: str) -> bytes:
        """The body at a URL of this store. NotFound if there is none, StoreError if it cannot be read."""

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none; StoreError as `get`."""

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""

    def key(self, url: str) -> str:
        """The key that a URL of this store names."""

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
