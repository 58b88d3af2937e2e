"""Campaigns: reruns of a frozen selection of records, with changed parameters if need be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from cirrus.core.jsontext import decode, encode
from cirrus.core.payload import CONTINUE_FROM


class CampaignState(StrEnum):
    """What becomes of a campaign: only a RUNNING one queues its members."""

    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPED = "STOPPED"
    CANCELLED = "CANCELLED"
    DONE = "DONE"


# What operators may do, from which states, and where it leads.
MOVES: Mapping[str, tuple[tuple[CampaignState, ...], CampaignState]] = {
    "pause": ((CampaignState.RUNNING,), CampaignState.PAUSED),
    "resume": ((CampaignState.PAUSED, CampaignState.STOPPED), CampaignState.RUNNING),
    "cancel": (
        (CampaignState.PREPARING, CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPED),
        CampaignState.CANCELLED,
    ),
}


@dataclass(frozen=True, slots=True)
class Options:
    """How a campaign reruns its members.

    `parameters` are set by task and name; `canary` members go first, and all of them must come good; at most `rate` a
    second are queued, and at most `max_running` are under way; `continue_failed` goes on at the step that failed.
    """

    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    canary: int = 0
    rate: float | None = None
    max_running: int | None = None
    continue_failed: bool = False
    priority: int = 0

    def to_json(self) -> dict[str, Any]:
        """The options that say something."""
        return {name: value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class Change:
    """A parameter that a campaign changes in a payload; `old` is None where there was none."""

    task: str
    name: str
    old: Any
    new: Any


def rerun_with(text: bytes, options: Options, execution_id: str) -> bytes:
    """The payload of a member as it is queued: to be run again, with the campaign's parameters."""
    document = decode(text)
    first, *rest = document["process"]
    again = {**first, "replace": True}
    again.pop(CONTINUE_FROM, None)
    if options.parameters:
        tasks = dict(again.get("tasks") or {})
        for task, given in options.parameters.items():
            tasks[task] = {**(tasks.get(task) or {}), **given}
        again["tasks"] = tasks
    if options.continue_failed:
        again[CONTINUE_FROM] = execution_id
    return encode({**document, "process": [again, *rest]})


def changes(text: bytes, options: Options) -> Iterator[Change]:
    """What the campaign's parameters change in a payload."""
    tasks = decode(text)["process"][0].get("tasks") or {}
    for task, given in options.parameters.items():
        before = tasks.get(task) or {}
        for name, new in given.items():
            if name not in before or before[name] != new:
                yield Change(task, name, before.get(name), new)
