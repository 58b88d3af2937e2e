"""Throttle: no more than so many a second."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Value = TypeVar("Value")


def throttled(values: Iterable[Value], rate: float | None) -> Iterator[Value]:
    """The values, at most `rate` a second; as fast as they are taken without one."""
    if rate is None:
        yield from values
        return
    began = time.monotonic()
    for n, value in enumerate(values):
        ahead = began + n / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        else:
            began -= ahead  # who was slow does not hurry afterwards
        yield value
