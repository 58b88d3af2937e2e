"""Limits on what begins: how much may run at once, and how much may begin in a time, by workflow and by collections.

A rate is a debt that is paid off as time passes: what begins adds to it, and nothing begins while it is too large. So
the average never exceeds the rate, and after a pause no more than a quarter of a second's worth begins at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cirrus.core.instant import SECOND

EACH = "*"
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*(s|m|h|d)\s*")
_UNIT = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": 86_400 * SECOND}
_BURST = SECOND // 4


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may begin: once in `interval` microseconds; `text` as the user wrote it."""

    interval: float
    text: str = ""

    def free(self, debt: int | None, now: int, burst: int = _BURST) -> int:
        """How many may begin now; `debt` is the instant until which earlier ones are still paid off.

        What `burst` microseconds allow may begin at once.
        """
        return max(0, int((now + self._most(burst) - self._since(debt, now, burst)) // self.interval))

    def spend(self, debt: int | None, now: int, number: int, burst: int = _BURST) -> int:
        """The debt once `number` more have begun."""
        return round(self._since(debt, now, burst) + number * self.interval)

    def again(self, debt: int | None, now: int) -> int:
        """The instant at which one may begin."""
        return max(now, round(self._since(debt, now) + self.interval - self._most()))

    def _most(self, burst: int = _BURST) -> float:
        return max(self.interval, burst)

    def _since(self, debt: int | None, now: int, burst: int = _BURST) -> float:
        """A debt that reaches further than any can was made before the clock was set back."""
        return float(now) if debt is None else min(max(debt, now), now + self._most(burst))


def parse_rate(text: str) -> Rate:
    """The rate of '10/s', '600/m', '1.5/h' or '100/d'; ValueError says what is accepted."""
    found = _RATE.fullmatch(text)
    if not found or not float(found[1]):
        raise ValueError(f"{text!r} is no rate: a number, '/' and s, m, h or d is expected, such as 10/s or 600/m")
    return Rate(_UNIT[found[2]] / float(found[1]), text)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `running` at once, and no more often than `rate`; None for no such limit."""

    running: int | None = None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Throttle:
    """Limits by workflow and by collections, on executions, and by task, on attempts.

    The collections `*` stand for each that has no entry of its own.
    """

    workflows: Mapping[str, Limit] = field(default_factory=dict)
    collections: Mapping[str, Limit] = field(default_factory=dict)
    tasks: Mapping[str, Limit] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything limits executions."""
        return bool(self.workflows or self.collections)

    def of(self, collections: str, workflow: str) -> Iterator[tuple[str, Limit]]:
        """What limits payloads of these collections and this workflow, each under a name that tells it apart."""
        if workflow in self.workflows:
            yield f"workflow {workflow}", self.workflows[workflow]
        limit = self.collections.get(collections) or self.collections.get(EACH)
        if limit is not None and collections:
            yield f"collections {collections}", limit


def write_limits(throttle: Throttle) -> str:
    """The limits on executions as JSON, for functions elsewhere; empty where there are none."""
    tables = {"workflows": throttle.workflows, "collections": throttle.collections}
    told = {
        kind: {name: [limit.running, limit.rate.text if limit.rate else None] for name, limit in sorted(table.items())}
        for kind, table in tables.items()
        if table
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False) if told else ""


def read_limits(text: str) -> Throttle:
    """The limits that `write_limits` wrote; ValueError says what is accepted."""
    try:
        found: dict[str, dict[str, Limit]] = {
            kind: {name: Limit(running, parse_rate(rate) if rate else None) for name, (running, rate) in table.items()}
            for kind, table in (json.loads(text) if text else {}).items()
        }
        return Throttle(**found)
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f'{text!r} are no limits: {{"workflows": {{"NAME": [20, "5/s"]}}}} is expected') from None


DEPLOYMENT, WORKFLOW, COLLECTIONS = "deployment", "workflow", "collections"


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing of a scope begins: `kind` is deployment, workflow or collections, `at` in microseconds."""

    kind: str
    name: str
    at: int
    reason: str = ""

    def holds(self, collections: str, workflow: str) -> bool:
        """Whether payloads of these collections and this workflow are held."""
        return {DEPLOYMENT: True, WORKFLOW: self.name == workflow, COLLECTIONS: self.name == collections}[self.kind]
