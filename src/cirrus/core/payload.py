"""The payload: Items to work on, and how to work on them; checked once, when it is accepted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core import payload_id as ids
from cirrus.core.definition import check_process
from cirrus.core.jsontext import decode, encode
from cirrus.errors import InvalidPayload

# What an Item may leave out, or say with null, but not make something else of.
ITEM_FIELDS: tuple[tuple[str, type, str], ...] = (
    ("collection", str, "a string"),
    ("geometry", dict, "an object"),
    ("bbox", list, "an array"),
    ("properties", dict, "an object"),
    ("assets", dict, "an object"),
    ("links", list, "an array"),
)
CONTINUE_FROM = "continue_from"
_MOST_PROBLEMS = 20
_LONGEST_PROBLEM = 500


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Payload:
    """A valid payload: `document` has its `id` and a list of process definitions, `text` is its JSON."""

    document: Mapping[str, Any]
    text: bytes
    id: ids.PayloadId
    warnings: tuple[str, ...] = ()

    @property
    def workflow(self) -> str:
        """The workflow that runs: that of `process[0]`."""
        return self.id.workflow

    @property
    def replace(self) -> bool:
        """Whether the payload runs again even if it is completed or invalid."""
        return bool(self.document["process"][0].get("replace", False))


def reference(document: Any) -> str | None:
    """The URL of a document that only points to the real payload, else None."""
    if isinstance(document, dict) and isinstance(document.get("url"), str) and len(document) == 1:
        return str(document["url"])
    return None


def read_payload(text: bytes | str) -> Payload:
    """The payload of a JSON text; InvalidPayload lists everything that is wrong with it."""
    return accept(decode(text))


def accept(document: Any, text: bytes | None = None) -> Payload:
    """The payload of a decoded document, its id filled in; InvalidPayload lists everything that is wrong.

    `text` is the document's JSON, kept where nothing had to be filled in.
    """
    if not isinstance(document, dict):
        raise InvalidPayload(f"a payload is a JSON object, not {_kind(document)}")
    if "url" in document:
        raise InvalidPayload("url: stands alone in the object, or not at all; and is a string")
    problems: list[str] = []
    if document.get("type", "FeatureCollection") != "FeatureCollection":
        problems.append(f"type: 'FeatureCollection' is expected, not {document['type']!r}")
    problems += check_features(document.get("features", []))
    process, warnings = _as_list(document.get("process"))
    problems += check_process(process) if process is not None else [_no_process(document)]
    if problems:
        raise InvalidPayload(_shortened(problems))
    assert process is not None
    parsed = _identify(document, process[0])
    if text is not None and document.get("id") is not None and process is document["process"]:
        return Payload(document, text, parsed)
    complete = {**document, "id": str(parsed), "process": process}
    return Payload(complete, encode(complete), parsed, tuple(warnings))


def rerun_text(text: bytes) -> bytes:
    """A payload as JSON text with `process[0].replace` set, so that it runs again whatever its state."""
    document = decode(text)
    first, *rest = document["process"]
    first.pop(CONTINUE_FROM, None)
    return encode({**document, "process": [{**first, "replace": True}, *rest]})


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _as_list(process: Any) -> tuple[list[Any] | None, list[str]]:
    if isinstance(process, dict):
        return [process], ["process: an array of process definitions is expected; a bare object is read as one"]
    return (process, []) if isinstance(process, list) else (None, [])


def _no_process(document: Mapping[str, Any]) -> str:
    if "process" not in document:
        return "process: is missing; an array of at least one process definition is expected"
    return f"process: an array of process definitions is expected, not {_kind(document['process'])}"


def check_features(features: Any) -> list[str]:
    """What is wrong with the Items of a payload; they may be partial, but for their ids."""
    if not isinstance(features, list):
        return [f"features: an array of Items is expected, not {_kind(features)}"]
    return [problem for n, item in enumerate(features) for problem in _check_item(f"features[{n}]", item)]


def _check_item(where: str, item: Any) -> list[str]:
    if not isinstance(item, dict):
        return [f"{where}: an Item (an object) is expected, not {_kind(item)}"]
    problems = []
    itemid = item.get("id")
    if not isinstance(itemid, str) or not itemid:
        problems.append(f"{where}.id: a string that is not empty is expected" + _instead(item, "id"))
    elif ids.holds_control(itemid):
        problems.append(f"{where}.id: {itemid!r} holds a control character")
    for name, kind, expected in ITEM_FIELDS:
        if item.get(name) is not None and not isinstance(item[name], kind):
            problems.append(f"{where}.{name}: {expected} is expected, not {_kind(item[name])}")
    return problems


def _instead(item: Mapping[str, Any], name: str) -> str:
    return f", not {_kind(item[name])}" if name in item and item[name] != "" else ""


def _identify(document: Mapping[str, Any], definition: Mapping[str, Any]) -> ids.PayloadId:
    workflow = definition["workflow"]
    given = document.get("id")
    if given is None:
        if not document.get("features"):
            raise InvalidPayload("id: neither an id nor features are given, so no id can be derived")
        return ids.parse(ids.derive(definition.get("collections"), workflow, document["features"]))
    if not isinstance(given, str):
        raise InvalidPayload(f"id: a string is expected, not {_kind(given)}")
    parsed = ids.parse(given)
    if parsed.workflow != workflow:
        raise InvalidPayload(f"id: its workflow is {parsed.workflow!r}, but process[0].workflow is {workflow!r}")
    return parsed


def _shortened(problems: list[str]) -> list[str]:
    shown = [text if len(text) <= _LONGEST_PROBLEM else f"{text[:_LONGEST_PROBLEM]}…" for text in problems]
    more = len(shown) - _MOST_PROBLEMS
    return shown if more <= 0 else [*shown[:_MOST_PROBLEMS], f"… and {more} more"]
