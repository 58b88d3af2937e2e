"""What an execution's history says of each state: how often it was entered, how it ended there, which ways it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

DONE, CAUGHT, RUNNING, FAILED, STOPPED = "done", "caught", "running", "failed", "stopped"
_RANK = (DONE, CAUGHT, STOPPED, RUNNING, FAILED)
_BREAKS = ("ExecutionFailed", "ExecutionTimedOut", "ParallelStateFailed", "MapStateFailed", "MapIterationFailed")
_ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")
_TROUBLE = ("Failed", "TimedOut")


@dataclass(frozen=True, slots=True)
class Visits:
    """By name of state: how often, and the worst that became of a visit; and how often each way was taken.

    A way is (from, to, whether it led there by a Catch).
    """

    times: Mapping[str, int] = field(default_factory=dict)
    became: Mapping[str, str] = field(default_factory=dict)
    ways: Mapping[tuple[str, str, bool], int] = field(default_factory=dict)


def read_visits(events: Iterable[Mapping[str, Any]]) -> Visits:
    """The visits that a history tells of; states inside a distributed Map have histories of their own."""
    known = {event["id"]: event for event in events}
    times: Counter[str] = Counter()
    ways: Counter[tuple[str, str, bool]] = Counter()
    became: dict[str, str] = {}
    still_open: dict[int, str] = {}
    over = any(event["type"] in _ENDS for event in known.values())
    for number, event in known.items():
        before = known.get(event.get("previousEventId", 0), {})
        name = event.get("stateEnteredEventDetails", {}).get("name")
        if name is not None:
            times[name] += 1
            still_open[number] = name
            left = before.get("stateExitedEventDetails", {}).get("name")
            if left is not None:
                ways[left, name, _broke(known.get(before.get("previousEventId", 0), {}))] += 1
        if "stateExitedEventDetails" in event:
            _close(known, event, still_open)
            _worse(became, event["stateExitedEventDetails"]["name"], CAUGHT if _broke(before) else DONE)
    broken = _broken(known)
    for number, name in still_open.items():
        _worse(became, name, RUNNING if not over else FAILED if number in broken else STOPPED)
    return Visits(times, became, ways)


def _broke(event: Mapping[str, Any]) -> bool:
    """Whether an event tells an error, so that what follows it is a Catch's doing."""
    kind = str(event.get("type", ""))
    return kind == "EvaluationFailed" or kind.endswith(_TROUBLE)


def _close(known: Mapping[int, Mapping[str, Any]], event: Mapping[str, Any], still_open: dict[int, str]) -> None:
    """Forget the visit that an exit ends: the nearest of that state on the way back, or else its first."""
    name = event["stateExitedEventDetails"]["name"]
    at, steps = event.get("previousEventId", 0), 0
    while at in known and steps < len(known):
        if still_open.get(at) == name:
            del still_open[at]
            return
        at, steps = known[at].get("previousEventId", 0), steps + 1
    first = next((number for number, one in still_open.items() if one == name), None)
    if first is not None:
        del still_open[first]


def _broken(known: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """The events on the way back from each failure."""
    seen: set[int] = set()
    for number, event in known.items():
        if event["type"] in _BREAKS:
            at = number
            while at in known and at not in seen:
                seen.add(at)
                at = known[at].get("previousEventId", 0)
    return seen


def _worse(became: dict[str, str], name: str, how: str) -> None:
    if name not in became or _RANK.index(how) > _RANK.index(became[name]):
        became[name] = how
