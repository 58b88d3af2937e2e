"""How `retention` of a deployment becomes rules of the services: days of log groups, of objects, and of records.

Step Functions knows the name of an execution for 90 days, and a record that is gone would give its first name again:
so records are kept that long at least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.core.state import ENDED
from cirrus.deploying.layout import Layout
from cirrus.settings.cloud import LOG_DAYS
from cirrus.variables import ON

DAY = 86_400
TMP_DAYS = 10
INVALID_DAYS = 14  # as long as the dead letter queue keeps the messages
LEAST_RECORD_DAYS = 90
_ELSEWHERE = {
    "histories": "Step Functions keeps histories for 90 days, no more and no less",
    "events": "events go to their topic and are not kept, but where `keep_events` is set",
    "deliveries": "what was sent is forgotten at once, but where `keep_deliveries` is set",
}


def problems(layout: Layout) -> Iterator[str]:
    """Ages that a deployment on AWS cannot have."""
    for state, age in _ages(layout, "records").items():
        if age < LEAST_RECORD_DAYS * DAY:
            yield f"retention.records: at least {LEAST_RECORD_DAYS}d is expected on AWS for {state}"
    logs = _ages(layout, "logs").values()
    if logs and max(logs) > LOG_DAYS[-1] * DAY:
        yield f"retention.logs: at most {LOG_DAYS[-1]}d is expected on AWS"


def unkept(layout: Layout) -> Iterator[str]:
    """What `retention` says and no service does."""
    kept = {"events": layout.cloud.keep_events, "deliveries": layout.cloud.keep_deliveries}
    for name, reason in _ELSEWHERE.items():
        if layout.where.retention.get(name) and not kept.get(name):
            yield f"retention.{name}: says nothing on AWS: {reason}"
    if len(set(_ages(layout, "logs").values())) > 1:
        yield "retention.logs: log groups know no end states: all logs are kept as long as the longest"


def log_days(layout: Layout) -> int:
    """For how many days log groups keep what is printed: the next number that CloudWatch knows."""
    ages = _ages(layout, "logs").values()
    wanted = _days(max(ages)) if ages else layout.cloud.log_days
    return next((days for days in LOG_DAYS if days >= wanted), LOG_DAYS[-1])


def record_ages(layout: Layout) -> str:
    """The ages of records in seconds by end state, as functions read them; empty for all that are kept for ever."""
    return ",".join(f"{state}={math.ceil(age)}" for state, age in sorted(_ages(layout, "records").items()))


def kept_age(layout: Layout, name: str) -> str:
    """For how many seconds `events` or `deliveries` are kept, as functions read it."""
    age = layout.where.retention.get(name)
    return ON if age is None else str(math.ceil(age))


def object_days(layout: Layout) -> Mapping[str, int]:
    """After how many days objects expire, by the part of the payload store that they stand in."""
    retention = layout.where.retention
    tmp = _days(retention.get("tmp") or TMP_DAYS * DAY)
    found = {
        "tmp/oversized/": tmp,
        "tmp/batch/": tmp,
        "tmp/invalid/": _days(retention.get("invalid") or INVALID_DAYS * DAY),
    }
    records = _ages(layout, "records")
    if set(records) >= ENDED:  # else some record still needs its payloads
        found["executions/"] = _days(max(records.values())) + 1
    return found


def _ages(layout: Layout, name: str) -> Mapping[Any, float]:
    return layout.where.retention.get(name) or {}


def _days(seconds: float) -> int:
    return max(1, math.ceil(seconds / DAY))
