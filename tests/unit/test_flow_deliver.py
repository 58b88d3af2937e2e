from __future__ import annotations

from collections.abc import Sequence

import pytest

from cirrus.core.instant import SECOND
from cirrus.errors import StoreError
from cirrus.flow.deliver import deliver
from cirrus.flow.home import Home, Limits
from cirrus.ports.outbox import Delivery, Ledger, Subscriptions
from cirrus.ports.target import Failed
from cirrus.testing.builders import AT, event, payload_id
from cirrus.testing.home import Clock, make_home

A, B = payload_id("a"), payload_id("b")


class Target:
    """Takes deliveries, and fails those of some payloads."""

    def __init__(self, **failing: Failed) -> None:
        self.failing = {payload_id(name): failed for name, failed in failing.items()}
        self.sent: list[Delivery] = []
        self.tries = 0

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        self.tries += 1
        self.sent += [one for one in deliveries if one.payload_id not in self.failing]
        return {one.id: self.failing[one.payload_id] for one in deliveries if one.payload_id in self.failing}


class Down(Target):
    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        self.tries += 1
        raise StoreError("the disk is full")


def home_of(target: Target, *payload_ids: str) -> tuple[Home, Clock]:
    clock = Clock()
    home = make_home(
        {},
        clock=clock,
        targets={"t": target},
        subscriptions=Subscriptions(events=("t",)),
        limits=Limits(delivery_attempts=4),
    )
    home.state_db.note([event(known) for known in payload_ids])
    return home, clock


def test_nothing_to_send() -> None:
    target = Target()
    home, _ = home_of(target)
    assert deliver(home, "t", "o") == 0
    assert target.tries == 0


def test_everything_is_sent_once_and_in_order() -> None:
    target = Target()
    home, _ = home_of(target, A, B, A)
    assert deliver(home, "t", "o") == 3
    assert [one.payload_id for one in target.sent] == [A, B, A]
    assert deliver(home, "t", "o") == 0
    assert home.outbox.ledger() == [Ledger("t", 0, 3, 0, None)]


@pytest.mark.parametrize("target", [Target(a=Failed("answered 503")), Down()], ids=["answer", "exception"])
def test_failures_are_tried_again_with_growing_pauses_and_parked_at_last(target: Target) -> None:
    home, clock = home_of(target, A)
    for attempt in (1, 2, 3):
        assert deliver(home, "t", "o") == 1
        due = home.outbox.waiting("t")[1]
        assert due == clock() + 2**attempt * SECOND
        clock.at = due - 1
        assert deliver(home, "t", "o") == 0
        clock.at = due
    assert deliver(home, "t", "o") == 1
    (ledger,) = home.outbox.ledger()
    assert (ledger.waiting, ledger.sent, ledger.parked) == (0, 0, 1)
    assert ledger.last_error in {"answered 503", "the disk is full"}
    clock.advance(10**6)
    assert deliver(home, "t", "o") == 0
    assert target.tries == 4


def test_what_can_never_be_sent_is_parked_at_once() -> None:
    home, _ = home_of(Target(a=Failed("no Item", final=True)), A, B)
    deliver(home, "t", "o")
    assert home.outbox.ledger() == [Ledger("t", 0, 1, 1, "no Item")]


def test_one_payload_that_fails_holds_up_no_other() -> None:
    target = Target(a=Failed("answered 503"))
    home, clock = home_of(target, A, B)
    deliver(home, "t", "o")
    home.state_db.note([event(A), event(B)])
    deliver(home, "t", "o")
    assert [one.payload_id for one in target.sent] == [B, B]
    target.failing.clear()
    clock.advance(10)
    deliver(home, "t", "o")
    assert [one.payload_id for one in target.sent] == [B, B, A, A]


def test_pause_has_a_limit() -> None:
    target = Target(a=Failed("answered 503"))
    home, clock = home_of(target, A)
    object.__setattr__(home, "limits", Limits(delivery_attempts=40))
    for _ in range(30):
        deliver(home, "t", "o")
        due = home.outbox.waiting("t")[1]
        assert due is not None
        assert due - clock() <= 3600 * SECOND
        clock.at = due
    assert clock() > AT
