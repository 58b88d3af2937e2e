"""Forget: delete records with all that belongs to them; their tombstones stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from cirrus.flow.home import Home

BATCH = 200
FORGOTTEN, RUNNING, UNKNOWN = "forgotten", "running", "unknown"


def forget(home: Home, payload_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What became of each: `forgotten`, or left alone since it is `running` or `unknown`; in small transactions.

    Bodies that nothing else refers to go with the next round of `cirrus up`. A message of the payload that is queued
    stays, and makes a new record.
    """
    stream = iter(payload_ids)
    while some := list(islice(stream, BATCH)):
        gone = home.state_db.forget(some, home.clock())
        left = home.state_db.get([known for known, good in zip(some, gone, strict=True) if not good])
        for known, good in zip(some, gone, strict=True):
            yield known, FORGOTTEN if good else RUNNING if known in left else UNKNOWN
