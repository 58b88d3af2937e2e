"""Lets unmodified stactask tasks upload anywhere.

stactask uploads only through one object, the S3 client of boto3-utils that `stactask.asset_io` makes when
it is imported. That very object gets another class here, so that whoever holds it is redirected: places
without a scheme go to the deployment's data store, URLs to the store they name. What only S3 knows (a
public ACL, say) still goes to S3 as before.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cirrus.adapters.objects.location import File, locate
from cirrus.adapters.objects.redact import redact
from cirrus.adapters.objects.store import ObjectStores, reason
from cirrus.core import path_template
from cirrus.core.bucket import Access
from cirrus.core.bucket_options import client_options, hosted, session_options
from cirrus.errors import UploadError

HEADERS = {
    "CacheControl": "Cache-Control",
    "ContentDisposition": "Content-Disposition",
    "ContentEncoding": "Content-Encoding",
    "ContentLanguage": "Content-Language",
    "ContentType": "Content-Type",
    "StorageClass": "Storage-Class",
}


def install(stores: ObjectStores) -> None:
    """Redirect stactask's uploads to `stores`, and refuse places that an Item's own values lead astray."""
    from stactask import asset_io as module

    asset_io: Any = module
    client = asset_io.global_s3_client
    if not hasattr(client, "cirrus_stores"):
        client.__class__ = type("RedirectedS3", (Redirection, type(client)), {})
        asset_io.LayoutTemplate = guarded(asset_io.LayoutTemplate)
    client.cirrus_stores = stores


class Redirection:
    """The methods of boto3-utils' S3 client that tasks call, for any store."""

    cirrus_stores: ObjectStores

    def upload(
        self,
        filename: str,
        url: str,
        public: bool = False,
        extra: Mapping[str, Any] | None = None,
        http_url: bool = False,
    ) -> str:
        """Write a file to `url` and give the address it now has: an absolute path, or a URL."""
        place = self.cirrus_stores.locate(url)
        headers = dict(extra or {})
        try:
            if is_s3(place) and (public or not headers.keys() <= HEADERS.keys()):
                self._plain(place).upload(filename, place, public=public, extra=headers)
            else:
                self.cirrus_stores.put_file(place, Path(filename), attributes(place, headers))
        except UploadError:
            raise
        except Exception as error:
            raise UploadError(redact(url), reason(error)) from error
        return address(place, http_url, self.cirrus_stores.access(place))

    def upload_json(self, data: Any, url: str, extra: Mapping[str, Any] | None = None, **kwargs: Any) -> str:
        """Write `data` as JSON to `url`."""
        place = self.cirrus_stores.locate(url)
        kind = {"ContentType": "application/json", **(extra or {})}["ContentType"]
        self.cirrus_stores.put(place, json.dumps(data).encode(), kind)
        return address(place, bool(kwargs.get("http_url")), self.cirrus_stores.access(place))

    def exists(self, url: str) -> bool:
        """Whether there is something at `url`."""
        return self.cirrus_stores.exists(self.cirrus_stores.locate(url))

    def read(self, url: str) -> str:
        """The text at `url`; unpacked where its name ends in .gz."""
        data = self.cirrus_stores.get(self.cirrus_stores.locate(url))
        return (gzip.decompress(data) if url.endswith(".gz") else data).decode()

    def _plain(self, place: str) -> Any:
        """The client that only S3 knows, with the access of the bucket."""
        access = self.cirrus_stores.access(place)
        if access is None or access.ambient:
            return super()
        from boto3utils import s3

        client = s3.__new__(s3)
        client.requester_pays, client.s3 = access.requester_pays, s3_client(access)
        return client

    def read_json(self, url: str) -> Any:
        """The JSON at `url`."""
        return json.loads(self.read(url))


def is_s3(place: str) -> bool:
    """Whether a place is in S3."""
    return place.startswith("s3://")


def attributes(place: str, headers: Mapping[str, Any]) -> dict[str, str]:
    """S3 argument names as HTTP headers; a folder has no headers at all."""
    known = {HEADERS[name]: str(value) for name, value in headers.items() if name in HEADERS}
    if not is_s3(place):
        known = {name: value for name, value in known.items() if name != "Storage-Class"}
    return known


def s3_client(access: Access) -> Any:
    """A boto3 client for a bucket."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    options = client_options(access)
    unsigned = {"signature_version": UNSIGNED} if access.anonymous else {}
    config = Config(**options.pop("config"), **unsigned)
    return boto3.Session(**session_options(access)).client("s3", config=config, **options)


def address(place: str, http_url: bool, access: Access | None = None) -> str:
    """What an Asset's href says: a path for a file, https for S3 if so asked, else the URL itself."""
    named = locate(place)
    if isinstance(named, File):
        return str(named.path)
    if not (http_url and is_s3(place)):
        return place
    bucket, _, key = place.removeprefix("s3://").partition("/")
    endpoint = access.endpoint if access else None
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint and access and access.endpoint and not access.path_style:
        return f"{hosted(endpoint, bucket).rstrip('/')}/{quote(key)}"
    if endpoint:
        return f"{endpoint.rstrip('/')}/{bucket}/{quote(key)}"
    region = access.region if access else None
    region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return f"https://{bucket}.s3.{region}.amazonaws.com/{quote(key)}"


def guarded(template_class: Any) -> Any:
    """The layout template of pystac that refuses to leave its root through the values of an Item."""

    class GuardedTemplate(template_class):  # type: ignore[misc]
        """As its base; UploadError where the result would be elsewhere than the template says."""

        def substitute(self, stac_object: Any) -> str:
            result: str = super().substitute(stac_object)
            refuse_astray(self.template, result)
            return result

    return GuardedTemplate


def refuse_astray(template: str, result: str) -> None:
    """UploadError if a result names a store or an absolute path that its template does not, or climbs."""
    if path_template.is_url(result) and template.startswith(("${id}", "${collection}")):
        raise UploadError(result, "an Item's id or collection may not name a store")
    if template.startswith("/"):
        path_template.check(result.lstrip("/"))
    else:
        path_template.check(result)
