"""The functions that Step Functions adds to JSONata, and those in place of the library's that would look at the clock,
roll dice, or do more than the budget allows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.utils import Utils

from cirrus.asl import data
from cirrus.asl.budget import Exhausted, fits
from cirrus.asl.intrinsics import HASHES, uuid
from cirrus.asl.pattern import Pattern, meter

WIDEST = 1_000_000
LONGEST_PICTURE = 1_000
MOST_INDENTED = 16_000_000


def wrong(text: str) -> JException:
    """An error of a function's argument."""
    error = JException("T0410", -1)
    error.args = (text,)
    return error


def now(picture: Any = None, zone: Any = None) -> Any:
    """The time of the step as text."""
    return Functions.datetime_from_millis(millis(), brief(picture), zone)


def millis() -> int:
    """The time of the step."""
    at: float = meter.budget.at
    return round(at * 1000)


def random(seed: Any = None) -> float:
    """A number that the step's dice give, or the seed."""
    source: Random = meter.budget.random() if seed is None else Random(seed)  # noqa: S311  # as the language says
    return source.random()


def random_uuid() -> str:
    """A UUID that the step's dice give."""
    return uuid(meter.budget.random())


def listed(value: Any) -> list[Any]:
    """An array argument; a single value stands for an array of it."""
    return list(value) if isinstance(value, list) else [value]


def shuffle(items: Any = None) -> Any:
    """The items in an order that the step's dice give."""
    if items is None:
        return None
    found = listed(items)
    meter.budget.random().shuffle(found)
    return found


def partition(items: Any = None, length: Any = None) -> Any:
    """The array cut into arrays of at most `length`."""
    if items is None:
        return None
    if isinstance(length, bool) or not isinstance(length, int | float) or length < 1:
        raise wrong("Argument 2 of function $partition must be a positive number")
    step = int(length)
    found = listed(items)
    return [found[at : at + step] for at in range(0, len(found), step)]


def number_range(first: Any = None, last: Any = None, step: Any = None) -> Any:
    """The numbers from first to last, both included."""
    for value in (first, last, step):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise wrong("The arguments of function $range must be numbers")
    if step == 0:
        raise wrong("Argument 3 of function $range must not be zero")
    count = int((last - first) / step) + 1 if (last - first) / step >= 0 else 0
    if count > WIDEST:
        raise JException("D2014", -1, count)
    return [Utils.convert_number(first + at * step) for at in range(count)]


def digest(value: Any = None, algorithm: Any = None) -> Any:
    """The hash in hexadecimal."""
    if value is None:
        return None
    name = HASHES.get(algorithm) if isinstance(algorithm, str) else None
    if name is None:
        raise wrong(f"Argument 2 of function $hash must be one of {', '.join(HASHES)}")
    content = value if isinstance(value, str) else data.text(value)
    return hashlib.new(name, content.encode(), usedforsecurity=False).hexdigest()


def parse(value: Any = None) -> Any:
    """The JSON that a string holds."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong("Argument 1 of function $parse must be a string")
    try:
        found = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise wrong(f"Function $parse was given no JSON: {error}") from None
    if data.too_deep(found):
        raise wrong("Function $parse was given JSON that is nested too deeply")
    return Utils.NULL_VALUE if found is None else found


def no_eval(*_: Any) -> Any:
    """Step Functions has no $eval."""
    raise wrong("Function $eval is not supported")


def pad(text: Any = None, width: Any = None, char: Any = None) -> Any:
    """The library's $pad, for widths that make sense."""
    if isinstance(width, int | float) and abs(width) > WIDEST:
        raise wrong(f"Argument 2 of function $pad must not be more than {WIDEST}")
    return Functions.pad(text, width, char)


def replace(text: Any = None, wanted: Any = None, by: Any = None, limit: Any = None) -> Any:
    """The text with the first `limit` matches replaced; the library's begins anew after each."""
    if isinstance(limit, int | float) and not isinstance(limit, bool) and limit >= 0:
        most = math.ceil(min(limit, WIDEST))
    else:
        most = None
    if not isinstance(text, str) or limit is not None is most:
        return Functions.replace(text, wanted, by, limit)
    if most == 0:
        return text
    if isinstance(wanted, str) and wanted and isinstance(by, str):
        count = text.count(wanted) if most is None else min(most, text.count(wanted))
        fits(len(text) + count * (len(by) - len(wanted)))
        return text.replace(wanted, by, -1 if most is None else most)
    return Functions.replace(text, Some(wanted, most) if isinstance(wanted, Pattern) else wanted, by, None)


class Some:
    """A pattern that replaces no more than some matches."""

    def __init__(self, pattern: Pattern, most: int | None) -> None:
        self.pattern = pattern
        self.most = most

    def sub(self, replacement: str | Callable[[Any], str], text: str) -> str:
        """As the pattern's."""
        return self.pattern.sub(replacement, text, self.most or 0)


def join(texts: Any = None, separator: Any = None) -> Any:
    """The library's $join, for texts that are not too long together."""
    if isinstance(texts, list) and isinstance(separator, str | None):
        between = len(separator or "") * (len(texts) - 1)
        fits(between + sum(len(one) for one in texts if isinstance(one, str)))
    return Functions.join(texts, separator)


def string(value: Any = None, pretty: Any = None) -> Any:
    """The library's $string, whose indentation may not outgrow the value by far."""
    if pretty is True and isinstance(value, list | dict):
        levels = next((deep for deep in (10, 50, 250) if not data.too_deep(value, deep)), None)
        if levels is None or levels * meter.budget.weigh(value) > MOST_INDENTED:
            raise Exhausted("The expression makes too long a string", "D3001")
    return Functions.string(value, pretty)


def distinct(items: Any = None) -> Any:
    """The items without repetitions; the library's takes quadratic time."""
    if not isinstance(items, list) or len(items) <= 1:
        return items
    found = list({identity(item): item for item in reversed(items)}.values())[::-1]
    return Utils.create_sequence_from_iter(found) if isinstance(items, Utils.JList) else found


def spread(value: Any = None) -> Any:
    """Every member of every object as an object of its own; the library's takes quadratic time."""
    if isinstance(value, dict):
        return Utils.create_sequence_from_iter([{key: item} for key, item in value.items()])
    if not isinstance(value, list):
        return value
    found: list[Any] = []
    for item in value:
        part = spread(item)
        found.extend(part if isinstance(part, list) else [] if part is None else [part])
    return Utils.create_sequence_from_iter(found)


def identity(value: Any) -> Any:
    """Something hashable that equal JSON values have in common."""
    if isinstance(value, dict):
        return frozenset((key, identity(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(identity(item) for item in value)
    if isinstance(value, bool):
        return ("boolean", value)
    return value if isinstance(value, str | int | float) else id(value)


def brief(text: Any) -> Any:
    """A picture string, or what it is to be applied to, that is not meant to keep its reader busy."""
    if isinstance(text, str) and len(text) > LONGEST_PICTURE:
        raise wrong(f"A picture string and its text must not be longer than {LONGEST_PICTURE} characters")
    return text
