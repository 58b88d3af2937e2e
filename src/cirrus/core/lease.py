"""Leases: until when somebody who may die keeps what he holds, on a clock that nobody sets (`Home.steady`)."""

from __future__ import annotations

import sys
from typing import NamedTuple

SLACK = 60_000_000
"""A lock that ends by more than this later than ours would is from before the clock began anew."""

_LONGEST = 4  # times our own: how long a lease that others may still have lasts at most


class Lease(NamedTuple):
    """From the instant `at`, which is now, to the instant `until`; in microseconds on the clock of leases."""

    at: int
    until: int

    @property
    def latest(self) -> int:
        """The latest end that another lease can have: one beyond it was written before the clock began anew.

        Who has none himself cannot tell.
        """
        return self.at + _LONGEST * (self.until - self.at) if self.until > self.at else sys.maxsize

    def meets(self, until: int) -> bool:
        """Whether a lease that was to end at `until` lasts now."""
        return self.at < until <= self.latest

    def waits_for(self, until: int) -> bool:
        """Whether a lock that somebody else holds until then, for as long as this one would be, lasts now."""
        return self.at < until <= self.until + SLACK
