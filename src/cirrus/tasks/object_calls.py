"""Reads and writes of objects that state machines ask for, made in a worker process.

Each takes {"place": URL} and more, and gives its result as {"output": ...}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cirrus.core.path_template import is_url
from cirrus.tasks import access, kit


def get_object(given: dict[str, Any]) -> dict[str, Any]:
    """The object at `place` as S3 describes one: {Body (text), ContentLength, ETag}."""
    body = kit.objects().get(given["place"])
    return {"output": {"Body": body.decode("utf-8"), "ContentLength": len(body), "Metadata": {}}}


def put_object(given: dict[str, Any]) -> dict[str, Any]:
    """Write the text `body` to `place`."""
    kit.objects().put(given["place"], given["body"].encode(), given.get("content_type"))
    return {"output": {}}


def read_items(given: dict[str, Any]) -> dict[str, Any]:
    """The text of the object at `place`, or with `list` what stands below it, at most `most` of it."""
    if given["list"]:
        return {"output": listed(given["place"], given.get("most"))}
    return {"output": kit.objects().get(given["place"]).decode("utf-8")}


def write_files(given: dict[str, Any]) -> dict[str, Any]:
    """Write every text of `files` to its URL, in their order."""
    for url, text in given["files"].items():
        kit.objects().put(url, text.encode(), "application/json")
    return {"output": {}}


def listed(url: str, most: int | None) -> list[dict[str, Any]]:
    """The objects whose keys begin with a URL's, as S3 lists them, sorted by key."""
    found = _files(url) if not is_url(url) or url.startswith("file://") else _keys(url)
    found.sort(key=lambda one: str(one["Key"]))
    return found[:most] if most else found


def _files(url: str) -> list[dict[str, Any]]:
    path = url.removeprefix("file://")
    base, _, start = path.rpartition("/")
    return [
        {
            "Key": str(file.relative_to(base)),
            "Size": file.stat().st_size,
            "LastModified": datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat(),
            "StorageClass": "STANDARD",
        }
        for file in Path(base).rglob("*")
        if file.is_file() and str(file.relative_to(base)).startswith(start)
    ]


def _keys(url: str) -> list[dict[str, Any]]:
    import obstore

    scheme, _, rest = url.partition("://")
    bucket, _, prefix = rest.partition("/")
    found = [one for batch in obstore.list(access.store(f"{scheme}://{bucket}"), prefix) for one in batch]
    return [
        {
            "Key": one["path"],
            "Size": one["size"],
            "LastModified": one["last_modified"].isoformat(),
            "ETag": one["e_tag"],
            "StorageClass": "STANDARD",
        }
        for one in found
    ]
