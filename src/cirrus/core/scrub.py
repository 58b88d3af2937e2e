"""Takes secrets out of text: the values themselves, and the forms in which programs print them.

A second line of defence: the first is that a value is not there to be printed.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 8
_LINE = 16
_TELLING = re.compile(
    r"SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|ACCOUNT_KEY|ACCESS_KEY|PRIVATE_KEY|API_?KEY|SAS(_|$)|CREDENTIAL",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(_FILE|_PATH|_DIR|_URI|_URL|_EXPIRATION|APPLICATION_CREDENTIALS)$", re.IGNORECASE)
_MASK = MASK.encode()


class Scrubber:
    """Replaces secrets in whole texts; `stream` gives one for text that comes in pieces.

    Values shorter than eight characters would mask too much else, and are left alone: they are refused as secrets.
    """

    __slots__ = ("_patterns", "values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values = frozenset(value for value in values if len(value) >= SHORTEST)
        forms = {form for value in self.values for form in forms_of(value)}
        self._patterns = sorted(forms, key=lambda form: (-len(form), form))

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def data(self, data: bytes) -> bytes:
        """`data` with every secret in it masked."""
        for pattern in self._patterns:
            if pattern in data:
                data = data.replace(pattern, _MASK)
        return data

    def text(self, text: str) -> str:
        """`text` with every secret in it masked."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass") if self else text

    def finds(self, data: bytes) -> bool:
        """Whether there is a secret in `data`."""
        return any(pattern in data for pattern in self._patterns)

    def unfinished(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a secret."""
        return max((_beginning(data, pattern) for pattern in self._patterns), default=0)

    def stream(self, write: Callable[[bytes], object]) -> ScrubbedStream:
        """Something to write pieces to, which reach `write` without secrets."""
        return ScrubbedStream(self, write)


class ScrubbedStream:
    """Passes on what is written to it, masked; holds back only what may be the beginning of a secret."""

    __slots__ = ("_held", "_scrubber", "_write")

    def __init__(self, scrubber: Scrubber, write: Callable[[bytes], object]) -> None:
        self._scrubber = scrubber
        self._write = write
        self._held = b""

    def write(self, data: bytes) -> None:
        """The next piece."""
        data = self._scrubber.data(self._held + data)
        cut = len(data) - self._scrubber.unfinished(data)
        self._held = data[cut:]
        if cut:
            self._write(data[:cut])

    def flush(self) -> None:
        """There is nothing more: what was held back was no secret."""
        held, self._held = self._held, b""
        if held:
            self._write(held)


def telling(variables: Mapping[str, str]) -> frozenset[str]:
    """The values of variables whose names say that they are secret."""
    return frozenset(value for name, value in variables.items() if _TELLING.search(name) and not _PLACE.search(name))


def forms_of(value: str) -> Iterator[bytes]:
    """A value as it is, and as JSON, URLs, XML and base64 show it, wherever in a longer text it was encoded."""
    yield from (form.encode() for form in _written(value))
    yield from _based(value.encode())
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line.encode() for line in lines if len(line) >= _LINE and "-----" not in line)


def _written(value: str) -> set[str]:
    escaped = json.dumps(value)[1:-1]
    quoted = {quote(value, safe=""), quote(value), quote_plus(value)}
    lower = {_lower_escapes(form) for form in quoted}
    return {value, escaped, escaped.replace("/", "\\/"), repr(value)[1:-1], html.escape(value), *quoted, *lower}


def _lower_escapes(text: str) -> str:
    head, *rest = text.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])


def _based(value: bytes) -> Iterator[bytes]:
    """What of the base64 of any text that holds the value depends on the value alone."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).rstrip(b"=")
        start = (0, 2, 3)[before]
        end = (len(value) + before) * 8 // 6
        core = encoded[start:end]
        if len(core) >= SHORTEST:
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))


def _beginning(data: bytes, pattern: bytes) -> int:
    """The length of the longest end of `data` that `pattern` begins with."""
    at = data.find(pattern[:1], max(0, len(data) - len(pattern) + 1))
    while at >= 0:
        if pattern.startswith(data[at:]):
            return len(data) - at
        at = data.find(pattern[:1], at + 1)
    return 0
