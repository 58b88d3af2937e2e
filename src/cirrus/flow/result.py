"""What a Task state's call leads to: an attempt to make, a result at once, a wait, or another execution.

Payloads travel inside a state machine up to 120,000 bytes and as {"url": ...} beyond; tasks see payloads only. A
payload goes in as the text that it came as, so that one which no state looks inside is never decoded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cirrus import asl
from cirrus.core.jsontext import decode, encode, fits_inline
from cirrus.core.keys import oversized_key
from cirrus.core.payload import reference
from cirrus.errors import CirrusError
from cirrus.flow.home import Home

_REFERENCE = re.compile(rb'\s*\{\s*"(?:url"|[^"]*\\)')
_FIRST = (b"u", b"\\")  # what the first name of a reference begins with
_SMALL = 512


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Result:
    """What a call came to: `output`, a value or its Text, or `error` and `cause`."""

    output: Any = None
    error: str | None = None
    cause: str | None = None


@dataclass(slots=True)  # not frozen: see CONTRIBUTING
class Wanted:
    """An attempt to make: a task's name and its input as JSON text.

    `job` describes it if it is a batch job. `member` says that the result is this member of the output. `waits` says
    that its end is not the state's end, which comes by task token.
    """

    task: str
    payload: bytes
    job: Mapping[str, Any] | None = None
    member: str | None = None
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Waits:
    """The state waits for an answer by token; `output` is what its call gave, if one was made."""

    output: Any = None
    activity: str | None = None
    input: bytes | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """Another state machine is started, its end being the state's end only where `kind` says so."""

    workflow: str
    definition: bytes
    name: str
    input: Any
    kind: str


Call = Wanted | Result | Waits | Started


class Refused(CirrusError):
    """The call cannot be made; `error` is the name that the state machine sees."""

    def __init__(self, error: str, message: str) -> None:
        self.error = error
        super().__init__(message)


def failure(error: str, message: str) -> Result:
    """A failed call as Lambda reports one."""
    return Result(error=error, cause=encode({"errorMessage": message, "errorType": error}).decode())


def text_of(home: Home, value: Any) -> bytes:
    """A value or Text of a state machine as JSON text, the real payload where it is a reference to one."""
    url = referred(value)
    return home.payloads.get(url) if url is not None and home.payloads.owns(url) else as_text(value)


def as_text(value: Any) -> bytes:
    """A value or Text as JSON text."""
    return value.text if isinstance(value, asl.Text) else encode(value)


def as_value(value: Any) -> Any:
    """What a Text holds, or the value; InvalidPayload for a text that is no JSON."""
    return decode(value.text) if isinstance(value, asl.Text) else value


def referred(value: Any) -> str | None:
    """The URL of a value or Text that only points to the real payload; only a text that begins like one is read."""
    if isinstance(value, asl.Text):
        text = value.text
        if (text[:2] == b'{"' and text[2:3] not in _FIRST) or not _REFERENCE.match(text):
            return None
    return reference(as_value(value))


def carried(text: bytes) -> Any:
    """A JSON text as a state machine takes it: the Text, or the value where it is so small that a journal holds it."""
    return decode(text) if len(text) <= _SMALL else asl.Text(text)


def inline(home: Home, text: bytes) -> Any:
    """A payload as a state machine holds it: Text or value, or {"url": ...} where it is too large."""
    if fits_inline(text):
        return carried(text)
    name = f"{home.chance():016x}{home.chance():016x}"
    return {"url": home.payloads.put(oversized_key(home.root, name), text)}
