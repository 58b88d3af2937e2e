"""Objects of S3 by URL, for functions that need no other store."""

from __future__ import annotations

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.errors import NotFound, StoreError, UploadError

_GONE = frozenset({"NoSuchKey", "404"})


class S3Objects:
    """Whole objects by `s3://` URL."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        """Write an object, over what stands there; StoreError if it could not be written."""
        bucket, key = _place(url)
        more = {"ContentType": content_type} if content_type else {}
        with reported(f"write {url}"):
            self._clients("s3").put_object(Bucket=bucket, Key=key, Body=data, **more)

    def get(self, url: str) -> bytes:
        """Read an object; NotFound if there is none, StoreError if it could not be read."""
        bucket, key = _place(url)
        try:
            with reported(f"read {url}"):
                return bytes(self._clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
        except StoreError as error:
            if code(error.__cause__) in _GONE:
                raise NotFound("object", url) from None
            raise

    def exists(self, url: str) -> bool:
        """Whether there is an object; StoreError if that could not be found out."""
        bucket, key = _place(url)
        try:
            with reported(f"look for {url}"):
                self._clients("s3").head_object(Bucket=bucket, Key=key)
        except StoreError as error:
            if code(error.__cause__) in _GONE:
                return False
            raise
        return True


def _place(url: str) -> tuple[str, str]:
    bucket, slash, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not (bucket and slash and key):
        raise UploadError(url, "the URL of an object in S3 is expected, such as s3://bucket/key")
    return bucket, key
