"""How a failed attempt is told: an error name, and a cause as Lambda gives it, in bounded size."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

import orjson

CAUSE_BYTES = 32_000
MESSAGE_BYTES = 16_000


@dataclass(eq=False)
class TaskFailure(Exception):
    """The attempt failed for a reason that Cirrus itself found: `error` is its name, `message` for the
    operator.
    """

    error: str
    message: str

    def __str__(self) -> str:
        return self.message


def error_and_cause(failure: BaseException, skip: str = "", scrub: Callable[[str], str] = str) -> tuple[str, str]:
    """The error's name and its cause in JSON; the outer frames in files below `skip` are left out.

    Texts pass `scrub` before they are cut: half a secret would not be found afterwards.
    """
    if isinstance(failure, TaskFailure):
        return failure.error, cause(failure.error, scrub(failure.message))
    name = type(failure).__name__
    return name, cause(name, scrub(message_of(failure)), [scrub(line) for line in stack(failure, skip)])


def message_of(failure: BaseException) -> str:
    """The failure in words, whatever its own __str__ does."""
    if isinstance(failure, SystemExit):
        return f"the task called sys.exit({failure.code!r})"
    try:
        return str(failure)
    except Exception as broken:
        return f"<{type(failure).__name__}: its message cannot be shown: {type(broken).__name__}>"


def stack(failure: BaseException, skip: str = "") -> list[str]:
    """The frames of the failure, outermost first, without those of the host."""
    return traceback.format_list(traceback.extract_tb(user_part(failure, skip)))


def in_log(failure: BaseException, skip: str = "") -> str:
    """The failure as its attempt's log shows it: a traceback of the user's code, or our own message."""
    if isinstance(failure, TaskFailure):
        return f"{failure.error}: {failure.message}\n"
    return "".join(traceback.format_exception(type(failure), failure, user_part(failure, skip)))


def user_part(failure: BaseException, skip: str) -> TracebackType | None:
    """The traceback from the first frame that is not the host's."""
    trace = failure.__traceback__
    while trace and skip and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(skip):
        trace = trace.tb_next
    return trace


def cause(kind: str, message: str, trace: list[str] | None = None) -> str:
    """JSON with errorMessage, errorType, stackTrace, at most 32 KB: the innermost frames are kept."""
    text = clip(message, MESSAGE_BYTES)
    kept: list[str] = []
    room = CAUSE_BYTES - 200 - len(orjson.dumps(text))
    for line in reversed(trace or []):
        room -= len(orjson.dumps(clip(line, 4000))) + 1
        if room < 0:
            kept.append("  ... frames left out\n")
            break
        kept.append(clip(line, 4000))
    body = {"errorMessage": text, "errorType": kind, "stackTrace": kept[::-1]}
    return orjson.dumps(body).decode()


def clip(text: str, limit: int) -> str:
    """`text`, or its beginning where its UTF-8 form is longer than `limit` bytes; always valid Unicode."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= limit:
        return data.decode()
    return data[:limit].decode("utf-8", "ignore") + " [...]"
