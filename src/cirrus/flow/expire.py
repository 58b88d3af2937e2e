"""Expire: remove what is past its time, and give its space back, bit by bit beside the work."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from cirrus.core.instant import SECOND
from cirrus.core.lease import Lease
from cirrus.flow.home import Home

BATCH = 200
_HOLD = 600 * SECOND
_SELDOM = 600.0
_OFTEN = 1.0
_PARTS = 10


def expire(home: Home, owner: str, go_on: Callable[[], bool]) -> int:
    """One round, unless another process is at it; gives how much was looked at. It ends where `go_on` says no."""
    renewed = home.steady()
    if not home.retention.hold(owner, Lease(renewed, renewed + _HOLD)):
        return 0
    done, now = 0, home.clock()
    for some in chain(home.retention.expire(home.policy, now, BATCH), home.retention.sweep(now, BATCH)):
        done += some
        if not go_on():
            break
        if home.steady() - renewed > _HOLD // 4:
            renewed = home.steady()
            if not home.retention.hold(owner, Lease(renewed, renewed + _HOLD)):
                return done
    home.retention.release(owner)
    return done


def pause(home: Home) -> float:
    """How many seconds lie between two rounds: a part of the shortest time for which something is kept."""
    policy = home.policy
    ages = [age for by_state in (policy.histories, policy.logs, policy.records) for age in by_state.values()]
    ages += [age for age in (policy.events, policy.deliveries, policy.tmp, policy.invalid) if age is not None]
    return max(_OFTEN, min([_SELDOM, *(age / SECOND / _PARTS for age in ages)]))
