"""Kinds of failures: what failures of the same cause have in common, under one short fingerprint.

What differs from payload to payload is folded: ids of its own, times, paths and URLs, words with digits in them,
numbers. The error's name, the workflow and the step that failed are kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

LONGEST = 400
FINGERPRINT = re.compile(r"[0-9a-f]{8}")
_OWN = "\u01c2"  # a letter that nobody writes, so that a path with an id in it is still seen as one
_NAME = re.compile(r"[A-Za-z_][\w.]*(?=: )")
_FOLDS = (
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>,;)\]]+"), "<url>"),
    (re.compile(r"(?<![\w<])(?:\.{0,2}|[\w.%~-]+)(?:/[\w.%~@=+#-]+)+/?"), "<path>"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b"), "<n>"),
    (re.compile(r"(?<![\w<])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?![\w])"), "<n>"),
    (re.compile(r"(?<![\w<])(?=[\w-]*\d)[\w-]+(?:\.\w+)*(?![\w>])"), "<id>"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class FailureKind:
    """A workflow, the step in it that failed (empty where none is known), and the folded error."""

    workflow: str
    step: str
    message: str

    @cached_property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that name the kind."""
        return hashlib.sha256(f"{self.workflow}\0{self.step}\0{self.message}".encode()).hexdigest()[:8]


def failure_kind(workflow: str, step: str | None, last_error: str, own: Iterable[str] = ()) -> FailureKind:
    """The kind of a failure; `own` are ids of the payload itself, which stand for any other's."""
    return FailureKind(workflow, step or "", folded(last_error, own))


def folded(text: str, own: Iterable[str] = ()) -> str:
    """An error without what differs from payload to payload; its name, in front of the first colon, is kept."""
    text = text[: 4 * LONGEST]
    found = _NAME.match(text)
    name = found[0] if found else ""
    rest = text[len(name) :]
    for known in sorted((one for one in set(own) if len(one) > 2), key=len, reverse=True):
        rest = rest.replace(known, _OWN)
    for pattern, stands_for in _FOLDS:
        rest = pattern.sub(stands_for, rest)
    whole = (name + rest.replace(_OWN, "<id>")).strip()
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}…"
