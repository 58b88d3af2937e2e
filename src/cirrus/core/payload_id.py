"""Payload ids: `<collections>/workflow-<workflow>/<itemids>`, derived, parsed and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cirrus.errors import InvalidPayload

WORKFLOW_NAME = re.compile(r"[A-Za-z0-9-]+")
_MARK = "/workflow-"
_UNSAFE = frozenset({"", ".", ".."})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class PayloadId:
    """A parsed payload id; `text` is the whole of it, where it was parsed."""

    collections: str
    workflow: str
    itemids: str
    text: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        return self.text or f"{self.collections}{_MARK}{self.workflow}/{self.itemids}"

    @property
    def collections_workflow(self) -> str:
        """The first key of the state database: `<collections>_<workflow>`."""
        return f"{self.collections}_{self.workflow}"


def holds_control(text: str) -> bool:
    """Whether there is a control character, or a separator of lines, in an id."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def lane(text: str) -> tuple[str, str]:
    """The collections and the workflow of a payload id that is known to be one."""
    collections, _, rest = text.partition(_MARK)
    return collections, rest.partition("/")[0]


def derive(collections: str | None, workflow: str, items: Iterable[Mapping[str, Any]]) -> str:
    """The id of a payload that has none; the Items' ids, and their collections unless given, sorted and joined."""
    items = list(items)
    if not collections:
        named = {item["collection"] for item in items if item.get("collection")}
        collections = "/".join(sorted(named)) or "none"
    return f"{collections}{_MARK}{workflow}/{'/'.join(sorted(item['id'] for item in items))}"


def parse(text: str) -> PayloadId:
    """The parts of a payload id; InvalidPayload says what is wrong with one that does not match."""
    shown = text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"
    if holds_control(text):
        raise InvalidPayload(f"id {shown!r} holds a control character")
    if text.count(_MARK) > 1:
        raise InvalidPayload(f"id {shown!r} has '/workflow-' twice")
    collections, mark, rest = text.partition(_MARK)
    workflow, slash, itemids = rest.partition("/")
    if not (mark and slash and collections and workflow and itemids):
        raise InvalidPayload(f"id {shown!r} does not match <collections>/workflow-<workflow>/<itemids>")
    _check_components(text, shown)
    return PayloadId(collections, workflow, itemids, text)


def _check_components(text: str, shown: str) -> None:
    components = text.split("/")
    if _UNSAFE.isdisjoint(components):
        return
    component = next(one for one in components if one in _UNSAFE)
    kind = f"{component!r} as a path component" if component else "an empty path component"
    raise InvalidPayload(f"id {shown!r} holds {kind}: ids become storage keys, which must stay below their root")
