"""Access to the buckets that a task may use, for its own code: obstore, fsspec, boto3, GDAL.

Outside of Cirrus, and in a project that declares no buckets, every bucket is opened with what the environment has.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from cirrus.core import bucket_options
from cirrus.core.bucket import Access, bucket_of, root_of
from cirrus.core.grants import ANY, FILE, NAMES
from cirrus.errors import StoreError


def buckets() -> list[str]:
    """The names of the buckets that this task may use; empty where none are declared."""
    return [name for name in os.environ.get(NAMES, "").split() if name != ANY]


def storage_options(bucket: str) -> dict[str, Any]:
    """Options for fsspec and all that is built on it: `fsspec.open("s3://scenes/key", **storage_options("scenes"))`."""
    return bucket_options.storage_options(access(bucket))


def gdal_options(bucket: str) -> dict[str, str]:
    """GDAL's configuration options for a bucket; not needed in the task's own processes, which have them by path."""
    return bucket_options.gdal_options(access(bucket))


def boto3_session(bucket: str) -> Any:
    """A boto3 session with a bucket's keys and region."""
    return import_module("boto3").Session(**bucket_options.session_options(access(bucket)))


def s3_client(bucket: str) -> Any:
    """A boto3 client for a bucket, its endpoint included."""
    return client_for(access(bucket))


def store(bucket: str) -> Any:
    """The obstore store of a bucket: `obstore.get(store("scenes"), "key")`."""
    return store_for(access(bucket))


def client_for(opened: Access) -> Any:
    """A boto3 S3 client for an access."""
    config, botocore = import_module("botocore.config").Config, import_module("botocore")
    options = bucket_options.client_options(opened)
    unsigned = {"signature_version": botocore.UNSIGNED} if opened.anonymous else {}
    options["config"] = config(**options["config"], **unsigned)
    session = import_module("boto3").Session(**bucket_options.session_options(opened))
    return session.client("s3", **options)


def store_for(opened: Access, **more: Any) -> Any:
    """The obstore store for an access."""
    from obstore.store import from_url

    credential = bucket_options.s3_credential(opened) if opened.is_s3 else None
    provider = {"credential_provider": lambda: credential} if credential else {}
    return from_url(opened.root, **{**more, **bucket_options.obstore_options(opened), **provider})


def access(bucket: str) -> Access:
    """What opens a bucket, by its name or the URL of its store; StoreError where this task may not use it."""
    name = bucket_of(root_of(bucket)) or bucket
    found = granted().get(name)
    if found is None and FILE in os.environ and ANY not in os.environ.get(NAMES, "").split():
        raise StoreError(refusal(name))
    return found or Access(name)


def granted() -> dict[str, Access]:
    """The buckets of this task by name."""
    file = os.environ.get(FILE)
    known = orjson.loads(Path(file).read_bytes()) if file else []
    return {one["bucket"]: Access(**one) for one in known}


def refusal(name: str) -> str:
    """Why a task may not use a bucket, and what to do."""
    may = ", ".join(buckets()) or "none"
    task = os.environ.get("CIRRUS_TASK", "X")
    return (
        f"this task may not use the bucket {name!r} (it may use: {may}): declare [buckets.{_key(name)}] in cirrus.toml"
        f" and name it in buckets of [tasks.{task}]"
    )


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'
