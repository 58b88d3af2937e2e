"""Leases: which lasts, and which was written before the clock began anew."""

from __future__ import annotations

import pytest

from cirrus.core.lease import SLACK, Lease

OURS = Lease(1_000, 1_030)


@pytest.mark.parametrize(
    ("until", "lasts"), [(999, False), (1_000, False), (1_001, True), (1_120, True), (1_121, False)]
)
def test_a_lease_lasts_until_its_end_and_no_longer_than_four_of_ours(until: int, lasts: bool) -> None:
    assert OURS.meets(until) is lasts


@pytest.mark.parametrize("own", [1_000, 900])
def test_who_has_no_lease_cannot_tell_which_is_too_long(own: int) -> None:
    assert Lease(1_000, own).meets(10**18)
    assert not Lease(1_000, own).meets(1_000)


@pytest.mark.parametrize(("later", "waits"), [(-30, False), (-29, True), (SLACK, True), (SLACK + 1, False)])
def test_a_lock_is_waited_for_until_it_ends_or_is_too_long(later: int, waits: bool) -> None:
    assert OURS.waits_for(OURS.until + later) is waits
