"""What every backend of Retention, and of forgetting in StateDb, does: inherit `RetentionContract`, give `connect`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cirrus.core.event import UNKNOWN, EventType
from cirrus.core.execution_id import next_execution_id
from cirrus.core.keys import input_key, oversized_key
from cirrus.core.lease import Lease
from cirrus.core.record import Record
from cirrus.core.state import ENDED, State
from cirrus.errors import NotFound
from cirrus.ports.journal import AttemptLog, Entry
from cirrus.ports.outbox import Attempted
from cirrus.ports.queue import Message, Rejected
from cirrus.ports.retention import Policy
from cirrus.ports.state_db import Query
from cirrus.testing.builders import AT, ODD_IDS, begin, claim, ending, event, finish, payload_id
from cirrus.testing.ports import Connect, Ports, PortsContract

A, B = payload_id("a"), payload_id("b")
DAY = 86_400_000_000
ALL = dict.fromkeys(sorted(ENDED), DAY)
EVERYTHING = Policy(histories=ALL, logs=ALL, records=ALL, events=DAY, deliveries=DAY, tmp=DAY, invalid=DAY)


class RetentionContract(PortsContract):
    """The promises of the port."""

    # ---------------------------------------------------------------- forgetting

    @pytest.mark.parametrize("known", ODD_IDS)
    def test_forgotten_record_is_gone_with_all_that_belongs_to_it(self, ports: Ports, known: str) -> None:
        record = _worked(ports, known)
        other = _worked(ports, B)
        execution_id = str(record.execution_id)
        assert ports.state_db.forget([known], AT + 9) == [True]
        assert ports.state_db.get([known, B]) == {B: other}
        assert ports.state_db.execution(execution_id) is None
        assert ports.journal.read(execution_id) == []
        assert ports.journal.logs(execution_id) == []
        assert {told.payload_id for _, told in ports.state_db.events()} == {B}
        assert ports.state_db.earlier([known, B]) == {known: (execution_id,)}
        with pytest.raises(NotFound):
            ports.payloads.get(ports.payloads.url(input_key("cirrus", known, execution_id)))
        assert ports.journal.read(str(other.execution_id))
        assert ports.state_db.count() == {"scenes_w": {State.COMPLETED: 1}}

    @pytest.mark.parametrize("owner", [None, "o"])
    def test_running_record_is_not_forgotten(self, ports: Ports, owner: str | None) -> None:
        record = begin(ports.state_db, A, owner=owner)
        assert ports.state_db.forget([A, B], AT) == [False, False]
        assert ports.state_db.get([A]) == {A: record}
        assert ports.state_db.earlier([A, B]) == {}

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_every_end_can_be_forgotten(self, ports: Ports, state: State) -> None:
        finish(ports.state_db, A, state)
        assert ports.state_db.forget([A], AT) == [True]
        assert ports.state_db.forget([A], AT) == [False]

    def test_no_execution_id_is_ever_used_twice(self, ports: Ports) -> None:
        used: list[str] = []
        for life in range(3):
            for _ in range(3):
                record = ports.state_db.get([A]).get(A)
                earlier = (*ports.state_db.earlier([A]).get(A, ()), *(record.executions if record else ()))
                assert earlier == tuple(used)
                new = next_execution_id(A, earlier)
                assert ports.state_db.claim([claim(A, record, execution_id=new, owner="o")]) == [True]
                ports.state_db.conclude([ending(ports.state_db.get([A])[A], State.FAILED, AT + life)])
                used.append(new)
            ports.state_db.forget([A], AT + life)
        assert len(set(used)) == 9
        assert ports.state_db.earlier([A]) == {A: tuple(used)}
        assert ports.state_db.earlier([]) == {}

    def test_group_that_raises_forgets_nothing(self, ports: Ports) -> None:
        record = _worked(ports, A)
        with pytest.raises(KeyError), ports.unit.group():  # noqa: PT012 - all of it must be undone
            ports.state_db.forget([A], AT)
            raise KeyError
        assert ports.state_db.get([A]) == {A: record}
        assert ports.state_db.earlier([A]) == {}

    # ---------------------------------------------------------------- ages

    def test_nothing_is_removed_without_a_policy(self, ports: Ports) -> None:
        record = _worked(ports, A)
        _expire(ports, Policy(), AT + 999 * DAY)
        assert ports.state_db.get([A]) == {A: record}
        assert ports.journal.read(str(record.execution_id))
        assert ports.state_db.events()

    def test_history_and_logs_go_and_the_record_stays(self, ports: Ports) -> None:
        record = _worked(ports, A)
        execution_id = str(record.execution_id)
        before = ports.state_db.execution(execution_id)
        _expire(ports, Policy(histories=ALL), AT + DAY)
        assert ports.journal.read(execution_id)
        _expire(ports, Policy(histories=ALL), AT + DAY + 1)
        assert ports.journal.read(execution_id) == []
        assert ports.journal.logs(execution_id)
        _expire(ports, Policy(logs=ALL), AT + DAY + 1)
        assert ports.journal.logs(execution_id) == []
        assert ports.state_db.get([A]) == {A: record}
        assert ports.state_db.execution(execution_id) == before

    def test_age_counts_from_the_last_change_and_by_state(self, ports: Ports) -> None:
        ages = {State.COMPLETED: DAY, State.FAILED: 3 * DAY}
        for n, state in enumerate(sorted(ENDED)):
            finish(ports.state_db, payload_id(f"{state}-old"), state, AT + n)
            finish(ports.state_db, payload_id(f"{state}-new", workflow="v"), state, AT + 2 * DAY)
        _expire(ports, Policy(records=ages), AT + 2 * DAY)
        left = {known.rpartition("/")[2] for known in _known(ports)}
        assert left == {f"{state}-{age}" for state in ENDED for age in ("old", "new")} - {"COMPLETED-old"}
        _expire(ports, Policy(records=ages), AT + 9 * DAY)
        left = {known.rpartition("/")[2].partition("-")[0] for known in _known(ports)}
        assert left == {"ABORTED", "INVALID"}

    def test_record_that_expires_leaves_a_tombstone(self, ports: Ports) -> None:
        record = _worked(ports, A)
        _expire(ports, Policy(records=ALL), AT + 2 * DAY)
        assert ports.state_db.get([A]) == {}
        assert ports.state_db.earlier([A]) == {A: record.executions}

    def test_what_runs_is_never_touched(self, ports: Ports) -> None:
        finish(ports.state_db, A)
        record = begin(ports.state_db, A, AT + 1, owner="o")
        waits = begin(ports.state_db, B, AT)
        ports.journal.append("o", [Entry(str(record.execution_id), 0, b"{}", b"[1]")])
        held = ports.payloads.put(oversized_key("cirrus", "x"), b"{}")
        _expire(ports, replace(EVERYTHING, events=None), AT + 999 * DAY)
        assert ports.state_db.get([A, B]) == {A: record, B: waits}
        assert ports.journal.read(str(record.execution_id))[0].body == b"[1]"
        assert ports.payloads.get(held) == b"{}"

    def test_records_run_again_keep_their_new_history(self, ports: Ports) -> None:
        _worked(ports, A)
        _expire(ports, Policy(histories=ALL), AT + 2 * DAY)
        again = _worked(ports, A, AT + 3 * DAY)
        _expire(ports, Policy(histories=ALL), AT + 3 * DAY + 5)
        assert ports.journal.read(str(again.execution_id))
        _expire(ports, Policy(histories=ALL), AT + 5 * DAY)
        assert ports.journal.read(str(again.execution_id)) == []

    def test_events_go_and_keep_their_numbers(self, ports: Ports) -> None:
        ports.state_db.note([event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED, AT + n * DAY) for n in range(5)])
        before = ports.state_db.events()
        _expire(ports, Policy(events=2 * DAY), AT + 4 * DAY)
        assert ports.state_db.events() == before[2:]
        ports.state_db.note([event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED, AT + 5 * DAY)])
        assert ports.state_db.events()[-1][0] == before[-1][0] + 1

    def test_deliveries_go_once_they_are_sent(self, ports: Ports) -> None:
        ports.state_db.note([event(A), event(B), event(payload_id("c"))])
        sent, parked, waiting = ports.outbox.take("events", 9, owner="o", now=AT, lease=Lease(AT, AT + DAY))
        ports.outbox.settle("o", [Attempted(sent.id, AT), Attempted(parked.id, AT, "gone")])
        _expire(ports, EVERYTHING, AT + DAY)
        assert len(ports.outbox.entries()) == 3
        _expire(ports, EVERYTHING, AT + 2 * DAY)
        assert [one.id for one in ports.outbox.entries()] == [parked.id, waiting.id]

    def test_temporary_payloads_go_unless_something_may_need_them(self, ports: Ports) -> None:
        old = ports.payloads.put(oversized_key("cirrus", "old"), b'{"old":1}')
        ports.queue.put([Message(b'{"url":"x"}')], AT)
        _expire(ports, Policy(tmp=DAY), AT + 9 * DAY)
        assert ports.payloads.get(old) == b'{"old":1}'
        (message,) = ports.queue.take(1, owner="o", now=AT, until=AT)
        ports.queue.settle([message.receipt])
        _expire(ports, Policy(tmp=DAY), AT + 9 * DAY)
        with pytest.raises(NotFound):
            ports.payloads.get(old)

    def test_quarantine_goes(self, ports: Ports) -> None:
        bad = event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED)
        ports.queue.quarantine([Rejected(b"x", "one", "no JSON", bad)])
        ports.queue.quarantine([Rejected(b"x", "two", "no JSON", replace(bad, at=AT + 5))])
        _expire(ports, Policy(invalid=DAY), AT + DAY + 3)
        assert [kept.name for kept in ports.queue.quarantined()] == ["two"]

    def test_steps_are_small_and_can_be_left(self, ports: Ports) -> None:
        for n in range(7):
            finish(ports.state_db, payload_id(n))
        steps = ports.retention.expire(Policy(records=ALL), AT + 2 * DAY, 1000)
        next(steps)
        _expire(ports, Policy(records=ALL), AT + 2 * DAY)
        assert _known(ports) == []

    # ---------------------------------------------------------------- bodies

    def test_sweep_keeps_every_body_that_is_named(self, ports: Ports) -> None:
        record = _worked(ports, A)
        _worked(ports, B)
        named = ports.payloads.put(oversized_key("cirrus", "x"), b'{"named":1}')
        ports.queue.put([Message(b'{"queued":1}')], AT)
        ports.queue.quarantine([Rejected(b"bad", "bad", "no JSON", event(UNKNOWN, EventType.RECORD_EXTRACT_FAILED))])
        ports.state_db.forget([B], AT)
        execution = ports.state_db.execution(str(record.execution_id))
        history = ports.journal.read(str(record.execution_id))
        waiting = ports.outbox.take("events", 99, owner="o", now=AT + DAY, lease=Lease(AT + DAY, AT + DAY))
        _sweep(ports)
        assert ports.state_db.execution(str(record.execution_id)) == execution
        assert ports.journal.read(str(record.execution_id)) == history
        assert ports.payloads.get(named) == b'{"named":1}'
        assert ports.queue.quarantined()[0].body == b"bad"
        assert ports.outbox.take("events", 99, owner="o", now=AT + DAY, lease=Lease(AT + DAY, AT + DAY)) == waiting
        (message,) = ports.queue.take(1, owner="o", now=AT + DAY, until=AT + DAY)
        assert message.body == b'{"queued":1}'

    def test_body_that_was_swept_can_be_stored_again(self, connect: Connect) -> None:
        ports, other = connect(), connect()
        for n in range(3):
            record = _worked(other, A)
            assert ports.state_db.forget([A], AT) == [True]
            _sweep(ports, 9 + n)
            again = _worked(other, B)
            execution = ports.state_db.execution(str(again.execution_id))
            assert execution is not None
            assert (execution.input, execution.output) == (b'{"id":"in"}', b'{"out":1}')
            assert record.execution_id != again.execution_id
            ports.state_db.forget([B], AT)

    # ---------------------------------------------------------------- the right to it

    def test_one_at_a_time_has_the_right(self, ports: Ports) -> None:
        assert ports.retention.hold("o", Lease(AT, AT + DAY))
        assert ports.retention.hold("o", Lease(AT, AT + DAY))
        assert not ports.retention.hold("other", Lease(AT + DAY - 1, AT + DAY))
        ports.retention.release("other")
        assert not ports.retention.hold("other", Lease(AT, AT + DAY))
        ports.retention.release("o")
        assert ports.retention.hold("other", Lease(AT, AT + DAY))

    def test_right_ends_with_its_time_and_with_its_owner(self, ports: Ports) -> None:
        ports.retention.hold("o", Lease(AT, AT + DAY))
        assert ports.retention.hold("late", Lease(AT + DAY, AT + 2 * DAY))
        ports.journal.retire("late")
        ports.journal.beat("dying", AT + 10)
        assert ports.retention.hold("dying", Lease(AT, AT + DAY))
        assert ports.retention.hold("next", Lease(AT + 10, AT + DAY))


def _worked(ports: Ports, known: str, at: int = AT) -> Record:
    """A record that has run, with a history and a log."""
    record = ports.state_db.get([known]).get(known)
    earlier = (*ports.state_db.earlier([known]).get(known, ()), *(record.executions if record else ()))
    new = next_execution_id(known, earlier)
    started = event(known, EventType.STARTED_PROCESSING, at)
    assert ports.state_db.claim([claim(known, record, at, execution_id=new, owner="o", events=(started,))]) == [True]
    assert ports.journal.append("o", [Entry(new, 0, b"{}", b'{"step":1}'), Entry(new, 1, b"{}")]) == set()
    ports.journal.log([AttemptLog(new, 1, "S", "t", 1, at, at, None, b"hello")])
    record = ports.state_db.get([known])[known]
    assert ports.state_db.conclude([ending(record, at=at, output=b'{"out":1}')]) == [True]
    return ports.state_db.get([known])[known]


def _known(ports: Ports) -> list[str]:
    return [one.payload_id for one in ports.state_db.page(Query(), 1000).records]


def _expire(ports: Ports, policy: Policy, now: int) -> None:
    assert all(step > 0 for step in ports.retention.expire(policy, now, 2))


def _sweep(ports: Ports, day: int = 9) -> None:
    for _ in ports.retention.sweep(AT + day * DAY, 2):
        pass
