"""Objects by URL: local files, the object stores that obstore knows (S3, Google, Azure), and web pages to
read.

Places without a scheme are relative to one root, the deployment's data store. A store is opened once for each bucket,
with the access that was declared for it, and again when that has changed. Not there is `NotFound`; not readable is
`StoreError`; and no message holds a secret.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

from cirrus.adapters.objects.location import File, Key, Page, contained, locate
from cirrus.adapters.objects.redact import redact
from cirrus.core import path_template
from cirrus.core.bucket import Access, bucket_of
from cirrus.core.bucket_options import obstore_options, s3_credential
from cirrus.core.scrub import Scrubber
from cirrus.errors import CirrusError, NotFound, StoreError, UploadError

WEB_SECONDS = 120
GONE = (404, 410)
PIECE = 8 * 1024 * 1024
RETRY = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}
Answer = TypeVar("Answer")


class ObjectStores:
    """Reads and writes whole objects; safe to use from several threads.

    `data` is the root of places without a scheme: an absolute folder or a store's URL. `opens` gives the access of a
    bucket by its name, None for one that is opened with what the environment has; it may refuse with a CirrusError.
    `declared` are the names of those that have one.
    """

    def __init__(
        self, data: str | None = None, opens: Callable[[str], Access | None] | None = None, declared: Sequence[str] = ()
    ) -> None:
        self._data = data
        self.declared = tuple(declared)
        self._opens = opens
        self._scrubber = Scrubber()
        self._opened: dict[str, Any] = {}
        self._accesses: dict[str, Access] = {}
        self._lock = threading.Lock()

    @property
    def data(self) -> str | None:
        """The root of places without a scheme."""
        return self._data

    def locate(self, place: str) -> str:
        """The absolute URL or path of `place`; UploadError where it would leave its root."""
        try:
            contained(place)
        except ValueError as error:
            raise UploadError(redact(place), str(error)) from None
        if path_template.is_url(place):
            return place
        if self._data is None:
            raise UploadError(place, "a relative place needs a data store, and this deployment names none")
        return f"{self._data.rstrip('/')}/{place}"

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        """Write an object, over what stands there; readers see the old or the new one, never a part."""
        attributes = {"Content-Type": content_type} if content_type else {}
        self._put(url, lambda target: target.write_bytes(data), data, attributes)

    def put_file(self, url: str, source: Path, attributes: Mapping[str, str]) -> None:
        """As `put`, from a file; `attributes` are HTTP header names, left out where a store has none."""
        self._put(url, lambda target: shutil.copyfile(source, target), source, attributes)

    def get(self, url: str) -> bytes:
        """Read an object; NotFound if there is none, StoreError if it could not be read."""
        return self._reading(url, lambda: self._get(url))

    def pieces(self, url: str) -> Iterator[bytes]:
        """Read an object piece by piece; errors as of `get`."""
        found = self._reading(url, lambda: self._pieces(url))
        while (piece := self._reading(url, lambda: next(found, None))) is not None:
            if piece:
                yield piece

    def exists(self, url: str) -> bool:
        """Whether there is an object; StoreError if that could not be found out."""
        try:
            return self._reading(url, lambda: self._exists(url))
        except NotFound:
            return False

    def _put(
        self, url: str, write: Callable[[Path], object], body: bytes | Path, attributes: Mapping[str, str]
    ) -> None:
        try:
            place = locate(url)
        except ValueError as error:
            raise UploadError(redact(url), str(error)) from None
        if isinstance(place, Page):
            raise UploadError(redact(url), "a web address cannot be written to; name the store, as in s3://")
        try:
            if isinstance(place, File):
                replace_file(place.path, write)
            else:
                import obstore

                obstore.put(self.store(place.root), place.key, body, attributes=dict(attributes) or None)
        except CirrusError:
            raise
        except Exception as error:
            raise StoreError(self._scrubber.text(f"cannot write {redact(url)}: {reason(error)}")) from None

    def _get(self, url: str) -> bytes:
        match locate(url):
            case File(path):
                return path.read_bytes()
            case Page(address):
                return _fetch(address, "GET")
            case Key(root, key):
                return self._fetch_key(root, key)

    def _pieces(self, url: str) -> Iterator[bytes]:
        match locate(url):
            case File(path):
                with path.open("rb") as file:
                    yield from iter(lambda: file.read(PIECE), b"")
            case Page(address):
                with _opened(address, "GET") as answer:
                    yield from iter(lambda: answer.read(PIECE), b"")
            case Key(root, key):
                import obstore

                try:
                    yield from map(bytes, obstore.get(self.store(root), key).stream(min_chunk_size=PIECE))
                except (FileNotFoundError, obstore.exceptions.NotFoundError) as error:
                    raise _not_there(root, error) from None

    def _exists(self, url: str) -> bool:
        match locate(url):
            case File(path):
                return path.is_file()
            case Page(address):
                _fetch(address, "HEAD")
            case Key(root, key):
                import obstore

                try:
                    obstore.head(self.store(root), key)
                except (FileNotFoundError, obstore.exceptions.NotFoundError):
                    self._fetch_key(root, key)  # tells a missing bucket, which is no 'not there'
        return True

    def _fetch_key(self, root: str, key: str) -> bytes:
        import obstore

        try:
            return bytes(obstore.get(self.store(root), key).bytes())
        except (FileNotFoundError, obstore.exceptions.NotFoundError) as error:
            raise _not_there(root, error) from None

    def access(self, url: str) -> Access | None:
        """The access that was declared for the bucket of a URL; None where there is none."""
        name = bucket_of(url) if self._opens else None
        return self._opens(name) if self._opens and name else None

    def store(self, root: str) -> Any:
        """The obstore store at the URL of a bucket."""
        with self._lock:
            access = self.access(root)
            if root not in self._opened or (access is not None and access != self._accesses.get(root)):
                if access is not None:
                    self._scrubber = Scrubber(self._scrubber.values | access.masked())
                    self._accesses[root] = access
                self._opened[root] = open_store(root, access)
            return self._opened[root]

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        """Read an object of a store piece by piece; errors as of `get`."""
        import obstore

        place = locate(url)
        assert isinstance(place, Key)
        try:
            found = await obstore.get_async(self.store(place.root), place.key)
            async for piece in found.stream(min_chunk_size=PIECE):
                yield bytes(piece)
        except Exception as error:
            raise self._masked(told(url, error)) from None

    def _reading(self, url: str, read: Callable[[], Answer]) -> Answer:
        """What `read` gives; its failure as NotFound or StoreError."""
        try:
            return read()
        except Exception as error:
            raise self._masked(told(url, error)) from None

    def _masked(self, error: CirrusError) -> CirrusError:
        return StoreError(self._scrubber.text(str(error))) if type(error) is StoreError else error


def open_store(root: str, access: Access | None = None, **more: Any) -> Any:
    """The store at `root`, with its own access, else with the credentials of the environment, or of the AWS profile
    where that has none. `more` are options of obstore that go before our own.
    """
    from obstore.store import from_url

    plain = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    options: dict[str, Any] = {"client_options": {"allow_http": plain.startswith("http://")}, "retry_config": RETRY}
    options |= {**more, "client_options": {**options["client_options"], **more.get("client_options", {})}}
    if access is not None:
        own = obstore_options(access)
        options["client_options"] |= own.pop("client_options", {})
        options |= own
    if access is not None and not access.ambient:
        credential = s3_credential(access) if access.is_s3 else None
        options |= {"credential_provider": lambda: credential} if credential else {}
    elif root.startswith(("s3://", "s3a://")):
        if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3"):
            options.setdefault("endpoint", endpoint)
        if "AWS_ACCESS_KEY_ID" not in os.environ and _has_profile():
            from obstore.auth.boto3 import Boto3CredentialProvider

            options["credential_provider"] = Boto3CredentialProvider()
    return from_url(root, **options)


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` make a new file beside `path`, put it safely on the disk, and only then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def reason(error: Exception) -> str:
    """Why a store refused, in one line without secrets."""
    if isinstance(error, OSError) and error.strerror:
        return redact(error.strerror)
    lines = str(error).strip().splitlines()
    return redact(lines[0] if lines else type(error).__name__)


def told(url: str, error: Exception) -> CirrusError:
    """Why an object could not be read: that it is not there, or what is wrong."""
    if isinstance(error, CirrusError):
        return error
    if isinstance(error, HTTPError):
        error.close()
        gone, why = error.code in GONE, f"HTTP {error.code} {error.reason}"
    elif isinstance(error, URLError):
        gone, why = False, redact(str(error.reason))
    else:
        gone, why = isinstance(error, (FileNotFoundError, NotADirectoryError)), reason(error)
    return NotFound("object", redact(url)) if gone else StoreError(f"cannot read {redact(url)}: {why}")


def _not_there(root: str, error: Exception) -> Exception:
    """What to raise of a store that has no such object; a missing bucket is no 'not there'."""
    if "NoSuchBucket" in str(error):
        return StoreError(f"the bucket of {root} does not exist")
    return FileNotFoundError()


def _fetch(url: str, method: str) -> bytes:
    with _opened(url, method) as answer:
        body: bytes = answer.read()
        return body


def _opened(url: str, method: str) -> Any:
    request = Request(url, method=method, headers={"User-Agent": "cirrus"})  # noqa: S310 -- callers pass web URLs only
    return urlopen(request, timeout=WEB_SECONDS)  # noqa: S310 -- its URL is http or https, as Request was given it


def _has_profile() -> bool:
    if os.environ.get("AWS_PROFILE"):
        return True
    with suppress(RuntimeError):
        return (Path.home() / ".aws" / "credentials").is_file()
    return False
