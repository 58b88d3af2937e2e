"""The store that tasks use where no worker provides one: files by path, anything else through obstore."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from cirrus.core.path_template import check, is_url
from cirrus.errors import NotFound, StoreError
from cirrus.tasks import kit


class OpenObjects:
    """Objects by absolute path, `file://` URL, or the URL of any store that obstore opens."""

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        """Write an object, over what stands there; StoreError if it could not be written."""
        path = local_path(url)
        try:
            if path is None:
                _put_remote(url, data, content_type)
            else:
                _put_file(path, data)
        except Exception as error:
            raise StoreError(f"cannot write {url}: {error}") from error

    def get(self, url: str) -> bytes:
        """Read an object; NotFound if there is none, StoreError if it could not be read."""
        path = local_path(url)
        try:
            return _get_remote(url) if path is None else path.read_bytes()
        except FileNotFoundError:
            raise NotFound("object", url) from None
        except Exception as error:
            raise StoreError(f"cannot read {url}: {error}") from error

    def pieces(self, url: str) -> Iterator[bytes]:
        """Read an object piece by piece, which here is all of it; errors as of `get`."""
        if found := self.get(url):
            yield found

    def exists(self, url: str) -> bool:
        """Whether there is an object; StoreError if that could not be found out."""
        path = local_path(url)
        try:
            return _exists_remote(url) if path is None else path.is_file()
        except Exception as error:
            raise StoreError(f"cannot read {url}: {error}") from error


class PlainUploads:
    """Stands in for stactask's S3 client: uploads to any place, relative ones below the data store."""

    def upload(self, filename: str, url: str, **_: Any) -> str:
        """Write a file to its place and give its URL or path."""
        place = kit.locate(url)
        target = local_path(place)
        if target is None:
            kit.objects().put(place, Path(filename).read_bytes())
        else:
            with _replacing(target) as part:
                shutil.copyfile(filename, part)
        return place


def local_path(url: str) -> Path | None:
    """The file that a path or `file://` URL names, None for any other URL."""
    if not is_url(url):
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme.lower() != "file":
        return None
    check(url)
    return Path(unquote(parts.path))


def _put_file(path: Path, data: bytes) -> None:
    with _replacing(path) as part, part.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A new file's path beside `path`, which replaces it after the block, unless that raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _opened(url: str) -> tuple[Any, str]:
    """The store of a URL and the key in it."""
    from obstore.store import from_url

    parent, _, name = url.rpartition("/")
    scheme_and_host = "/".join(url.split("/")[:3])
    key = str(PurePosixPath(url[len(scheme_and_host) :].lstrip("/")))
    if not name or not parent:
        raise ValueError("the URL names no object")
    return from_url(scheme_and_host), key


def _put_remote(url: str, data: bytes, content_type: str | None) -> None:
    import obstore

    store, key = _opened(url)
    obstore.put(store, key, data, attributes={"Content-Type": content_type} if content_type else None)


def _get_remote(url: str) -> bytes:
    import obstore
    from obstore.exceptions import NotFoundError

    store, key = _opened(url)
    try:
        return bytes(obstore.get(store, key).bytes())
    except NotFoundError:
        raise FileNotFoundError(url) from None


def _exists_remote(url: str) -> bool:
    import obstore
    from obstore.exceptions import NotFoundError

    store, key = _opened(url)
    try:
        obstore.head(store, key)
    except (FileNotFoundError, NotFoundError):
        return False
    return True
