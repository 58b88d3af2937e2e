"""The functions that Step Functions adds to JSONata, and those whose clock, dice or power it takes away."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from random import Random
from typing import Any

from jsonata.functions import Functions
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils

from cirrus.asl import data
from cirrus.asl.intrinsics import HASHES, uuid

WIDEST = 1_000_000
LONGEST_PICTURE = 1_000


def bindings(at: float, random: Callable[[], Random]) -> dict[str, Any]:
    """Name → function, for one evaluation."""
    millis = round(at * 1000)
    own: dict[str, Callable[..., Any]] = {
        "now": lambda picture=None, zone=None: Functions.datetime_from_millis(millis, brief(picture), zone),
        "millis": lambda: millis,
        "random": lambda seed=None: (random() if seed is None else Random(seed)).random(),  # noqa: S311
        "uuid": lambda: uuid(random()),
        "shuffle": lambda items=None: None if items is None else shuffled(items, random()),
        "partition": partition,
        "range": number_range,
        "hash": digest,
        "parse": parse,
        "eval": no_eval,
        "pad": pad,
        "distinct": distinct,
    }
    bound: dict[str, Any] = {name: Jsonata.JLambda(function) for name, function in own.items()}
    return {**bound, **BOUNDED}


def wrong(text: str) -> JException:
    """An error of a function's argument."""
    error = JException("T0410", -1)
    error.args = (text,)
    return error


def listed(value: Any) -> list[Any]:
    """An array argument; a single value stands for an array of it."""
    return list(value) if isinstance(value, list) else [value]


def shuffled(items: Any, random: Random) -> list[Any]:
    """The items in an order that the step's dice give."""
    found = listed(items)
    random.shuffle(found)
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
    """The library's $replace, which takes quadratic time for a plain string by a plain string."""
    plain = isinstance(text, str) and isinstance(wanted, str) and isinstance(by, str)
    if not plain or not wanted or (limit is not None and limit < 0):
        return Functions.replace(text, wanted, by, limit)
    return text.replace(wanted, by, -1 if limit is None else int(limit))


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


def brief(picture: Any) -> Any:
    """A picture string that is not meant to keep its reader busy."""
    if isinstance(picture, str) and len(picture) > LONGEST_PICTURE:
        raise wrong(f"A picture string must not be longer than {LONGEST_PICTURE} characters")
    return picture


class WithPicture(Jsonata.JFunctionCallable):  # type: ignore[misc]  # the interpreter is untyped
    """A function of the library whose second argument is a picture."""

    def __init__(self, native: Any) -> None:
        self.native = native

    def call(self, given: Any, arguments: Any) -> Any:
        """As the library's, for a picture of a sane length."""
        if isinstance(arguments, list) and len(arguments) > 1:
            brief(arguments[1])
        return self.native.call(given, arguments)


def with_picture(name: str) -> Any:
    """The library's function, its signature kept."""
    native = Jsonata.static_frame.lookup(name)
    bounded = Jsonata.JFunction(WithPicture(native), None)
    bounded.signature = native.signature
    return bounded


PICTURED = ("fromMillis", "toMillis", "formatNumber", "formatInteger", "parseInteger")
BOUNDED = {
    "spread": Jsonata.JFunction(Jsonata.JLambda(spread), "<x-:a<o>>"),
    "replace": Jsonata.JFunction(Jsonata.JLambda(replace), "<s-(sf)(sf)n?:s>"),
    **{name: with_picture(name) for name in PICTURED},
}
