"""Deployments that no project names: on AWS, found by their pointers in the parameter store.

They are looked for only where the environment says a region, so that without AWS nothing waits for it.
"""

from __future__ import annotations

from pathlib import Path

from cirrus.backends import backend
from cirrus.errors import ConfigError, MissingExtra, NotFound
from cirrus.settings import Deployment, Project
from cirrus.settings.cloud import Cloud


def stored_names() -> list[str]:
    """The names of the deployments in the parameter store, sorted; none where there is no AWS. StoreError."""
    clients = _clients()
    return [] if clients is None else list(backend("parameters", "aws")(clients).deployments())


def stored(name: str, folder: Path) -> Deployment | None:
    """A deployment in the parameter store by its name, None if there is none, or no AWS. StoreError."""
    clients = _clients()
    if clients is None:
        return None
    try:
        backend("parameters", "aws")(clients).variables(name)
    except NotFound:
        return None
    return Deployment(name, "aws", folder / ".cirrus" / name, str(folder / "data"), None, cloud=Cloud(stack=name))


def without_project(name: str, folder: Path) -> Project | None:
    """A project that consists of a deployment in the parameter store alone; None if there is none."""
    found = stored(name, folder)
    return None if found is None else Project(folder.name, folder, {}, {}, {name: found})


def _clients() -> object | None:
    try:
        clients = backend("clients", "aws")()
        assert clients.region
    except (ConfigError, MissingExtra):
        return None
    return clients  # type: ignore[no-any-return]  # backends are found by name
