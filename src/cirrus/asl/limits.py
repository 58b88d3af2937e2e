"""The numbers that limit a Map state: each a function of (data, environment) that gives one or fails as on AWS."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from cirrus.asl import data, failure
from cirrus.asl.definition import Evaluate
from cirrus.asl.failure import Failure
from cirrus.asl.fields import number

Raw = Mapping[str, Any]

NEGATIVE: dict[str, Callable[[Any], str]] = {
    "MaxConcurrency": lambda found: f"Expected non-negative integer for MaxConcurrency, got '{found}' instead.",
    "ToleratedFailureCount": lambda _: "ToleratedFailureCount cannot be negative.",
}


def count(raw: Raw, field: str, jsonata: bool) -> Evaluate | None:
    """A whole number that is not negative; a text that holds one will do."""
    find = number(raw, field, jsonata)
    if find is None:
        return None

    def count_of(given: Any, env: Any) -> int:
        found = find(given, env)
        wanted = as_number(found)
        if wanted is None or wanted != int(wanted):
            raise wrong(field, jsonata, no_number(raw, field, found, "integer"))
        if wanted < 0:
            raise wrong(field, jsonata, NEGATIVE[field](found))
        return int(wanted)

    return count_of


def percentage(raw: Raw, field: str, jsonata: bool) -> Evaluate | None:
    """A number from 0 to 100; a text that holds one will do."""
    find = number(raw, field, jsonata)
    if find is None:
        return None

    def percentage_of(given: Any, env: Any) -> float:
        found = find(given, env)
        wanted = as_number(found)
        if wanted is None:
            raise wrong(field, jsonata, no_number(raw, field, found, "float"))
        if not 0 <= wanted <= 100:
            raise wrong(field, jsonata, f"{field} must be between 0 and 100.")
        return wanted

    return percentage_of


def as_number(found: Any) -> float | None:
    """A number, or the number that a text holds."""
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    try:
        wanted = float(found) if isinstance(found, str) else found
    except ValueError:
        return None
    return wanted if isinstance(wanted, int) or math.isfinite(wanted) else None


def no_number(raw: Raw, field: str, found: Any, kind: str) -> str:
    """That something else was found where a number should be, and where."""
    shown = (found if isinstance(found, str) else data.text(found))[:100]
    path = raw.get(f"{field}Path")
    if path is None:
        return f"The {field} field must be a valid {kind} but was: {shown}"
    return f'The {field}Path field refers to value "{shown}" which is not a valid {kind}: {path}'


def wrong(field: str, jsonata: bool, cause: str) -> Failure:
    """The failure of a limit that is none."""
    return Failure(failure.QUERY if jsonata else failure.RUNTIME, cause, field=field)
