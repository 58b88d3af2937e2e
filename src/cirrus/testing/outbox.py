"""What every backend of the port Outbox does: inherit `OutboxContract` and give it a fixture `connect`."""

from __future__ import annotations

import json
from functools import partial

import pytest

from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.lease import Lease
from cirrus.core.state import State
from cirrus.ports.outbox import LONGEST, Attempted, Delivery, Entered, Ledger
from cirrus.testing.builders import AT, begin, ending, event, payload_id
from cirrus.testing.ports import Connect, Ports, PortsContract, at_once

LEASE = 120_000_000
A, B = payload_id("a"), payload_id("b")


class OutboxContract(PortsContract):
    """The promises of the port."""

    def test_nothing_is_there_at_first(self, ports: Ports) -> None:
        assert _take(ports) == []
        assert ports.outbox.waiting("events") == (0, None)
        assert ports.outbox.ledger() == []

    def test_every_event_is_sent_on(self, ports: Ports) -> None:
        said: list[WorkflowEvent] = [event(A, kind, AT + n, error="Ü") for n, kind in enumerate(EventType)]
        record = begin(ports.state_db, A, owner="o", events=(said[0],))
        ports.state_db.conclude([ending(record, events=(said[1],))])
        ports.state_db.note(said[2:])
        found = _take(ports, now=AT + 99)
        assert [json.loads(one.body) for one in found] == [one.body() for one in said]
        assert {(one.target, one.kind, one.payload_id, one.attempts) for one in found} == {("events", "event", A, 0)}
        assert [one.id for one in found] == sorted(one.id for one in found)

    def test_refused_writes_send_nothing(self, ports: Ports) -> None:
        record = begin(ports.state_db, A, owner="o")
        end = ending(record, events=(event(A),), output=b"{}", published=True)
        assert ports.state_db.conclude([end, end]) == [True, False]
        assert ports.outbox.waiting("events")[0] == 1
        assert ports.outbox.waiting("items")[0] == 1

    def test_limit_takes_the_oldest(self, ports: Ports) -> None:
        _fill(ports, A, B, A, B)
        found = _take(ports, limit=3)
        assert [one.payload_id for one in found] == [A, B, A]

    def test_sent_is_sent(self, ports: Ports) -> None:
        _fill(ports, A, B)
        found = _take(ports)
        ports.outbox.settle("o", [Attempted(one.id, AT + 1) for one in found])
        assert _take(ports, now=AT + 9 * LEASE) == []
        assert ports.outbox.waiting("events") == (0, None)
        assert not self.keeps_sent or ports.outbox.ledger() == [Ledger("events", 0, 2, 0, None)]

    def test_target_is_held_by_one_owner(self, ports: Ports) -> None:
        _fill(ports, A, B)
        (first,) = _take(ports, limit=1)
        assert _take(ports, owner="other") == []
        ports.outbox.settle("o", [Attempted(first.id, AT)])
        assert [one.payload_id for one in _take(ports, owner="other")] == [B]

    def test_hold_ends_with_its_lease(self, ports: Ports) -> None:
        _fill(ports, A)
        _take(ports)
        assert _take(ports, owner="other", now=AT + LEASE - 1) == []
        assert len(_take(ports, owner="other", now=AT + LEASE)) == 1

    def test_hold_ends_with_the_lease_of_its_owner(self, ports: Ports) -> None:
        _fill(ports, "1")
        self.need_own_engine()
        ports.journal.beat("o", AT + 10)
        assert len(_take(ports, owner="o")) == 1
        assert _take(ports, owner="other", now=AT + 9) == []
        assert len(_take(ports, owner="other", now=AT + 10)) == 1

    def test_hold_from_before_the_clock_was_set_back_has_ended(self, ports: Ports) -> None:
        _fill(ports, "1")
        assert len(_take(ports, owner="o", now=AT + 3600_000_000)) == 1
        assert len(_take(ports, owner="other", now=AT)) == 1

    def test_what_was_not_tried_is_put_off_uncounted(self, ports: Ports) -> None:
        _fill(ports, "1")
        (one,) = _take(ports)
        ports.outbox.settle("o", [Attempted(one.id, AT, "not tried", AT + 5, tried=False)])
        assert _take(ports) == []
        assert [one.attempts for one in _take(ports, now=AT + 5)] == [0]

    def test_what_waits_behind_a_failed_delivery_is_due_with_it(self, ports: Ports) -> None:
        _fill(ports, A)
        (one,) = _take(ports)
        ports.outbox.settle("o", [Attempted(one.id, AT, "no", AT + 50)])
        _fill(ports, A)
        assert ports.outbox.waiting("events") == (2, AT + 50)
        _fill(ports, B)
        number, due = ports.outbox.waiting("events")
        assert number == 3
        assert due is not None
        assert due <= AT

    def test_order_holds_though_the_clock_is_set_back(self, ports: Ports) -> None:
        ports.state_db.note([event(A, EventType.CLAIMED_PROCESSING, AT + 50), event(A, EventType.SUCCEEDED, AT)])
        found = _take(ports, now=AT + 60)
        assert [json.loads(one.body)["event_type"] for one in found] == ["CLAIMED_PROCESSING", "SUCCEEDED"]
        ports.outbox.settle("o", [Attempted(one.id, AT + 60, "no", AT + 90 - n) for n, one in enumerate(found)])
        assert _take(ports, now=AT + 89) == []
        assert [one.id for one in _take(ports, now=AT + 90)] == [one.id for one in found]

    def test_clock_that_was_set_back_puts_nothing_off_for_long(self, ports: Ports) -> None:
        _fill(ports, A, A, B)
        found = _take(ports)
        ports.outbox.settle("o", [Attempted(one.id, AT, "no", AT + LONGEST) for one in found[:2]])
        ports.outbox.settle("o", [Attempted(found[2].id, AT)])
        assert _take(ports) == []
        assert [one.id for one in _take(ports, now=AT - 1)] == [one.id for one in found[:2]]

    def test_many_that_wait_behind_one_come_after_it(self, ports: Ports) -> None:
        _fill(ports, A)
        (first,) = _take(ports)
        ports.outbox.settle("o", [Attempted(first.id, AT, "no", AT + 50)])
        _fill(ports, *[A] * 9, B)
        assert [one.payload_id for one in _take(ports, limit=2)] == [B]
        assert next(iter(_take(ports, limit=2, now=AT + 50))).id == first.id

    def test_holder_may_take_again(self, ports: Ports) -> None:
        _fill(ports, A)
        assert _take(ports) == _take(ports)

    def test_retired_owner_lets_go(self, ports: Ports) -> None:
        _fill(ports, A)
        _take(ports)
        self.need_own_engine()
        ports.journal.retire("o")
        assert len(_take(ports, owner="other")) == 1

    def test_who_takes_nothing_holds_nothing(self, ports: Ports) -> None:
        _fail(ports, again=AT + 10)
        assert _take(ports, now=AT + 5) == []
        assert len(_take(ports, owner="other", now=AT + 10)) == 1

    def test_targets_are_held_apart(self, ports: Ports) -> None:
        record = begin(ports.state_db, A, owner="o", events=(event(A),))
        ports.state_db.conclude([ending(record, output=b"{}", published=True)])
        (one,) = _take(ports)
        assert len(_take(ports, target="items")) == 1
        ports.outbox.settle("o", [Attempted(one.id, AT)])
        assert _take(ports, target="items", owner="other") == []

    def test_of_many_owners_at_once_one_gets_a_target(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(6)]
        _fill(rivals[0], A, B)
        answers = at_once([partial(_take, one, owner=f"o{n}") for n, one in enumerate(rivals)])
        assert sorted(len(answer) for answer in answers) == [0, 0, 0, 0, 0, 2]

    # ---------------------------------------------------------------- failures

    def test_failed_delivery_is_due_again(self, ports: Ports) -> None:
        one = _fail(ports, again=AT + 10)
        assert ports.outbox.waiting("events") == (1, AT + 10)
        assert _take(ports, now=AT + 9) == []
        (again,) = _take(ports, now=AT + 10)
        assert (again.id, again.attempts) == (one.id, 1)
        assert ports.outbox.ledger() == [Ledger("events", 1, 0, 0, "answered 500")]

    def test_parked_delivery_is_never_due(self, ports: Ports) -> None:
        _fail(ports, again=None)
        assert _take(ports, now=AT + 999 * LEASE) == []
        assert ports.outbox.waiting("events") == (0, None)
        assert ports.outbox.ledger() == [Ledger("events", 0, 0, 1, "answered 500")]

    def test_what_follows_a_failed_delivery_of_its_payload_waits(self, ports: Ports) -> None:
        _fill(ports, A, A, B, A)
        found = _take(ports)
        results = [Attempted(one.id, AT, "down", AT + 50) for one in found[:1]]
        ports.outbox.settle("o", [*results, *(Attempted(one.id, AT) for one in found[2:3])])
        assert _take(ports, now=AT + 49) == []
        assert [one.id for one in _take(ports, now=AT + 50)] == [found[0].id, found[1].id, found[3].id]

    def test_what_follows_a_parked_delivery_goes_on(self, ports: Ports) -> None:
        _fill(ports, A, A)
        found = _take(ports)
        ports.outbox.settle("o", [Attempted(found[0].id, AT, "never")])
        assert [one.id for one in _take(ports)] == [found[1].id]

    def test_a_payload_that_is_stuck_holds_up_no_other(self, ports: Ports) -> None:
        _fill(ports, *[A] * 20, B)
        (first,) = _take(ports, limit=1)
        ports.outbox.settle("o", [Attempted(first.id, AT, "down", AT + 50)])
        assert [one.payload_id for one in _take(ports, limit=5)] == [B]

    def test_late_failure_does_not_undo_what_was_sent(self, ports: Ports) -> None:
        _fill(ports, A)
        (one,) = _take(ports)
        _take(ports, owner="other", now=AT + LEASE)
        ports.outbox.settle("other", [Attempted(one.id, AT + LEASE)])
        ports.outbox.settle("o", [Attempted(one.id, AT + LEASE + 1, "down", AT + LEASE + 2)])
        assert not self.keeps_sent or ports.outbox.ledger() == [Ledger("events", 0, 1, 0, None)]
        assert _take(ports, now=AT + 9 * LEASE) == []

    def test_late_settle_does_not_let_go_of_anothers_hold(self, ports: Ports) -> None:
        _fill(ports, A, B)
        (one,) = _take(ports, limit=1)
        _take(ports, limit=1, owner="other", now=AT + LEASE)
        ports.outbox.settle("o", [Attempted(one.id, AT + LEASE)])
        assert _take(ports, owner="third", now=AT + LEASE) == []

    # ---------------------------------------------------------------- one by one

    def test_every_delivery_is_on_the_ledger(self, ports: Ports) -> None:
        self.need_sent()
        _fill(ports, A, B, A)
        first, second, third = _take(ports)
        done = [Attempted(first.id, AT + 1), Attempted(second.id, AT + 2, "answered 500", AT + 50)]
        ports.outbox.settle("o", [*done, Attempted(third.id, AT + 3, "gone")])
        entries = [
            Entered(first.id, "events", "event", A, 1, 0, None, AT + 1),
            Entered(second.id, "events", "event", B, 1, AT + 50, "answered 500"),
            Entered(third.id, "events", "event", A, 1, 0, "gone", None, AT + 3),
        ]
        assert ports.outbox.entries() == entries
        assert [one.state for one in entries] == ["sent", "waiting", "parked"]
        for one in entries:
            assert ports.outbox.entries(state=one.state) == [one]
        assert ports.outbox.entries(payload_id=A) == [entries[0], entries[2]]
        assert ports.outbox.entries(target="items") == []
        assert ports.outbox.entries(after=first.id, limit=1) == [entries[1]]

    def test_parked_delivery_may_wait_again(self, ports: Ports) -> None:
        one = _fail(ports, again=None)
        assert ports.outbox.again([one.id, one.id + 99], AT + 20) == {one.id}
        assert _take(ports, now=AT + 19) == []
        assert [(found.id, found.attempts) for found in _take(ports, now=AT + 20)] == [(one.id, 0)]
        assert ports.outbox.ledger() == [Ledger("events", 1, 0, 0, "answered 500")]

    def test_delivery_that_waits_again_comes_before_later_ones_of_its_payload(self, ports: Ports) -> None:
        one = _fail(ports, again=None)
        _fill(ports, A)
        ports.outbox.again([one.id], AT)
        assert _take(ports, limit=1)[0].id == one.id
        ports.outbox.settle("o", [Attempted(one.id, AT, "down", AT + 50)])
        assert _take(ports, now=AT + 49) == []

    def test_only_what_is_parked_may_wait_again_or_go(self, ports: Ports) -> None:
        _fill(ports, A, B)
        sent, waiting = _take(ports)
        ports.outbox.settle("o", [Attempted(sent.id, AT)])
        assert ports.outbox.again([sent.id, waiting.id], AT) == set()
        assert ports.outbox.drop([sent.id, waiting.id]) == set()
        assert ports.outbox.ledger() == [Ledger("events", 1, int(self.keeps_sent), 0, None)]

    def test_old_items_do_not_go_after_new_ones(self, ports: Ports) -> None:
        for n in range(2):
            record = begin(ports.state_db, A, AT + n, owner="o")
            ports.state_db.conclude([ending(record, State.FAILED, AT + n, output=b"{}", published=True)])
        old, new = _take(ports, target="items", now=AT + 1)
        ports.outbox.settle("o", [Attempted(old.id, AT, "gone"), Attempted(new.id, AT, "gone")])
        ports.outbox.again([new.id], AT)
        ports.outbox.settle("o", [Attempted(new.id, AT)])
        assert ports.outbox.again([old.id], AT) == set()
        assert ports.outbox.drop([old.id]) == {old.id}

    def test_dropped_delivery_is_gone(self, ports: Ports) -> None:
        one = _fail(ports, again=None)
        assert ports.outbox.drop([one.id, one.id + 99]) == {one.id}
        assert ports.outbox.entries() == []
        assert ports.outbox.ledger() == []
        ports.outbox.settle("late", [Attempted(one.id, AT + 9)])
        assert ports.outbox.entries() == []

    def test_group_that_raises_undoes_what_the_outbox_did(self, ports: Ports) -> None:
        self.need_groups()
        _fill(ports, A)
        with pytest.raises(KeyError), ports.unit.group():  # noqa: PT012 - all of it must be undone
            (one,) = _take(ports)
            ports.outbox.settle("o", [Attempted(one.id, AT)])
            raise KeyError
        assert len(_take(ports, owner="other")) == 1


def _fill(ports: Ports, *payload_ids: str) -> None:
    ports.state_db.note([event(known) for known in payload_ids])


def _fail(ports: Ports, again: int | None) -> Delivery:
    _fill(ports, A)
    (one,) = _take(ports)
    ports.outbox.settle("o", [Attempted(one.id, AT + 1, "answered 500", again)])
    return one


def _take(ports: Ports, *, target: str = "events", limit: int = 99, owner: str = "o", now: int = AT) -> list[Delivery]:
    return ports.outbox.take(target, limit, owner=owner, now=now, lease=Lease(now, now + LEASE))
