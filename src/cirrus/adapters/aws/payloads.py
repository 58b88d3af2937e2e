"""The payload store port on S3: keys are the id as it is, below a prefix of one bucket."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.errors import NotFound, StoreError

_AT_ONCE = 16
_MOST_KEYS = 1000
_GONE = frozenset({"NoSuchKey", "404"})


class S3Payloads:
    """Bodies in `bucket`, below `prefix` (empty: at the top)."""

    def __init__(self, clients: Clients, bucket: str, prefix: str = "") -> None:
        self._clients = clients
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._base = f"s3://{bucket}/{self._prefix}"

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""
        with reported(f"write {self.url(key)}"):
            self._clients("s3").put_object(
                Bucket=self._bucket, Key=self._prefix + key, Body=body, ContentType="application/json"
            )
        return self.url(key)

    def get(self, url: str) -> bytes:
        """The body at a URL of this store. NotFound if there is none, StoreError if it cannot be read."""
        try:
            with reported(f"read {url}"):
                answer = self._clients("s3").get_object(Bucket=self._bucket, Key=self._prefix + self.key(url))
                return bytes(answer["Body"].read())
        except StoreError as error:
            if code(error.__cause__) in _GONE:
                raise NotFound("object", url) from None
            raise

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none; StoreError as `get`."""
        wanted = list(dict.fromkeys(urls))
        if len(wanted) == 1:
            return [self._maybe(wanted[0])] * len(urls)
        self._clients("s3")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = dict(zip(wanted, pool.map(self._maybe, wanted), strict=True))
        return [found[url] for url in urls]

    def holds(self, url: str) -> bool:
        """Whether something stands at a URL of this store; StoreError if that cannot be told."""
        try:
            with reported(f"look for {url}"):
                self._clients("s3").head_object(Bucket=self._bucket, Key=self._prefix + self.key(url))
        except StoreError as error:
            if code(error.__cause__) in _GONE:
                return False
            raise
        return True

    def _maybe(self, url: str) -> bytes | None:
        try:
            return self.get(url)
        except NotFound:
            return None

    def remove(self, keys: Sequence[str]) -> None:
        """Remove what stands under keys; StoreError tells of what could not be removed."""
        for start in range(0, len(keys), _MOST_KEYS):
            named = [{"Key": self._prefix + key} for key in keys[start : start + _MOST_KEYS]]
            with reported(f"remove from {self._base}"):
                answer = self._clients("s3").delete_objects(
                    Bucket=self._bucket, Delete={"Objects": named, "Quiet": True}
                )
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise StoreError(f"cannot remove {len(answer['Errors'])} objects: {first['Key']}: {first['Code']}")

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return url.startswith(self._base)

    def key(self, url: str) -> str:
        """The key that a URL of this store names."""
        return url.removeprefix(self._base)

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
        return self._base + key
