"""Which collection an output Item gets, as stactask 0.7 assigns it.

- `collection_matchers` in their order, else the legacy `upload_options.collections`: the first that matches wins
- a JSONPath matches where it finds just one value in an array that holds just the Item
- a legacy pattern that is no JSONPath (it does not begin with `$`) is a regular expression, searched in the Item's id
- nothing matches: the Item keeps its collection
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.core.item_filter import check_path, matches
from cirrus.errors import InvalidPayload


def assigned(definition: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    """The collection of an Item under a process definition; InvalidPayload where a pattern cannot be applied."""
    for name, pattern in _rules(definition):
        if pattern is None or matches(pattern, item):
            return name
    given = item.get("collection")
    return given if isinstance(given, str) else None


def as_jsonpath(pattern: str) -> str:
    """A legacy pattern as the JSONPath that means the same; InvalidPayload if it can be written as none."""
    if pattern.startswith("$"):
        check_path(pattern)
        return pattern
    quote = next((mark for mark in "'\"" if mark not in pattern), None)
    if quote is None:
        raise InvalidPayload(f"{pattern!r}: a pattern with both kinds of quotes cannot be searched for")
    escaped = pattern.replace("\\", "\\\\")
    path = f"$[?(@.id =~ {quote}{escaped}{quote})]"
    check_path(path)
    return path


def with_jsonpaths(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same process definition, its legacy patterns as the JSONPaths that stactask expects."""
    upload = definition.get("upload_options")
    given = upload.get("collections") if isinstance(upload, Mapping) else None
    if not isinstance(given, Mapping) or all(str(pattern).startswith("$") for pattern in given.values()):
        return definition
    assert isinstance(upload, Mapping)
    rules = {name: as_jsonpath(pattern) for name, pattern in given.items()}
    return {**definition, "upload_options": {**upload, "collections": rules}}


def upload_options(definition: Mapping[str, Any], collection: str | None) -> Mapping[str, Any]:
    """The upload options of a collection: its own, which replace the global ones whole, else the global ones."""
    own: Any = {} if collection is None else (definition.get("collection_options") or {}).get(collection, {})
    options = own.get("upload_options", definition.get("upload_options"))
    return options or {}


def _rules(definition: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Collection and JSONPath, in order; no path: it matches every Item."""
    matchers = definition.get("collection_matchers") or []
    for matcher in matchers:
        yield matcher["collection_name"], matcher["pattern"] if matcher["type"] == "jsonpath" else None
    if not matchers:
        legacy = (definition.get("upload_options") or {}).get("collections") or {}
        for name, pattern in legacy.items():
            yield name, as_jsonpath(pattern)
