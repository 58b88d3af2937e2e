"""Points in time: whole microseconds since the epoch inside, ISO 8601 in UTC outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE = re.compile(r"\s*(\d{1,9})\s*([dhm])\s*")
_UNIT = {"d": 86_400 * SECOND, "h": 3_600 * SECOND, "m": 60 * SECOND}
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


@lru_cache(maxsize=64)  # what happens in one turn happens at one instant
def iso(at: int) -> str:
    """An instant as `2026-11-23T08:00:00.000000+00:00`, always with six decimals, so that text sorts as time."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds")


def from_iso(text: str) -> int:
    """The instant of an ISO 8601 text; one without an offset is UTC. ValueError if it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_since(text: str) -> int:
    """How many microseconds '10 h', '3d' or '15m' look back; ValueError says what is accepted."""
    found = _SINCE.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no time span: an integer and d, h or m is expected, such as 10h or 3 d")
    return int(found[1]) * _UNIT[found[2]]


def parse_moment(text: str, now: int) -> int:
    """The instant of '10 h', '3d' or '15m' (so long before `now`), or of an ISO 8601 text; ValueError says what is."""
    if _SINCE.fullmatch(text):
        return now - parse_since(text)
    try:
        return from_iso(text.strip())
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: a time span (an integer and d, h or m, such as 10h or 3 d) or an ISO 8601 time is"
            " expected"
        ) from None


def parse_duration(text: str) -> float:
    """How many seconds '15m', '1.5 h', '30s' or '250ms' last; ValueError says what is accepted."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no duration: a number and ms, s, m, h or d is expected, such as 15m")
    return float(found[1]) * _SECONDS[found[2]]
