"""The payload store port over a folder or an object store: keys are names below one root.

On a file system the components of a key are percent-encoded where they must be; in a store a key is the id as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from cirrus.core.keys import file_key, from_file_key
from cirrus.core.path_template import is_url
from cirrus.errors import ConfigError, NotFound, StoreError, UploadError
from cirrus.ports.objects import Objects

_FILE = "file://"


class ObjectPayloads:
    """Bodies below `root`: an absolute folder, a `file://` URL, or the URL of a place in a store."""

    def __init__(self, root: str, objects: Objects) -> None:
        self._objects = objects
        folder = _folder(root)
        self._on_files = folder is not None
        self._base = f"{_FILE}{quote(folder)}/" if folder is not None else f"{root.rstrip('/')}/"

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""
        url = self.url(key)
        try:
            self._objects.put(url, body, "application/json")
        except UploadError as error:
            raise StoreError(str(error)) from None
        return url

    def get(self, url: str) -> bytes:
        """The body at a URL of this store. NotFound if there is none, StoreError if it cannot be read."""
        return self._objects.get(url)

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none."""
        return [self._get_or_none(url) for url in urls]

    def _get_or_none(self, url: str) -> bytes | None:
        try:
            return self.get(url)
        except NotFound:
            return None

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return url.startswith(self._base)

    def key(self, url: str) -> str:
        """The key that a URL of this store names; where the file's name was cut, one with the same name."""
        rest = url.removeprefix(self._base)
        return from_file_key(unquote(rest)) if self._on_files else rest

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
        return self._base + (quote(file_key(key)) if self._on_files else key)


def _folder(root: str) -> str | None:
    """The path of a root that is a folder, None for a store's; ConfigError for a relative one."""
    if not is_url(root):
        if not Path(root).is_absolute():
            raise ConfigError("payload store", [f"root: an absolute folder or a store's URL is expected, not {root!r}"])
        return root.rstrip("/")
    return unquote(urlsplit(root).path).rstrip("/") if root.startswith(_FILE) else None
