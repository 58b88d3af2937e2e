"""Times as text: RFC 3339 in, the context object's UTC out. Reads no clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

STAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST = 253_402_300_799.0


def read_time(text: object) -> float | None:
    """Seconds since the epoch of an RFC 3339 time with its offset, or None if it is none."""
    found = STAMP.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    micro = int((found[7] or "0").ljust(6, "0")[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)
    except ValueError:
        return None
    return (moment - EPOCH) / timedelta(seconds=1) - _offset(found[8])


def show_time(at: float) -> str:
    """The time in UTC with milliseconds, left out where there are none, as the context object shows it.

    Within the years 1970 to 9999.
    """
    at = min(max(at, 0.0), LAST)
    millis = int(at * 1000) % 1000
    return (EPOCH + timedelta(seconds=at)).strftime("%Y-%m-%dT%H:%M:%S") + (f".{millis:03d}Z" if millis else "Z")


def _offset(text: str) -> int:
    if text == "Z":
        return 0
    seconds = int(text[1:3]) * 3600 + int(text[4:6]) * 60
    return -seconds if text[0] == "-" else seconds
