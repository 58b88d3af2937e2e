"""`$toMillis` with a picture: parts of the picture become a regular expression, and what it leaves out is today's.

The library runs that expression, in which literals stand as they are, on Python's engine, and takes today from the
machine's clock. Its function is used with other names for both: patterns that cannot run away, and the step's time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from types import FunctionType, SimpleNamespace
from typing import Any

from jsonata import datetimeutils
from jsonata.functions import Functions

from cirrus.asl.pattern import Pattern, meter


class Moment(datetime):
    """The library's datetime, whose present is that of the step."""

    @classmethod
    def utcnow(cls) -> Moment:
        """The time of the event that is being handled."""
        return cls.fromtimestamp(meter.budget.at, UTC).replace(tzinfo=None)


_parse = datetimeutils.DateTimeUtils.parse_datetime
parse_datetime = FunctionType(
    _parse.__code__,
    {
        **_parse.__globals__,
        "re": SimpleNamespace(compile=Pattern, IGNORECASE=re.IGNORECASE),
        "datetime": SimpleNamespace(datetime=Moment, timedelta=timedelta, timezone=timezone),
    },
)


def to_millis(text: Any = None, picture: Any = None) -> Any:
    """Milliseconds since the epoch of a timestamp."""
    if text is None or picture is None:
        return Functions.datetime_to_millis(text, picture)
    return parse_datetime(text, picture)
