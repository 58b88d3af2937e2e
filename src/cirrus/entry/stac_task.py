"""Runs unmodified stactask Task classes as Lambda would run them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from cirrus.adapters.objects import local_hrefs, own_downloads, s3_redirect
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.collection import with_jsonpaths
from cirrus.core.publication import PROCESSING, SOFTWARE
from cirrus.entry.failure import TaskFailure
from cirrus.entry.task_output import described

logger = logging.getLogger("cirrus")
Json = dict[str, Any]


def is_task(found: object) -> bool:
    """Whether `found` is a subclass of stactask.Task; stactask is not imported to find out."""
    module = sys.modules.get("stactask.task")
    return module is not None and inspect.isclass(found) and issubclass(found, module.Task)


def runner(task: Any, params: str | None, scratch: Path, stores: ObjectStores) -> Callable[[Json], object]:
    """A function of a payload that runs `task`; its parameters stand under `params`, if given."""
    s3_redirect.install(stores)
    local_hrefs.install()
    own_downloads.install(stores)
    accepted = inspect.signature(task.__init__).parameters
    takes_workdir = "workdir" in accepted or any(p.kind is p.VAR_KEYWORD for p in accepted.values())

    def run(payload: Json) -> object:
        given = {str(item.get("id")): _software(item) for item in _items(payload)}
        process, adapted = adapt(payload, params, task.name)
        with own_event_loop(), workdir(scratch) as folder:
            options = {"workdir": folder} if takes_workdir else {}
            try:
                output = task.handler(adapted, **options)
            except (TypeError, AttributeError) as error:
                raise misreturned(error, task.__name__) or error from error
            leave(output, folder)
        if not getattr(task, "writes_items", False):
            name_software(given, output, {str(task.name): str(task.version)} if task.version else {})
        if adapted is not payload and isinstance(output, dict) and "process" in output:
            output["process"] = process
        return output

    return run


def leave(output: object, folder: Path) -> None:
    """Say in the log which Assets are in the working directory, about to be removed, and take away `self` links there.

    An Item that was downloaded says that it lies there; the next task would take that for where it came from.
    """
    for item in _items(output):
        links = item.get("links")
        kept = [link for link in links or [] if not _is_self_in(link, folder)]
        base = folder if links and len(kept) < len(links) else Path("/")
        for key, asset in (item.get("assets") or {}).items():
            if (base / str(asset.get("href", ""))).is_relative_to(folder):
                logger.warning("Asset %r of Item %r was not uploaded and is lost", key, item.get("id"))
        if links and len(kept) < len(links):
            item["links"] = kept


def _is_self_in(link: object, folder: Path) -> bool:
    return isinstance(link, dict) and link.get("rel") == "self" and Path(str(link.get("href"))).is_relative_to(folder)


def name_software(given: dict[str, dict[str, Any]], output: object, own: dict[str, str]) -> None:
    """Let Items name the software of every task that they went through, `own` last, with the processing extension.

    `given` is what the input Items name, by their ids; a new Item comes from the only input, if there is just one.
    """
    single = next(iter(given.values())) if len(given) == 1 else {}
    for item in _items(output):
        before = given.get(str(item.get("id")), single)
        if isinstance(item.get("properties"), dict) and (named := {**before, **_software(item), **own}):
            item["properties"][SOFTWARE] = named
            extensions = item.get("stac_extensions") or []
            if not any("/processing/" in str(url) for url in extensions):
                item["stac_extensions"] = [*extensions, PROCESSING]


def _items(payload: object) -> list[Json]:
    features = payload.get("features") if isinstance(payload, dict) else None
    return [item for item in features if isinstance(item, dict)] if isinstance(features, list) else []


def _software(item: Json) -> dict[str, Any]:
    properties = item.get("properties")
    found = properties.get(SOFTWARE) if isinstance(properties, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def misreturned(error: Exception, name: str) -> TaskFailure | None:
    """The failure of a process() that gave no dicts, on which stactask itself stumbled; None if it did not."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_globals.get("__name__") != "stactask.task":
        return None
    function, known = trace.tb_frame.f_code.co_name, trace.tb_frame.f_locals
    if function == "_post_process_item":
        found = f"gave {described(known.get('item'))} among its Items"
    elif function == "handler" and "item" not in known:
        found = "returned nothing that can be iterated over"
    else:
        return None
    return TaskFailure("InvalidOutput", f"{name}.process() {found}; expected Items as dicts, in a list")


def adapt(payload: Json, params: str | None, name: str) -> tuple[Any, Json]:
    """The payload's own `process`, and the payload as stactask expects it.

    The parameters of `params` stand under the Task class's name, and patterns for collections are JSONPaths.
    """
    process = payload.get("process")
    first = process[0] if isinstance(process, list) and process else process
    if not isinstance(first, dict):
        return process, payload
    changed = with_jsonpaths(first)
    tasks = first.get("tasks")
    if params and params != name and isinstance(tasks, dict) and params in tasks:
        changed = {**changed, "tasks": {**tasks, name: tasks[params]}}
    if changed is first:
        return process, payload
    return process, {**payload, "process": [changed, *process[1:]] if isinstance(process, list) else changed}


@contextmanager
def own_event_loop() -> Iterator[None]:
    """A fresh event loop for the task's downloads: one that an earlier attempt closed or unset would fail
    them.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@contextmanager
def workdir(root: Path) -> Iterator[Path]:
    """A fresh folder below `root`, gone afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=root))
    try:
        yield path
    finally:
        rmtree(path, ignore_errors=True)
