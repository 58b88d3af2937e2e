"""What the worker gives to tasks: a store for whole objects, and the place that relative paths are below.

The worker sets the environment variable CIRRUS_DATA (an absolute folder or a store's URL) and may provide its
own store. Without a worker (stactask's command line, a test) both have a default: the working directory, and
a store of files and whatever obstore opens.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from cirrus.core import path_template
from cirrus.core.keys import link_component
from cirrus.core.sources import Source
from cirrus.ports.compute import SOURCES
from cirrus.ports.objects import Objects
from cirrus.tasks.errors import ItemError

LINEAGE_BEGINS = "Cirrus workflow "
_NAMED = 5

_provided: Objects | None = None
_sources: tuple[Source, ...] = ()


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


def variables(context: Mapping[str, str]) -> dict[str, str]:
    """The environment variables for the context of an attempt; what can be too long for one is left out."""
    return {_variable(name): value for name, value in context.items() if name != SOURCES}


@lru_cache(64)
def _variable(name: str) -> str:
    return f"CIRRUS_{name.upper()}"


@contextmanager
def sourced(told: str | None) -> Iterator[None]:
    """Make this, JSON as of an attempt's context, the sources of the task inside the block."""
    global _sources
    _sources = tuple(Source(*one) for one in json.loads(told)) if told else ()
    try:
        yield
    finally:
        _sources = ()


def sources() -> tuple[Source, ...]:
    """The Items that the execution was given; none outside of one, and where its home does not tell."""
    return _sources


def lineage(item_id: str | None = None) -> str | None:
    """What this task is part of, and which input Items no link leads to; None outside of an execution."""
    workflow, payload_id, execution_id = (
        os.environ.get(f"CIRRUS_{name}") for name in ("WORKFLOW", "PAYLOAD_ID", "EXECUTION_ID")
    )
    if not (workflow and payload_id and execution_id):
        return None
    told = f"{LINEAGE_BEGINS}{workflow}, payload {payload_id}, execution {execution_id}"
    same = [one for one in _sources if one.id == item_id]
    nowhere = [one.id for one in same or _sources if one.href is None]
    some = ", ".join(nowhere[:_NAMED]) + (f" and {len(nowhere) - _NAMED} more" if len(nowhere) > _NAMED else "")
    return f"{told}, from {some}" if nowhere else told


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
