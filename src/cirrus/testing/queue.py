"""What every backend of the port Queue does: inherit `QueueContract` and give it a fixture `connect`."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from cirrus.core.event import UNKNOWN, EventType
from cirrus.core.throttle import Limit, Pause, Throttle, parse_rate
from cirrus.ports.queue import NONE, Kept, Message, Rejected, Taken
from cirrus.testing.builders import AT, ODD_IDS, begin, ending, event, payload_id
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

    def test_from_quarantine_to_the_queue_again(self, ports: Ports) -> None:
        ports.queue.quarantine([Rejected(b"{oops", "name-1", "why", event(UNKNOWN))])
        kept = ports.queue.kept("name-1")
        assert kept is not None
        assert kept.body == b"{oops"
        assert ports.queue.requeue(["name-1", "no-such"], AT + 1) == {"name-1"}
        assert ports.queue.kept("name-1") is None
        (taken,) = ports.queue.take(5, owner="o", now=AT + 2, until=AT + 3)
        assert taken.body == b"{oops"
        assert ports.queue.requeue(["name-1"], AT + 1) == set()

    def test_dropped_from_quarantine(self, ports: Ports) -> None:
        ports.queue.quarantine([Rejected(b"x", f"name-{n}", "why", event(UNKNOWN)) for n in range(3)])
        assert ports.queue.discard(["name-0", "name-2", "no-such"]) == {"name-0", "name-2"}
        assert [kept.name for kept in ports.queue.quarantined()] == ["name-1"]
        assert ports.queue.depth() == 0

    def test_newest_in_quarantine_first(self, ports: Ports) -> None:
        for n in range(5):
            ports.queue.quarantine([Rejected(b"x", f"name-{n}", "why", event(UNKNOWN, at=AT + n))])
        assert [kept.name for kept in ports.queue.quarantined(3)] == ["name-4", "name-3", "name-2"]

    # ---------------------------------------------------------------- whose turn it is

    def test_higher_priorities_first_whatever_came_before(self, ports: Ports) -> None:
        bodies = {b"low": -5, b"a": 0, b"b": 0, b"high": 9}
        ports.queue.put([Message(body, payload_id(body.decode()), priority) for body, priority in bodies.items()], AT)
        taken = _take(ports, 9)
        assert [one.body for one in taken] == [b"high", b"a", b"b", b"low"]
        assert [one.priority for one in taken] == [9, 0, 0, -5]

    def test_collections_take_turns(self, ports: Ports) -> None:
        _flood(ports, "flood", 50)
        _flood(ports, "other", 3)
        assert sorted(one.body[:5] for one in _take(ports, 4)) == [b"flood", b"flood", b"other", b"other"]
        assert [b"other" in one.body for one in _take(ports, 10)].count(True) == 1
        assert len(_take(ports, 99)) == 39

    def test_a_single_place_goes_round(self, ports: Ports) -> None:
        for name in ("a", "b", "c"):
            _flood(ports, name, 10)
        served = [_take(ports, 1)[0].body.partition(b"-")[0] for _ in range(6)]
        assert sorted(served) == [b"a", b"a", b"b", b"b", b"c", b"c"]
        assert served[:3] == served[3:]

    def test_workflows_of_collections_take_turns(self, ports: Ports) -> None:
        _flood(ports, "flood", 50, "w")
        _flood(ports, "flood", 2, "x")
        assert [b"-x-" in one.body for one in _take(ports, 6)].count(True) == 2

    def test_message_without_a_known_id_has_its_turn_too(self, ports: Ports) -> None:
        _flood(ports, "flood", 20)
        ports.queue.put([Message(b"nameless")], AT)
        taken = _take(ports, 5)
        assert [one.known for one in taken if one.body == b"nameless"] == [False]
        assert all(one.known for one in taken if one.body != b"nameless")

    def test_sorted_message_waits_under_its_id(self, ports: Ports) -> None:
        ports.queue.put([Message(b"nameless", priority=3)], AT)
        (taken,) = _take(ports, 1)
        ports.queue.sort({taken.receipt: payload_id("late"), "999": payload_id("gone")})
        assert ports.queue.holds(payload_id("late"))
        again = _take(ports, 9, only=[payload_id("late")])
        assert again == [Taken(taken.receipt, b"nameless", 2, 3, True)]
        assert ports.queue.depth() == 1

    def test_bodies_of_one_take_are_bounded(self, ports: Ports) -> None:
        ports.queue.put([Message(bytes([65 + n]) * 1000, payload_id(n)) for n in range(8)], AT)
        assert [len(ports.queue.take(9, owner="o", now=AT, until=AT + LEASE, size=n)) for n in (1, 2500, 3000)] == [
            1,
            3,
            3,
        ]

    # ---------------------------------------------------------------- limits

    def test_no_more_than_may_run(self, ports: Ports) -> None:
        _flood(ports, "a", 5)
        _flood(ports, "b", 5, "x")
        throttle = Throttle({"w": Limit(3)})
        begin(ports.state_db, payload_id("running", "w", "other"), owner="elsewhere")
        bodies = [one.body for one in _take(ports, 99, throttle=throttle)]
        assert sorted(bodies) == [b"a-w-0", b"a-w-1", *(b"b-x-%d" % n for n in range(5))]

    def test_room_is_there_once_an_execution_has_ended(self, ports: Ports) -> None:
        running = begin(ports.state_db, payload_id("running"), owner="o")
        _flood(ports, "scenes", 2)
        throttle = Throttle({"w": Limit(1)})
        assert _take(ports, 9, throttle=throttle) == []
        assert ports.queue.again(throttle, AT) is None
        assert ports.state_db.conclude([ending(running)]) == [True]
        assert [one.body for one in _take(ports, 9, throttle=throttle)] == [b"scenes-w-0"]

    def test_limits_by_collections(self, ports: Ports) -> None:
        for name in ("a", "b", "c/d"):
            _flood(ports, name, 9)
        throttle = Throttle(collections={"a": Limit(4), "*": Limit(2)})
        found = Counter(one.body.partition(b"-")[0] for one in _take(ports, 99, throttle=throttle))
        assert found == {b"a": 4, b"b": 2, b"c/d": 2}

    def test_only_heeds_limits(self, ports: Ports) -> None:
        begin(ports.state_db, payload_id("running"), owner="o")
        _fill(ports)
        assert _take(ports, 9, only=[payload_id(1)], throttle=Throttle({"w": Limit(1)})) == []
        assert len(_take(ports, 9, only=[payload_id(1)], throttle=Throttle({"w": Limit(2)}))) == 1

    def test_rate_holds_over_all_connections(self, connect: Connect) -> None:
        one, other = connect(), connect()
        _flood(one, "scenes", 40)
        throttle = Throttle({"w": Limit(rate=parse_rate("20/s"))})
        begun = [len(_spend(one, throttle, AT)), len(_spend(other, throttle, AT))]
        assert begun == [5, 0]
        again = other.queue.again(throttle, AT)
        assert again is not None
        assert AT < again <= AT + 50_000
        assert len(_spend(other, throttle, again)) == 1
        assert len(_spend(one, throttle, AT + 1_000_000)) == 5

    def test_what_does_not_begin_costs_no_rate(self, ports: Ports) -> None:
        _flood(ports, "scenes", 3)
        throttle = Throttle({"w": Limit(rate=parse_rate("1/s"))})
        for taken in (_take(ports, 9, throttle=throttle) for _ in range(3)):
            assert len(taken) == 1
            ports.queue.settle([one.receipt for one in taken])

    def test_again_when_a_message_comes_back(self, ports: Ports) -> None:
        assert ports.queue.again(Throttle(), AT) is None
        _fill(ports)
        (first,) = _take(ports, 1)
        ports.queue.release([first.receipt], AT + 7)
        assert ports.queue.again(Throttle(), AT) == AT + 7

    # ---------------------------------------------------------------- pauses

    @pytest.mark.parametrize(("kind", "name"), [("deployment", ""), ("workflow", "w"), ("collections", "scenes")])
    def test_paused_messages_wait_for_all_until_resumed(self, connect: Connect, kind: str, name: str) -> None:
        one, other = connect(), connect()
        _fill(one)
        assert one.queue.stirs()
        one.queue.pause(Pause(kind, name, AT, "why"))
        one.queue.pause(Pause(kind, name, AT + 1, "because"))
        assert other.queue.pauses() == [Pause(kind, name, AT + 1, "because")]
        assert _take(other, 9) == _take(other, 9, only=[payload_id(1)]) == []
        assert not other.queue.stirs()
        assert other.queue.depth() == len(BODIES)
        assert other.queue.resume(kind, name)
        assert not one.queue.resume(kind, name)
        assert one.queue.pauses() == []
        assert [found.body for found in _take(one, 9)] == BODIES

    @pytest.mark.parametrize(("kind", "name"), [("workflow", "w"), ("collections", "scenes")])
    def test_a_pause_holds_nothing_else(self, ports: Ports, kind: str, name: str) -> None:
        _fill(ports)
        _flood(ports, "other", 3, "x")
        ports.queue.pause(Pause(kind, name, AT))
        assert ports.queue.stirs()
        assert len(_take(ports, 99)) == 3
        assert ports.queue.stirs()

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


def _flood(ports: Ports, collections: str, number: int, workflow: str = "w") -> None:
    names = [f"{collections}-{workflow}-{n}" for n in range(number)]
    ports.queue.put([Message(name.encode(), payload_id(name, workflow, collections)) for name in names], AT)


def _spend(ports: Ports, throttle: Throttle, now: int) -> list[Taken]:
    taken = _take(ports, 99, now=now, throttle=throttle)
    ports.queue.spend([payload_id(one.body.decode()) for one in taken], throttle, now)
    ports.queue.settle([one.receipt for one in taken])
    return taken


def _take(
    ports: Ports,
    limit: int,
    *,
    owner: str = "o",
    now: int = AT,
    until: int | None = None,
    only: set[str] | list[str] | tuple[str, ...] | None = None,
    throttle: Throttle = NONE,
) -> list[Taken]:
    return ports.queue.take(limit, owner=owner, now=now, until=until or now + LEASE, only=only, throttle=throttle)
