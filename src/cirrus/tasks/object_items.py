"""The reader of a distributed Map: a file of items, a listing, or the files that a listing or a manifest names.

One file goes back as its text, for the engine to read as the ReaderConfig says; of several files the items go back.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cirrus.asl.items import limit, parse_items
from cirrus.core.path_template import is_url
from cirrus.tasks import access, kit

GZIP = b"\x1f\x8b"
ZSTANDARD = b"\x28\xb5\x2f\xfd"
INVENTORY = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}


def read_items(given: dict[str, Any]) -> dict[str, Any]:
    """What a reader with the ReaderConfig `config` finds: in the object at the URL `place`, or with `list` what
    stands in the bucket at the URL `root` under keys that begin with `prefix`.

    `buckets` says where the buckets that a manifest names stand.
    """
    place, config = given["place"], given["config"]
    if given["list"]:
        root = given["root"].rstrip("/")
        keys = listed(root, given["prefix"])
        if config.get("Transformation") != "LOAD_AND_FLATTEN":
            return {"output": keys[: limit(config)]}
        urls = [f"{root}/{one['Key']}" for one in keys if one["Size"]]
        return {"output": gathered(urls, config, config)}
    if config.get("ManifestType") == "ATHENA_DATA":
        return {"output": gathered(_athena(text_of(place), given["buckets"]), config, config)}
    if config.get("InputType") == "MANIFEST" or config.get("ManifestType") == "S3_INVENTORY":
        urls, names = _inventory(text_of(place), given["buckets"])
        return {"output": gathered(urls, {**INVENTORY, "CSVHeaders": names}, config)}
    return {"output": text_of(place)}


def text_of(url: str) -> str:
    """The text of an object, decompressed if it is gzip."""
    body = kit.objects().get(url)
    if body.startswith(ZSTANDARD):
        raise ValueError(f"{url} is compressed with Zstandard, which is not supported; gzip is")
    return (gzip.decompress(body) if body.startswith(GZIP) else body).decode("utf-8-sig")


def gathered(urls: list[str], form: Mapping[str, Any], config: Mapping[str, Any]) -> list[Any]:
    """The items of several files, in their order, as many as the ReaderConfig `config` lets in."""
    most, found = limit(config), list[Any]()
    shape = {name: value for name, value in form.items() if name != "MaxItems"}
    for url in urls:
        if len(found) >= most:
            break
        items = parse_items(text_of(url), shape)
        found.extend(items if isinstance(items, list) else [{"Key": key, "Value": items[key]} for key in items])
    return found[:most]


def _athena(manifest: str, buckets: Mapping[str, str]) -> list[str]:
    """The URLs in the manifest of an Athena UNLOAD: one in each line."""
    return [_here(row[0].strip(), buckets) for row in csv.reader(manifest.splitlines()) if row and row[0].strip()]


def _inventory(manifest: str, buckets: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """The URLs of an S3 inventory's files, and the names of their columns."""
    found = json.loads(manifest)
    if not isinstance(found, dict) or not {"files", "fileSchema", "destinationBucket"} <= found.keys():
        raise ValueError("an inventory's manifest has the members files, fileSchema and destinationBucket")
    if found.get("fileFormat", "CSV") != "CSV":
        raise ValueError(f"the inventory's files are {found['fileFormat']}, only CSV is supported")
    bucket = str(found["destinationBucket"]).rpartition(":")[2]
    urls = [_here(f"s3://{bucket}/{one['key']}", buckets) for one in found["files"]]
    return urls, [name.strip() for name in str(found["fileSchema"]).split(",")]


def _here(url: str, buckets: Mapping[str, str]) -> str:
    """An object's URL where its bucket stands for a folder or store of the deployment."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return f"{buckets[bucket].rstrip('/')}/{key}" if url.startswith("s3://") and bucket in buckets else url


def listed(root: str, prefix: str) -> list[dict[str, Any]]:
    """The objects below the URL `root` whose keys begin with `prefix`, as S3 lists them, sorted by key."""
    found = _keys(root, prefix) if is_url(root) and not root.startswith("file://") else _files(root, prefix)
    return sorted(found, key=lambda one: str(one["Key"]))


def _files(root: str, prefix: str) -> Iterator[dict[str, Any]]:
    base = Path(root.removeprefix("file://"))
    for file in (base / prefix.rpartition("/")[0]).rglob("*"):
        key = file.relative_to(base).as_posix()
        if file.is_file() and key.startswith(prefix):
            status = file.stat()
            tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
            yield _listing(key, status.st_size, status.st_mtime, tag)


def _keys(root: str, prefix: str) -> Iterator[dict[str, Any]]:
    import obstore

    scheme, _, rest = root.partition("://")
    bucket, _, base = rest.partition("/")
    start = f"{base}/{prefix}" if base else prefix
    for batch in obstore.list(access.store(f"{scheme}://{bucket}"), start.rpartition("/")[0]):
        for one in batch:
            modified: datetime = one["last_modified"]
            if one["path"].startswith(start):
                key = one["path"][len(base) :].lstrip("/") if base else one["path"]
                yield _listing(key, one["size"], modified.timestamp(), one["e_tag"])


def _listing(key: str, size: int, modified: float, tag: Any) -> dict[str, Any]:
    """An object as an iteration gets it: the time is in seconds since the epoch."""
    return {"Etag": tag, "Key": key, "LastModified": int(modified), "Size": size, "StorageClass": "STANDARD"}
