"""Parts of a JSON document while it comes in: the elements of an array, the features of a FeatureCollection.

Rules: what is needed of the text is held and no more; an element is told by its brackets alone, so whoever reads it
says whether it is JSON; where a document is broken its rest, up to the end of the line, is given as it is, cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cirrus.errors import InvalidPayload

_SPACE = re.compile(rb"[ \t\r\n]*+")
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:%b[^"{}\[\]]*+)*+([{}\[\]])' % _TEXT, re.DOTALL)
_SCALAR = re.compile(rb'%b|[^ \t\r\n,\[\]{}":]++' % _TEXT, re.DOTALL)
_AFTER = b" \t\r\n,]}:"
_SHOWN = 64 << 10
_TRIMMED = 1 << 20


class Broken(Exception):
    """The text at the window's place is not what JSON has there, or the stream ends too early."""


class Window:
    """The part of a text that is looked at: `at` is the place in what is held of it."""

    def __init__(self, begun: bytes, pieces: Iterator[bytes]) -> None:
        self._held = bytearray(begun)
        self._pieces = pieces
        self._at = 0

    def sees(self, *expected: bytes) -> bytes:
        """The next character after white space, taken; Broken unless it is one of those that are expected."""
        found = self.peek()
        if found not in expected:
            raise Broken
        self._at += 1
        return found

    def peek(self) -> bytes:
        """The next character after white space, not taken; none at the end."""
        while True:
            space = _SPACE.match(self._held, self._at)
            assert space
            self._at = space.end()
            if self._at < len(self._held):
                return bytes(self._held[self._at : self._at + 1])
            if not self._more():
                return b""

    def value(self) -> bytes:
        """The next value, taken; Broken where there is none."""
        begin = self._skipped()
        return bytes(self._held[begin : self._at])

    def skip(self) -> None:
        """Take the next value, whatever it is; Broken where there is none."""
        self._skipped()

    def forget(self) -> None:
        """What was taken is not held any longer."""
        if self._at > _TRIMMED:
            del self._held[: self._at]
            self._at = 0

    def rest(self) -> bytes:
        """What is held and was not taken."""
        return bytes(self._held[self._at :])

    def line(self) -> bytes:
        """The rest of the line, of which the beginning is given; it is taken whole."""
        shown = b""
        while True:
            end = self._held.find(b"\n", self._at)
            part = bytes(self._held[self._at : end if end >= 0 else len(self._held)])
            shown = (shown + part)[:_SHOWN]
            self._at += len(part)
            if end >= 0 or not self._more():
                return shown.strip()

    def whole(self) -> bytes:
        """The document from its beginning, of which nothing may have been given yet."""
        self._at = 0
        return self.value()

    def _skipped(self) -> int:
        """The place of the next value, which is taken."""
        composite = self.peek() in (b"{", b"[")
        begin = self._at
        self._at = self._composite() if composite else self._scalar()
        return begin

    def _composite(self) -> int:
        depth, at = 0, self._at
        while True:
            found = _BRACKET.match(self._held, at)
            if found is None:
                if not self._more():
                    raise Broken
                continue
            at = found.end()
            depth += 1 if found[1] in b"{[" else -1
            if depth <= 0:
                return at

    def _scalar(self) -> int:
        while True:
            found = _SCALAR.match(self._held, self._at)
            if found is None and self.peek() != b'"':
                raise Broken
            if found is not None and found.end() < len(self._held):
                if self._held[found.end()] not in _AFTER:
                    raise Broken
                return found.end()
            if not self._more():
                raise Broken

    def _more(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._held += piece
                return True
        return False


def elements(window: Window) -> Iterator[bytes]:
    """The elements of the array at a window."""
    try:
        yield from _listed(window)
    except Broken:
        if broken := window.line():
            yield broken


def _listed(window: Window) -> Iterator[bytes]:
    window.sees(b"[")
    if window.peek() == b"]":
        window.sees(b"]")
        return
    while True:
        yield window.value()
        window.forget()
        if window.sees(b",", b"]") == b"]":
            return


def collection(window: Window) -> Iterator[bytes]:
    """The object at a window: as it is if it has a `process` or no features, else one collection for each feature.

    InvalidPayload if a `process` comes after features, which were given by then.
    """
    given = False
    try:
        window.sees(b"{")
        while True:
            key = window.value()
            window.sees(b":")
            if key == b'"process"' and given:
                raise InvalidPayload(
                    "process: stands after the features of a large FeatureCollection, which were taken as bare Items by"
                    " then; put it before them, or leave --workflow and --process out"
                )
            if key == b'"process"':
                break
            if key == b'"features"' and window.peek() == b"[":
                given = True
                for feature in _listed(window):
                    yield b'{"type":"FeatureCollection","features":[%b]}' % feature
            else:
                window.skip()
            if window.sees(b",", b"}") == b"}":
                break
        if not given:
            yield window.whole()
    except Broken:
        if broken := window.line():
            yield broken
