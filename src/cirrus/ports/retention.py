"""Retention: what is removed once it is past its time, bit by bit, while others work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cirrus.core.lease import Lease
from cirrus.core.state import State


@dataclass(frozen=True, slots=True)
class Policy:
    """How long things are kept, in microseconds; for ever what is None, and states that are left out.

    Histories, logs and records count from the last change of their record, by its end state; events from when they
    happened, deliveries from when they were sent; `tmp` are payloads that travel by URL, `invalid` messages in
    quarantine.
    """

    histories: Mapping[State, int] = field(default_factory=dict)
    logs: Mapping[State, int] = field(default_factory=dict)
    records: Mapping[State, int] = field(default_factory=dict)
    events: int | None = None
    deliveries: int | None = None
    tmp: int | None = None
    invalid: int | None = None


class Retention(Protocol):
    """Removes what is past its time; a record that runs is never touched, nor is what it may still need."""

    def hold(self, owner: str, lease: Lease) -> bool:
        """Take or renew the right to clean up; False while another has it.

        It ends with its time, or with the lease of its owner where that is a control process that has one.
        """

    def release(self, owner: str) -> None:
        """Give the right back."""

    def expire(self, policy: Policy, now: int, limit: int) -> Iterator[int]:
        """Remove what is past its time, histories and logs before records; a record leaves its tombstone.

        Each step is a transaction about at most `limit` records or rows, and gives how many it looked at. Deliveries
        that wait or are parked stay, and so do temporary payloads from the time of what runs or is queued.
        """

    def sweep(self, now: int, limit: int) -> Iterator[int]:
        """Remove bodies that nothing refers to, where any may be, and give the space back; in steps as above.

        Whoever stores a body that is being removed has it: no step removes what has been referred to again.
        """
