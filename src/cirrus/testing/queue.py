"""What every backend of the port Queue does: inherit `QueueContract` and give it a fixture `connect`."""

from __future__ import annotations

from functools import partial

import pytest

from cirrus.core.event import UNKNOWN, EventType
from cirrus.ports.queue import Kept, Message, Rejected, Taken
from cirrus.testing.builders import AT, ODD_IDS, event, payload_id
from cirrus.testing.ports import Connect, Ports, PortsContract, at_once

LEASE = 30_000_000
BODIES = [b"%d" % n for n in range(6)]


class QueueContract(PortsContract):
    """The promises of the port."""

    def test_nothing_is_there_at_first(self, ports: Ports) -> None:
        assert _take(ports, 10) == []
        assert ports.queue.depth() == 0
        assert not ports.queue.holds(payload_id(1))
        assert ports.queue.quarantined() == []

    def test_oldest_first(self, ports: Ports) -> None:
        _fill(ports)
        assert [one.body for one in _take(ports, 2)] == BODIES[:2]
        assert [one.body for one in _take(ports, 9)] == BODIES[2:]
        assert _take(ports, 9) == []
        assert ports.queue.depth() == len(BODIES)

    def test_waiting_tells_where_the_messages_of_an_id_stand(self, ports: Ports) -> None:
        ports.queue.put([Message(b"1", payload_id(1)), Message(b"2"), Message(b"3", payload_id(3))], AT)
        ports.queue.put([Message(b"4", payload_id(1))], AT + 1)
        _take(ports, 1)
        first, second = ports.queue.waiting(payload_id(1))
        assert (first.at, first.visible, first.attempts, first.ahead) == (AT, AT + LEASE, 1, 0)
        assert first.owner is not None
        assert (second.at, second.owner, second.attempts, second.ahead) == (AT + 1, None, 0, 3)
        assert ports.queue.waiting(payload_id(2)) == []

    def test_messages_are_any_bytes(self, ports: Ports) -> None:
        bodies = [b"", b"\x00\xff not JSON", b"x" * 5_000_000, b"same", b"same"]
        ports.queue.put([Message(body) for body in bodies], AT)
        assert [one.body for one in _take(ports, 9)] == bodies

    @pytest.mark.parametrize("limit", [0, -1])
    def test_take_of_none(self, ports: Ports, limit: int) -> None:
        _fill(ports)
        assert _take(ports, limit) == []

    def test_settled_message_is_gone(self, ports: Ports) -> None:
        _fill(ports)
        taken = _take(ports, 2)
        ports.queue.settle([one.receipt for one in taken])
        ports.queue.settle([taken[0].receipt])
        assert ports.queue.depth() == len(BODIES) - 2
        assert [one.body for one in _take(ports, 9, now=AT + LEASE)] == BODIES[2:]

    def test_lease_that_ends_gives_the_message_back(self, ports: Ports) -> None:
        _fill(ports)
        (first,) = _take(ports, 1)
        assert first.attempts == 1
        assert BODIES[0] not in [one.body for one in _take(ports, 9, now=AT + LEASE - 1, until=AT + LEASE)]
        again = _take(ports, 1, owner="other", now=AT + LEASE, until=AT + 2 * LEASE)
        assert [(one.body, one.attempts) for one in again] == [(BODIES[0], 2)]

    def test_released_message_is_there_at_once(self, ports: Ports) -> None:
        _fill(ports)
        taken = _take(ports, 3)
        ports.queue.release([one.receipt for one in taken[:2]])
        again = _take(ports, 9)
        assert [(one.body, one.attempts) for one in again[:2]] == [(BODIES[0], 2), (BODIES[1], 2)]
        assert BODIES[2] not in [one.body for one in again]

    def test_released_message_waits_until_it_is_visible(self, ports: Ports) -> None:
        _fill(ports)
        (first,) = _take(ports, 1)
        ports.queue.release([first.receipt], AT + 5)
        assert [one.body for one in _take(ports, 9, now=AT + 4)] == BODIES[1:]
        assert [one.body for one in _take(ports, 9, now=AT + 5)] == BODIES[:1]

    def test_release_of_what_is_gone_does_nothing(self, ports: Ports) -> None:
        _fill(ports)
        (first,) = _take(ports, 1)
        ports.queue.settle([first.receipt])
        ports.queue.release([first.receipt])
        assert ports.queue.depth() == len(BODIES) - 1

    def test_only_takes_messages_of_these_payloads(self, ports: Ports) -> None:
        _fill(ports)
        ports.queue.put([Message(b"nameless")], AT)
        wanted = {payload_id(4), payload_id(1), payload_id("absent")}
        assert [one.body for one in _take(ports, 1, only=wanted)] == [BODIES[1]]
        assert [one.body for one in _take(ports, 9, only=wanted)] == [BODIES[4]]
        assert _take(ports, 9, only=()) == []
        assert len(_take(ports, 9)) == len(BODIES) - 1

    def test_only_of_odd_ids(self, ports: Ports) -> None:
        ports.queue.put([Message(b"%d" % n, known) for n, known in enumerate(ODD_IDS)], AT)
        for n, known in enumerate(ODD_IDS):
            assert ports.queue.holds(known)
            assert [one.body for one in _take(ports, 99, only=[known])] == [b"%d" % n]

    def test_holds_while_a_message_waits_or_is_leased(self, ports: Ports) -> None:
        _fill(ports)
        assert ports.queue.holds(payload_id(0))
        (first,) = _take(ports, 1)
        assert ports.queue.holds(payload_id(0))
        ports.queue.settle([first.receipt])
        assert not ports.queue.holds(payload_id(0))
        assert not ports.queue.holds("scenes/workflow-w")

    def test_each_message_is_taken_by_one(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(6)]
        bodies = [b"%d" % n for n in range(120)]
        rivals[0].queue.put([Message(body) for body in bodies], AT)

        def drain(ports: Ports, owner: str) -> list[bytes]:
            found: list[bytes] = []
            while taken := _take(ports, 7, owner=owner):
                found += [one.body for one in taken]
                ports.queue.settle([one.receipt for one in taken[::2]])
            return found

        answers = at_once([partial(drain, one, f"o{n}") for n, one in enumerate(rivals)])
        assert sorted(body for answer in answers for body in answer) == sorted(bodies)

    def test_quarantine_keeps_settles_and_says_so(self, ports: Ports) -> None:
        ports.queue.put([Message(b"{oops")], AT)
        (taken,) = _take(ports, 1)
        said = event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED, error="no valid JSON")
        ports.queue.quarantine([Rejected(b"{oops", "name-1", "no valid JSON: 'ü'", said, taken.receipt)])
        assert ports.queue.quarantined() == [Kept("name-1", AT, "no valid JSON: 'ü'", b"{oops")]
        assert ports.queue.depth() == 0
        assert [one for _, one in ports.state_db.events()] == [said]
        assert ports.payloads.get(ports.payloads.url("cirrus/tmp/invalid/name-1.json")) == b"{oops"

    def test_quarantine_without_a_message(self, ports: Ports) -> None:
        _fill(ports)
        ports.queue.quarantine([Rejected(b"x", "name-1", "why", event(UNKNOWN))])
        assert ports.queue.depth() == len(BODIES)
        assert [kept.name for kept in ports.queue.quarantined()] == ["name-1"]

    def test_newest_in_quarantine_first(self, ports: Ports) -> None:
        for n in range(5):
            ports.queue.quarantine([Rejected(b"x", f"name-{n}", "why", event(UNKNOWN, at=AT + n))])
        assert [kept.name for kept in ports.queue.quarantined(3)] == ["name-4", "name-3", "name-2"]

    def test_group_that_raises_undoes_what_the_queue_did(self, ports: Ports) -> None:
        _fill(ports)
        (taken,) = _take(ports, 1)
        with pytest.raises(KeyError), ports.unit.group():  # noqa: PT012
            ports.queue.put([Message(b"new")], AT)
            ports.queue.settle([taken.receipt])
            ports.queue.quarantine([Rejected(b"x", "name-1", "why", event(UNKNOWN))])
            _take(ports, 9)
            raise KeyError
        assert ports.queue.depth() == len(BODIES)
        assert ports.queue.quarantined() == []
        assert ports.state_db.events() == []
        assert [(one.body, one.attempts) for one in _take(ports, 9)] == [(body, 1) for body in BODIES[1:]]


def _fill(ports: Ports) -> None:
    ports.queue.put([Message(body, payload_id(n)) for n, body in enumerate(BODIES)], AT)


def _take(
    ports: Ports,
    limit: int,
    *,
    owner: str = "o",
    now: int = AT,
    until: int | None = None,
    only: set[str] | list[str] | tuple[str, ...] | None = None,
) -> list[Taken]:
    return ports.queue.take(limit, owner=owner, now=now, until=until or now + LEASE, only=only)
