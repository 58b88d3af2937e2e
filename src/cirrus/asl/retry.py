"""Which errors Retry and Catch match, and how long a retry waits."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from cirrus.asl import failure
from cirrus.asl.definition import Retrier

FATAL = frozenset({failure.RUNTIME})
"""Errors that nothing catches: the definition does not fit its data."""

UNCAUGHT_BY_ALL = FATAL | {failure.DATA_LIMIT}
TIMEOUTS = frozenset({failure.TIMEOUT, failure.HEARTBEAT_TIMEOUT})


def matches(names: Collection[str], *errors: str | None) -> bool:
    """Whether an ErrorEquals list matches an error that goes by one name or several."""
    return any(error not in FATAL and any(_match(name, error) for name in names) for error in errors)


def _match(name: str, error: str | None) -> bool:
    if name == error:
        return True
    if name == failure.ALL:
        return error not in UNCAUGHT_BY_ALL
    if name == failure.TASK_FAILED:
        return error not in UNCAUGHT_BY_ALL and error not in TIMEOUTS
    return name == failure.TIMEOUT and error in TIMEOUTS


def delay(retrier: Retrier, attempt: int, random: Random) -> float:
    """Seconds to wait before retry number `attempt` (0 for the first) of this retrier."""
    try:
        seconds = retrier.interval * retrier.rate**attempt
    except OverflowError:
        seconds = float("inf")
    seconds = min(seconds, 31_622_400 if retrier.longest is None else retrier.longest)
    return random.uniform(0, seconds) if retrier.jitter else seconds
