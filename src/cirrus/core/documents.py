"""JSON documents from a stream: one document (pretty-printed or not), NDJSON, or an array.

Rules: NDJSON is read line by line, so that any number takes the memory of one; a document that runs over several
lines is gathered until it is whole; one that never becomes whole is given as it is, for whoever reads it to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import orjson

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_INSIDE = (b"]", b"}", b",")


def documents(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON texts in a stream of lines; the elements of an array one by one."""
    stream = iter(lines)
    ahead: list[bytes] = []
    gathered: list[bytes] = []
    depth = 0
    while (line := ahead.pop() if ahead else next(stream, None)) is not None:
        if not gathered and not _may_go_on(line):
            yield from _elements(line)
            continue
        if gathered and line[:1] == b"{" and _is_whole(line):
            ahead += _next(stream)
            if not ahead or ahead[0].lstrip()[:1] not in _INSIDE:
                yield b"".join(gathered).strip()
                yield from _elements(line)
                gathered, depth = [], 0
                continue
        gathered.append(line)
        depth += _opened(line)
        if depth <= 0 and _is_whole(whole := b"".join(gathered)):
            yield from _elements(whole)
            gathered, depth = [], 0
    yield from _elements(b"".join(gathered))


def _may_go_on(line: bytes) -> bool:
    """Whether a line begins a document that may run over several."""
    return line.lstrip()[:1] in (b"{", b"[") and not _is_whole(line)


def _next(stream: Iterator[bytes]) -> list[bytes]:
    """The next line that is not blank, if there is one."""
    return list(islice((line for line in stream if line.strip()), 1))


def _opened(line: bytes) -> int:
    """How many brackets a line opens more than it closes; strings end on the line on which they begin."""
    bare = _STRING.sub(b"", line)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")


def _is_whole(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _elements(text: bytes) -> Iterator[bytes]:
    stripped = text.strip()
    if not stripped.startswith(b"["):
        if stripped:
            yield stripped
        return
    try:
        values = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        yield stripped
        return
    for value in values:
        yield orjson.dumps(value)
