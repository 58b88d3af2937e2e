"""Whether an Item (or Collection, or Catalog) is valid STAC, found out without a network.

The core schemas of STAC 1.0.0 and 1.1.0 are shipped with the package. Date-times must be RFC 3339, as the
specification says; hrefs are not held to the letter of RFC 3987, since paths with spaces occur and work.
An extension is checked where its schema is at hand, and named where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from cirrus import schemas
from cirrus.errors import MissingExtra, NotFound

_LONGEST = 200
_LENIENT = ("iri", "iri-reference", "uri", "uri-reference")


def available() -> bool:
    """Whether the validator is installed (the `geo` extra)."""
    return find_spec("jsonschema_rs") is not None


def validate_item(item: Mapping[str, Any]) -> list[str]:
    """What is wrong with an Item, one line a finding that begins with the field; empty if it is valid."""
    return validate("item", item)


def validate(kind: str, document: Mapping[str, Any]) -> list[str]:
    """As `validate_item`, for `kind` item, collection or catalog."""
    version = document.get("stac_version")
    if version not in schemas.VERSIONS:
        return [f"stac_version: {version!r} is none of {', '.join(schemas.VERSIONS)}"]
    if kind == "item" and (missing := _unlocated(document)):
        return [missing]
    errors = list(_validator(version, kind).iter_errors(document))
    # A wrong part makes the whole wrong as well, whose message is all of the document.
    within = [error for error in errors if error.instance_path or not _is_choice(error)] or errors
    return list(dict.fromkeys(_line(kind, error) for error in within))


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with an Item, and the extensions whose schemas are not at hand, by URL."""

    problems: tuple[str, ...]
    not_checked: tuple[str, ...]


def check_item(item: Mapping[str, Any], more: Mapping[str, Mapping[str, Any]] | None = None) -> Checked:
    """An Item against the core and its extensions; `more` are schemas by URL beside those that are shipped."""
    problems = validate("item", item)
    unknown: list[str] = []
    given = item.get("stac_extensions")
    for address in dict.fromkeys(given if isinstance(given, list) else ()):
        found = _extension_problems(str(address), item, more or {})
        if found is None:
            unknown.append(str(address))
        else:
            problems += found
    return Checked(tuple(dict.fromkeys(problems)), tuple(unknown))


def _extension_problems(
    address: str, item: Mapping[str, Any], more: Mapping[str, Mapping[str, Any]]
) -> list[str] | None:
    """What an extension finds wrong; None where its schema, or one that it refers to, is not at hand."""

    def load(url: str) -> Any:
        known = more.get(url.split("#")[0])
        return known if known is not None else schemas.load(url)

    try:
        validator = _built(load, address)
    except NotFound:
        return None
    name = _name(address)
    within = [leaf for error in validator.iter_errors(item) for leaf in _leaves(error)]
    return [f"{line} ({name})" for line in dict.fromkeys(_line("item", error) for error in within)]


def _leaves(error: Any) -> list[Any]:
    """What is really wrong where none of several forms fits: the errors of the form that comes closest."""
    branches = [branch for branch in getattr(error.kind, "context", ()) if branch]
    if not branches:
        return [error]
    return [leaf for one in min(branches, key=_distance) for leaf in _leaves(one)]


def _distance(branch: list[Any]) -> tuple[bool, int]:
    """How far a form is from what was meant: one for another type is farthest, one wrong deep inside is nearest."""
    other = any(list(error.instance_path) == ["type"] for error in branch)
    return other, -max(len(error.instance_path) for error in branch)


def _built(load: Callable[[str], Any], address: str) -> Any:
    jsonschema_rs = _library()
    schema = load(address)

    def retrieve(url: str) -> Any:
        try:
            return load(url)
        except NotFound:
            missing.append(url)
            raise

    missing: list[str] = []
    try:
        return jsonschema_rs.validator_for(schema, base_uri=address, retriever=retrieve)
    except Exception:
        if missing:
            raise NotFound("schema", missing[0]) from None
        raise


def _name(address: str) -> str:
    """An extension by name and version, as its URL tells them."""
    parts = [part for part in address.split("/") if part]
    return " ".join(parts[-3:-1]) if len(parts) > 3 else address


def _library() -> Any:
    try:
        import jsonschema_rs
    except ImportError:
        raise MissingExtra("validation of Items", "geo") from None
    return jsonschema_rs


def _unlocated(item: Mapping[str, Any]) -> str | None:
    """What is missing of the two forms of a location, which the schema has as one nameless choice."""
    if "geometry" not in item:
        return "geometry: required (null where the Item has none)"
    if item["geometry"] is None:
        return "bbox: not allowed where geometry is null" if "bbox" in item else None
    return None if "bbox" in item else "bbox: required where geometry is not null"


def _is_choice(error: Any) -> bool:
    return type(error.kind).__name__.split("_")[-1] in ("AnyOf", "OneOfNotValid")


_PLAIN = {
    "geometry": "no GeoJSON geometry",
    "properties": "datetime is required; it may be null only beside start_datetime and end_datetime",
    "collection": "an Item with a collection needs a link with rel 'collection'",
}


def _line(kind: str, error: Any) -> str:
    field = ".".join(str(part) for part in error.instance_path)
    message = str(error.message)
    if field == "collection" and error.instance is None:
        message = "null is not allowed; leave the field out where there is no collection"
    elif kind == "item" and field in _PLAIN and (_is_choice(error) or "is not allowed for" in message):
        message = _PLAIN[field]
    elif len(message) > _LONGEST:
        message = message[: _LONGEST // 2] + " … " + message[-_LONGEST // 2 :]
    return f"{field or kind}: {message}"


@cache
def _validator(version: str, kind: str) -> Any:
    jsonschema_rs = _library()
    lenient: dict[str, Callable[[str], bool]] = {name: lambda _: True for name in _LENIENT}
    return jsonschema_rs.Draft7Validator(
        schemas.load(schemas.url(version, kind)),
        base_uri=schemas.url(version, kind),
        retriever=schemas.load,
        validate_formats=True,
        formats=lenient,
    )
