"""`cirrus manage NAME show`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import click

from cirrus.core.throttle import Limit
from cirrus.entry.cli import output
from cirrus.entry.cli.filters import raw_option
from cirrus.entry.cli.manage import Managed
from cirrus.entry.cli.secrets_list import described

if TYPE_CHECKING:
    from cirrus.settings import Deployment

_SECRET = re.compile(r"secret|password|passwd|token|credential|private|api_?key|access_?key", re.IGNORECASE)
MASK = "***"


@click.command()
@raw_option
@click.pass_obj
def show(managed: Managed, raw: bool) -> None:
    """The deployment's configuration; whatever may be a secret is masked."""
    project, found = managed.settings()
    where = asdict(found)
    buckets = {name: described(bucket) for name, bucket in project.buckets.items()}
    tasks = {name: _task(asdict(spec)) for name, spec in project.tasks.items()}
    workflows = {name: str(file) for name, file in project.workflows.items()}
    shown: dict[str, Any] = {"project": project.name, "folder": str(project.folder), "deployment": _masked(where)}
    if found.home == "aws":
        shown["parameters"] = _parameters(found)
    limits = {name: _limits(getattr(project.throttle, name)) for name in ("workflows", "collections", "tasks")}
    shown |= {"buckets": buckets, "tasks": tasks, "workflows": workflows, "limits": limits}
    output.document(shown, raw=raw)


def _parameters(where: Deployment) -> dict[str, Any] | None:
    """The variables of a deployment on AWS; None where it is not deployed."""
    from cirrus.app import open_deployed
    from cirrus.errors import NotFound

    try:
        return _masked(asdict(open_deployed(where).variables))
    except NotFound as error:
        output.say(f"not deployed: {error}")
        return None


def _limits(table: Mapping[str, Limit]) -> dict[str, Any]:
    pairs = {name: {"max_running": one.running, "rate": one.rate and one.rate.text} for name, one in table.items()}
    return {name: {key: value for key, value in pair.items() if value is not None} for name, pair in pairs.items()}


def _task(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in spec.items() if name != "name" and value not in (None, {}, ())}
    return {name: _masked(value) if isinstance(value, dict) else value for name, value in kept.items()}


def _masked(table: dict[str, Any]) -> dict[str, Any]:
    return {name: _mask(name, value) for name, value in table.items() if value is not None}


def _mask(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return _masked(value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str) and _SECRET.search(name):
        return MASK
    return _mask_url(value) if isinstance(value, str) and "://" in value else value


def _mask_url(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{MASK}@" if "@" in parts.netloc else ""
    return urlunsplit((parts.scheme, user + host, parts.path, MASK if parts.query else "", ""))
