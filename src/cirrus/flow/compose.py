"""Compose: payloads of Items that come bare, with one process definition for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cirrus.core.documents import PAUSE
from cirrus.core.jsontext import decode, encode
from cirrus.core.payload import reference
from cirrus.errors import InvalidPayload


def compose(documents: Iterable[bytes], process: list[Any], *, together: bool = False) -> Iterator[bytes]:
    """Payloads of Items and FeatureCollections of Items, one for each Item, or with `together` for each document.

    A document that is a payload already, or no JSON, goes through as it is: whoever reads it says what is wrong.
    """
    for text in documents:
        if text == PAUSE:
            yield PAUSE
            continue
        try:
            document = decode(text)
        except InvalidPayload:
            yield text
            continue
        yield from _composed(text, document, process, together)


def _composed(text: bytes, document: Any, process: list[Any], together: bool) -> Iterator[bytes]:
    items = _items(document)
    if items is None:
        yield text
    elif together:
        yield _payload(items, process)
    else:
        for item in items:
            yield _payload([item], process)


def _items(document: Any) -> list[Any] | None:
    """The Items of a document that has no process of its own; None for anything else."""
    if not isinstance(document, Mapping) or "process" in document or reference(document) is not None:
        return None
    if document.get("type") == "Feature":
        return [document]
    features = document.get("features")
    return features if isinstance(features, list) else None


def _payload(items: list[Any], process: list[Any]) -> bytes:
    return encode({"type": "FeatureCollection", "features": items, "process": process})
