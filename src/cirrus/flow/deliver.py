"""Deliver: send what the outbox holds, in order, again and again with growing pauses, and park what keeps failing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cirrus.core.instant import SECOND
from cirrus.core.lease import Lease
from cirrus.errors import StoreError
from cirrus.flow.home import Home
from cirrus.ports.outbox import LONGEST, Attempted, Delivery
from cirrus.ports.target import Failed, Target

BATCH = 500
_LEASE = 120 * SECOND


def deliver(home: Home, target: str, owner: str) -> int:
    """Send the deliveries of a target that are due; gives how many were dealt with."""
    at = home.steady()
    lease = Lease(at, at + _LEASE)
    deliveries = home.outbox.take(target, BATCH, owner=owner, now=home.clock(), lease=lease)
    if not deliveries:
        return 0
    errors = _send(home.targets[target], deliveries)
    home.outbox.settle(owner, _settled(home, deliveries, errors))
    return len(deliveries)


def _send(target: Target, deliveries: Sequence[Delivery]) -> Mapping[int, Failed]:
    """What failed; one delivery that the target cannot take at all fails alone."""
    try:
        return target.send(deliveries)
    except StoreError as error:
        return {delivery.id: Failed(str(error)) for delivery in deliveries}
    except Exception as error:  # whatever an output that is no Item, or a damaged body, leads to
        if len(deliveries) == 1:
            return {deliveries[0].id: Failed(f"{type(error).__name__}: {error}")}
    return _one_by_one(target, deliveries)


def _one_by_one(target: Target, deliveries: Sequence[Delivery]) -> Mapping[int, Failed]:
    errors: dict[int, Failed] = {}
    stuck: set[str] = set()
    for delivery in deliveries:
        if delivery.payload_id in stuck:
            errors[delivery.id] = Failed("an earlier delivery of this payload failed", tried=False)
        elif failed := _send(target, [delivery]):
            errors |= failed
            stuck.add(delivery.payload_id)
    return errors


def _settled(home: Home, deliveries: Sequence[Delivery], errors: Mapping[int, Failed]) -> list[Attempted]:
    """What became of each; what was not tried because of an earlier one of its payload is put off as long as that."""
    at = home.clock()
    settled: list[Attempted] = []
    again: dict[str, int | None] = {}
    for delivery in deliveries:
        one = _attempted(home, delivery, errors.get(delivery.id), at)
        if not one.tried and again.get(delivery.payload_id):
            one = replace(one, again=again[delivery.payload_id])
        elif one.error is not None:
            again[delivery.payload_id] = one.again
        settled.append(one)
    return settled


def _attempted(home: Home, delivery: Delivery, failed: Failed | None, at: int) -> Attempted:
    if failed is None:
        return Attempted(delivery.id, at)
    attempts = delivery.attempts + 1
    if failed.tried and (failed.final or attempts >= home.limits.delivery_attempts):
        return Attempted(delivery.id, at, failed.error)
    return Attempted(delivery.id, at, failed.error, at + min(LONGEST, SECOND * 2**attempts), failed.tried)
