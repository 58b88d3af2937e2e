"""Retention on AWS: none of ours. Rules of the bucket and of the log groups remove what is past its time.

A record is deleted one by one (`forget`); Step Functions keeps histories for 90 days.
"""

from __future__ import annotations

from collections.abc import Iterator

from cirrus.core.lease import Lease
from cirrus.ports.retention import Policy


class LifecycleRules:
    """Cleans up nothing: the services do."""

    def hold(self, owner: str, lease: Lease) -> bool:
        """Nobody has the right to clean up."""
        return False

    def release(self, owner: str) -> None:
        """Nothing to give back."""

    def expire(self, policy: Policy, now: int, limit: int) -> Iterator[int]:
        """No step."""
        return iter(())

    def sweep(self, now: int, limit: int) -> Iterator[int]:
        """No step."""
        return iter(())
