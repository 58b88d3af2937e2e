"""Keys of the payload store: where each body is named, whatever the id holds and however long it is."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote, unquote_to_bytes

_LIMIT = 900
_KEPT = 800
_LONGEST_NAME = 200
_KEPT_NAME = 120
_SAFE = "!#$&'()+,;=@[]^`{}~ -_."
_CATALOG_FILES = {"catalog", "collection", "catalog.json", "collection.json"}
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)}


@lru_cache(4096)  # asked for again and again while a payload is worked on
def id_key(payload_id: str) -> str:
    """The id as it is; past 900 UTF-8 bytes its first 800 (cut at a character), `~`, and the SHA-256 of the whole."""
    raw = payload_id.encode()
    if len(raw) <= _LIMIT:
        return payload_id
    return f"{raw[:_KEPT].decode(errors='ignore')}~{hashlib.sha256(raw).hexdigest()}"


def input_key(root: str, payload_id: str, execution_id: str) -> str:
    """Where the payload stands as it was claimed."""
    return f"{root}/executions/{id_key(payload_id)}/{execution_id}/input.json"


def output_key(root: str, payload_id: str, execution_id: str) -> str:
    """Where the payload stands as the workflow returned it."""
    return f"{root}/executions/{id_key(payload_id)}/{execution_id}/output.json"


def oversized_key(root: str, name: str) -> str:
    """Where a payload stands that is too large to pass inline."""
    return f"{root}/tmp/oversized/{name}.json"  # noqa: S108 - a key of the store


def batch_key(root: str, payload_id: str, name: str) -> str:
    """Where a batch task finds its payload; its output stands beside it (`batch_output_key`)."""
    return f"{root}/tmp/batch/{id_key(payload_id)}/{name}.json"  # noqa: S108 - a key of the store


def batch_output_key(key: str) -> str:
    """Where a batch task that was given the payload at `key` writes its output."""
    return f"{key.removesuffix('.json')}_out.json"


def batch_error_key(key: str) -> str:
    """Where a batch task whose output was to go to `key` leaves its error."""
    return f"{key.removesuffix('.json')}_error.json"


def invalid_key(root: str, name: str) -> str:
    """Where a message stands that was no payload."""
    return f"{root}/tmp/invalid/{name}.json"  # noqa: S108 - a key of the store


_EXECUTION = re.compile(r".*?/executions/(.+)/([^/]+)/(input|output)\.json", re.DOTALL)
_INVALID = re.compile(r".*/tmp/invalid/([^/]+)\.json", re.DOTALL)


class NamedBody(NamedTuple):
    """What the key of an execution's body names: `body` is `input` or `output`."""

    id_key: str
    execution_id: str
    body: str


def named_execution(key: str) -> NamedBody | None:
    """What a key of `input_key` or `output_key` names, None for any other key."""
    found = _EXECUTION.fullmatch(key)
    return NamedBody(found[1], found[2], found[3]) if found else None


def named_invalid(key: str) -> str | None:
    """The name in a key of `invalid_key`, None for any other key."""
    found = _INVALID.fullmatch(key)
    return found[1] if found else None


def file_key(key: str) -> str:
    """A key whose components are safe as names of files: unsafe ones are percent-encoded, cut ones carry a hash."""
    return "/".join(file_component(component) for component in key.split("/"))


def file_component(component: str) -> str:
    """One component of a path, safe on any file system; a long one is cut and carries its SHA-256."""
    safe = _encoded(component)
    if len(safe) <= _LONGEST_NAME:
        return safe
    whole = re.sub(r"%[0-9A-F]?$", "", safe[:_KEPT_NAME])
    kept = unquote_to_bytes(whole).decode(errors="ignore")
    return _encoded(f"{kept}~{hashlib.sha256(component.encode()).hexdigest()}")


def _encoded(component: str) -> str:
    if component.strip(".") == "":
        return component.replace(".", "%2E") or "%"
    safe = quote(component, safe=_SAFE)
    if component.split(".")[0].rstrip(" ").lower() in _RESERVED:
        safe = f"%{ord(safe[0]):02X}{safe[1:]}"
    if safe.endswith((" ", ".")):
        safe = safe[:-1] + f"%{ord(safe[-1]):02X}"
    return safe


def link_component(component: str) -> str:
    """One component of a path that is the same as a file's name and in a URL: what needs encoding there has a `~`."""
    safe = quote(_encoded(component).replace("~", "%7E"), safe="%!$&'()+,;=@").replace("%", "~")
    if safe.lower() in _CATALOG_FILES:
        safe = f"~{ord(safe[0]):02X}{safe[1:]}"
    return (
        safe if len(safe) <= _LONGEST_NAME else f"{safe[:_KEPT_NAME]}~{hashlib.sha256(component.encode()).hexdigest()}"
    )


def from_file_key(name: str) -> str:
    """A key whose `file_key` is `name`: the one that it was made of, unless a component was cut."""
    return "/".join("" if component == "%" else unquote(component) for component in name.split("/"))
