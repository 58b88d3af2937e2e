"""Given: the Items that an execution began with, for the tasks that link outputs to them."""

from __future__ import annotations

from cirrus.core.jsontext import decode, encode, fits_inline
from cirrus.core.publication import output_items
from cirrus.core.sources import Source
from cirrus.errors import InvalidPayload


class Given:
    """An execution's input; only what is said of its Items is held of one that is large."""

    __slots__ = ("_sources", "_text")

    def __init__(self, text: bytes) -> None:
        small = fits_inline(text)
        self._text = text if small else b""
        self._sources = None if small else _sources(text)

    def sources(self) -> str:
        """JSON of the [id, href or null] of each Item."""
        if self._sources is None:
            self._sources = _sources(self._text)
        return self._sources


NONE = Given(b"")
"""For executions whose tasks need not know what they were given."""


def _sources(text: bytes) -> str:
    try:
        found = [Source.of(item) for item in output_items(decode(text))]
    except InvalidPayload:
        found = []
    return encode([(one.id, one.href) for one in found]).decode()
