"""Reads and writes of objects that state machines ask for, made in a worker process.

Each takes {"place": URL} and more, and gives its result as {"output": ...}.
"""

from __future__ import annotations

from typing import Any

from cirrus.tasks import kit


def get_object(given: dict[str, Any]) -> dict[str, Any]:
    """The object at `place` as S3 describes one: {Body (text), ContentLength, ETag}."""
    body = kit.objects().get(given["place"])
    return {"output": {"Body": body.decode("utf-8"), "ContentLength": len(body), "Metadata": {}}}


def put_object(given: dict[str, Any]) -> dict[str, Any]:
    """Write the text `body` to `place`."""
    kit.objects().put(given["place"], given["body"].encode(), given.get("content_type"))
    return {"output": {}}


def write_files(given: dict[str, Any]) -> dict[str, Any]:
    """Write every text of `files` to its URL, in their order."""
    for url, text in given["files"].items():
        kit.objects().put(url, text.encode(), "application/json")
    return {"output": {}}
