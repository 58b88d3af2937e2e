"""Where an Item goes: a path template filled in from the Item, as stactask 0.7 does.

- `${id}`, `${collection}`, `${date}`, `${year}`, `${month}`, `${day}` (the last three are not zero-padded),
  any property (`${mgrs:utm_zone}`), any further field of the Item, and dots into objects
- year, month, day and date are those of `datetime`, or of `start_datetime` where it is null, in the offset
  that it is written in
- `${proj:code}` is found in Items that still have `proj:epsg`, since stactask sees Items migrated to STAC 1.1
- a result that starts with a URL scheme names its store; any other is relative to the deployment's data store
- a result that could leave its root (`..`, an absolute path, control characters) is refused

Different from stactask on purpose: names of Python methods (`${clone}`) are no values here, but errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from string import Formatter
from typing import Any
from urllib.parse import unquote

from cirrus.errors import UploadError

DEFAULT = "${collection}/${id}"

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_IDENTITY = ("id", "collection")
_DATES = ("date", "year", "month", "day")
_COMMON = (
    *("title", "description", "keywords", "roles", "license", "providers", "created", "updated"),
    *("start_datetime", "end_datetime", "platform", "instruments", "constellation", "mission", "gsd"),
)
_CORE = frozenset(("id", "geometry", "bbox", "stac_extensions", "links", "assets", "properties"))
_NOT_EXTRA = _CORE | {"collection", "type", "stac_version"}


def variables(template: str) -> list[str]:
    """The variables of a template, in order; ValueError where its braces do not match."""
    found = []
    for _, name, spec, _ in Formatter().parse(template):
        if name is not None:
            found.append(f"{name}:{spec}" if spec else name)
    return found


def substitute(template: str, item: Mapping[str, Any]) -> str:
    """The template with the Item's values in place of its variables; UploadError where the Item lacks one."""
    try:
        names = variables(template)
    except ValueError as error:
        raise UploadError(template, f"the path template does not parse: {error}") from None
    values = {name: _value(template, item, name) for name in names}
    result = template
    for name, value in values.items():
        result = result.replace("${" + name + "}", str(value))
    return result


def resolve(template: str, item: Mapping[str, Any]) -> str:
    """Where the Item goes: a URL, or a path relative to the data store; UploadError where it would escape."""
    place = substitute(template, item)
    scheme = _SCHEME.match(place)
    if scheme and not _SCHEME.match(template) and variables(template)[0] in _IDENTITY:
        raise UploadError(place, "an Item's id or collection may not name a store")
    check(place)
    return place


def check(place: str) -> None:
    """UploadError unless a URL or relative path stays below its root."""
    scheme = _SCHEME.match(place)
    path = place[scheme.end() :] if scheme else place
    if _CONTROL.search(place):
        raise UploadError(place, "control characters in a path")
    if not scheme and path.startswith(("/", "\\", "~")):
        raise UploadError(place, "a path must be relative to the data store, or a URL")
    if ".." in _components(path) or (scheme and ".." in _components(unquote(path))):
        raise UploadError(place, "'..' leads out of its root")


def is_url(place: str) -> bool:
    """Whether a place names its store by a URL scheme."""
    return _SCHEME.match(place) is not None


def _components(path: str) -> list[str]:
    return path.replace("\\", "/").split("/")


def _value(template: str, item: Mapping[str, Any], name: str) -> object:
    if name in _DATES:
        return _date(template, item, name)
    try:
        value = _lookup(item, name)
    except (TypeError, ValueError):
        raise UploadError(template, f"Item {item.get('id')!r}: its datetime is no date-time") from None
    if value is _MISSING or (name in _IDENTITY and value is None):
        raise UploadError(template, f"Item {item.get('id')!r} has no value for ${{{name}}}")
    return value


_MISSING = object()


def _lookup(item: Mapping[str, Any], name: str) -> object:
    first, *rest = name.split(".")
    value = _first(item, first)
    for part in rest:
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _first(item: Mapping[str, Any], name: str) -> object:
    properties = item.get("properties") or {}
    if name in ("collection", "collection_id"):
        return item.get("collection")
    if name == "datetime":
        text = properties.get("datetime")
        return None if text is None else datetime.fromisoformat(text)
    if name == "common_metadata":
        return {key: properties.get(key) for key in _COMMON}
    if name == "stac_extensions":
        return item.get(name) or []
    if name in _CORE:
        return item.get(name)
    if name in properties:
        return properties[name]
    if name in item and name not in _NOT_EXTRA:
        return item[name]
    if name == "proj:code" and properties.get("proj:epsg") is not None:
        return f"EPSG:{properties['proj:epsg']}"
    return _MISSING


def _date(template: str, item: Mapping[str, Any], name: str) -> object:
    properties = item.get("properties") or {}
    text = properties.get("datetime") or properties.get("start_datetime")
    if text is None:
        raise UploadError(template, f"Item {item.get('id')!r} has neither datetime nor start_datetime")
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise UploadError(template, f"Item {item.get('id')!r}: {text!r} is no date-time") from None
    return moment.date().isoformat() if name == "date" else getattr(moment, name)
