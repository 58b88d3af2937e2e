"""The JSON schemas of the STAC core and of common extensions, shipped so that validation needs no network."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from cirrus.errors import NotFound

VERSIONS = ("1.0.0", "1.1.0")

_STAC = "https://schemas.stacspec.org/"
_GEOJSON = "https://geojson.org/schema/"


def url(version: str, kind: str) -> str:
    """The URL of a core schema; `kind` is item, collection or catalog."""
    return f"{_STAC}v{version}/{kind}-spec/json-schema/{kind}.json"


def load(address: str) -> dict[str, Any]:
    """The schema at a URL, from the package; NotFound for any that is not shipped."""
    name = address.split("#")[0]
    if name in extensions():
        return dict(extensions()[name])
    if name.startswith(_STAC):
        path = f"{name.removeprefix(_STAC).split('/')[0]}/{name.rpartition('/')[2]}"
    elif name.startswith(_GEOJSON):
        path = f"geojson/{name.rpartition('/')[2]}"
    else:
        raise NotFound("schema", address)
    file = files(__name__).joinpath(path)
    if not file.is_file():
        raise NotFound("schema", address)
    schema: dict[str, Any] = json.loads(file.read_text("utf-8"))
    # The URL it was asked for is its base: an $id that differs from it only in a '#' would not resolve.
    schema.pop("$id", None)
    return schema


@cache
def extensions() -> dict[str, dict[str, Any]]:
    """The schemas of extensions, and those that they refer to, by URL."""
    found: dict[str, dict[str, Any]] = json.loads(files(__name__).joinpath("extensions.json").read_text("utf-8"))
    return {url: {name: part for name, part in schema.items() if name != "$id"} for url, schema in found.items()}
