"""What the worker gives to tasks: a store for whole objects, and the place that relative paths are below.

The worker sets the environment variable CIRRUS_DATA (an absolute folder or a store's URL) and may provide its
own store. Without a worker (stactask's command line, a test) both have a default: the working directory, and
a store of files and whatever obstore opens.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cirrus.core import path_template
from cirrus.core.keys import link_component
from cirrus.ports.objects import Objects
from cirrus.tasks.errors import ItemError

LINEAGE_BEGINS = "Cirrus workflow "

_provided: Objects | None = None


def provide(store: Objects | None) -> None:
    """Make this the store of all tasks of this process from now on; None for the default."""
    global _provided
    _provided = store


@contextmanager
def provided(store: Objects) -> Iterator[Objects]:
    """Make this the store of tasks inside the block."""
    before = _provided
    provide(store)
    try:
        yield store
    finally:
        provide(before)


def objects() -> Objects:
    """The store of this task: the worker's, else the default."""
    if _provided is not None:
        return _provided
    from cirrus.tasks.store import OpenObjects

    return OpenObjects()


def identity(item: Mapping[str, Any]) -> str | None:
    """The collection of an Item that has an id; ItemError if either is no string."""
    name, collection = item.get("id"), item.get("collection")
    if not isinstance(name, str) or not name:
        raise ItemError(str(name), ["id: must be a string that is not empty"])
    if collection is not None and not isinstance(collection, str):
        raise ItemError(name, [f"collection: must be a string, not {collection!r}"])
    return collection


def data_root() -> str:
    """The absolute folder or store URL that relative places are below."""
    return os.environ.get("CIRRUS_DATA") or str(Path.cwd())


def lineage() -> str | None:
    """What this task is part of, in a sentence; None outside of an execution."""
    workflow, payload_id, execution_id = (
        os.environ.get(f"CIRRUS_{name}") for name in ("WORKFLOW", "PAYLOAD_ID", "EXECUTION_ID")
    )
    if not (workflow and payload_id and execution_id):
        return None
    return f"{LINEAGE_BEGINS}{workflow}, payload {payload_id}, execution {execution_id}"


def collection_href(collection: str) -> str:
    """Where a collection is described: in the deployment's catalog (CIRRUS_CATALOG), else in its data store."""
    catalog = os.environ.get("CIRRUS_CATALOG")
    place = f"{link_component(collection)}/collection.json"
    return f"{catalog.rstrip('/')}/{place}" if catalog else locate(place)


def locate(place: str) -> str:
    """The absolute URL or path of a place that may be relative to the data store."""
    path_template.check(place)
    if path_template.is_url(place):
        return place
    root = data_root()
    if path_template.is_url(root):
        return root.rstrip("/") + "/" + place
    return str(Path(root).absolute() / place)
