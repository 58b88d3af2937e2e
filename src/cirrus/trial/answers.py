"""What a mocked task answers: values, errors, delays, one call after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_WAIT = 1e9


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to `times` calls in a row: a value, the call's own input (`echo`), or an error.

    It comes `after` so many seconds of virtual time. Without `times` it serves one call, or where it is the last of
    its list every call from then on.
    """

    value: Any = None
    echo: bool = False
    error: str | None = None
    cause: str | None = None
    after: float = 0.0
    times: int | None = None


Answers = tuple[Answer, ...]
Mock = Answers | Callable[[Any], Any]


def answer_to(answers: Answers, number: int) -> Answer | None:
    """The answer to call `number`, from 0; None where the list is used up."""
    left = number
    for at, answer in enumerate(answers):
        times = answer.times
        if times is None:
            if at == len(answers) - 1:
                return answer
            times = 1
        if left < times:
            return answer
        left -= times
    return None


Told = Callable[[str, str], None]
"""Takes a JSON pointer and what is wrong there."""

KEYS = ("return", "throw", "echo", "after", "times")


def read_answers(value: Any, where: str, tell: Told) -> Answers:
    """The answers in a value, one or a list of them; every problem is told."""
    if not isinstance(value, list):
        return (read_answer(value, where, tell),)
    if not value:
        tell(where, "at least one answer is expected")
    return tuple(read_answer(one, f"{where}/{at}", tell) for at, one in enumerate(value))


def read_answer(value: Any, where: str, tell: Told) -> Answer:
    """One answer: `return`, `throw` or `echo`, and `after` and `times` beside it."""
    if not isinstance(value, dict):
        tell(where, f"an answer is an object such as {{return: ...}} or {{throw: ...}}, not {value!r:.100}")
        return Answer()
    tell_unknown(value, KEYS, where, tell)
    ways = [key for key in ("return", "throw", "echo") if key in value]
    if len(ways) != 1:
        tell(where, f"one of return, throw, echo is expected, found {' and '.join(ways) or 'none'}")
    if "echo" in value and value["echo"] is not True:
        tell(f"{where}/echo", "true is expected: the task gives its input back")
    error, cause = read_error(value["throw"], f"{where}/throw", tell) if "throw" in value else (None, None)
    return Answer(
        value=value.get("return"),
        echo="echo" in value,
        error=error,
        cause=cause,
        after=_number(value, "after", 0.0, where, tell),
        times=_times(value, where, tell),
    )


def read_error(value: Any, where: str, tell: Told) -> tuple[str, str | None]:
    """An error's name and cause: a text, or an object with `error` and `cause`."""
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict) or not isinstance(value.get("error"), str):
        tell(where, "an error's name is expected, or an object {error: NAME, cause: TEXT}")
        return "", None
    tell_unknown(value, ("error", "cause"), where, tell)
    cause = value.get("cause")
    if cause is not None and not isinstance(cause, str):
        tell(f"{where}/cause", f"a text is expected, not {cause!r:.100}")
        cause = None
    return value["error"], cause


def tell_unknown(value: dict[Any, Any], known: Sequence[str], where: str, tell: Told) -> None:
    """Tell each key that has no meaning, and the one that it resembles."""
    from difflib import get_close_matches

    for key in value:
        if key not in known:
            near = get_close_matches(str(key), known, 1)
            tell(f"{where}/{key}", "is unknown" + (f"; did you mean {near[0]}?" if near else f"; {_listed(known)}"))


def _listed(known: Sequence[str]) -> str:
    return f"there are: {', '.join(known)}"


def _number(value: dict[str, Any], key: str, default: float, where: str, tell: Told) -> float:
    found = value.get(key, default)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found <= LONGEST_WAIT:
        tell(f"{where}/{key}", f"a number of seconds, 0 or more, is expected, not {found!r:.100}")
        return default
    return float(found)


def _times(value: dict[str, Any], where: str, tell: Told) -> int | None:
    found = value.get("times")
    if "times" in value and (isinstance(found, bool) or not isinstance(found, int) or found < 1):
        tell(f"{where}/times", f"a whole number from 1 up is expected, not {found!r:.100}")
        return None
    return found
