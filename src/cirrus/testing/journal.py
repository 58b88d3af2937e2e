"""What every backend of the port Journal does: inherit `JournalContract` and give it a fixture `connect`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.core.throttle import Limit, parse_rate
from cirrus.errors import StoreError
from cirrus.ports.journal import AttemptLog, Entry, Holder
from cirrus.ports.queue import Message
from cirrus.testing.builders import AT, begin, ending, finish, payload_id, starting
from cirrus.testing.ports import Connect, Ports, PortsContract, at_once

LEASE = 30_000_000
LOG = AttemptLog("e", 7, "Make COGs", "to-cog", 1, AT, AT + 5, None, b"said \xff\n")


class JournalContract(PortsContract):
    """The promises of the port."""

    # ---------------------------------------------------------------- limited tasks

    def test_all_owners_together_stay_within_a_limit(self, connect: Connect) -> None:
        one, other = connect(), connect()
        for name, ports in (("one", one), ("other", other)):
            ports.journal.beat(name, AT + LEASE)
        assert one.journal.reserve("one", "t", 0, 2, Limit(3), AT) == (2, None)
        assert other.journal.reserve("other", "t", 0, 5, Limit(3), AT) == (1, None)
        assert one.journal.reserve("one", "u", 0, 5, Limit(3), AT) == (3, None)
        assert one.journal.reserve("one", "t", 2, 1, Limit(3), AT) == (0, None)
        assert one.journal.reserve("one", "t", 0, 0, Limit(3), AT) == (0, None)
        assert other.journal.reserve("other", "t", 1, 4, Limit(3), AT) == (2, None)

    def test_owner_that_has_always_more_to_do_lets_others_in(self, connect: Connect) -> None:
        one, other = connect(), connect()
        for name, ports in (("one", one), ("other", other)):
            ports.journal.beat(name, AT + LEASE)
        assert one.journal.reserve("one", "t", 0, 50, Limit(4), AT) == (4, None)
        assert other.journal.reserve("other", "t", 0, 50, Limit(4), AT) == (0, None)
        assert one.journal.reserve("one", "t", 3, 46, Limit(4), AT) == (0, None)
        assert other.journal.reserve("other", "t", 0, 50, Limit(4), AT) == (1, None)

    def test_places_of_an_owner_that_is_gone_are_free(self, ports: Ports) -> None:
        ports.journal.beat("dead", AT + 5)
        ports.journal.beat("o", AT + LEASE)
        assert ports.journal.reserve("dead", "t", 0, 2, Limit(2), AT) == (2, None)
        assert ports.journal.reserve("o", "t", 0, 2, Limit(2), AT) == (0, None)
        assert ports.journal.reserve("o", "t", 0, 2, Limit(2), AT + 5) == (2, None)
        assert ports.journal.reserve("o", "t", 0, 0, Limit(2), AT + 5) == (0, None)
        ports.journal.beat("dead", AT + LEASE)
        ports.journal.retire("dead")
        assert ports.journal.reserve("o", "t", 0, 2, Limit(2), AT) == (2, None)

    def test_attempts_start_no_more_often_than_the_rate(self, connect: Connect) -> None:
        one, other = connect(), connect()
        limit = Limit(9, parse_rate("2/s"))
        assert one.journal.reserve("one", "t", 0, 3, limit, AT) == (1, AT + 500_000)
        assert other.journal.reserve("other", "t", 0, 3, limit, AT + 1) == (0, AT + 500_000)
        assert other.journal.reserve("other", "t", 0, 3, limit, AT + 500_000) == (1, AT + 1_000_000)
        assert one.journal.reserve("one", "t", 1, 0, limit, AT + 600_000) == (0, None)

    def test_inputs_taken_over_at_once_are_bounded(self, ports: Ports) -> None:
        for number in range(3):
            begin(ports.state_db, payload_id(number), owner="dead", input=bytes([65 + number]) * 1000)
        found = [len(ports.journal.adopt("o", AT, 9, size=size)) for size in (1500, 1, 1)]
        assert found == [2, 1, 0]

    def test_nothing_is_there_at_first(self, ports: Ports) -> None:
        assert ports.journal.read("e") == []
        assert ports.journal.logs("e") == []
        assert ports.journal.running() == 0
        assert ports.journal.adopt("o", AT, 10) == []
        assert ports.journal.cancelled("o") == []
        assert ports.journal.append("o", []) == set()

    def test_entries_are_read_in_order(self, ports: Ports) -> None:
        first, second = _run(ports, "1"), _run(ports, "2")
        entries = [Entry(first, n, b'{"n":%d}' % n, b"body" if n % 2 else None) for n in range(30)]
        assert ports.journal.append("o", [*entries[:10], Entry(second, 0, b"{}")]) == set()
        assert ports.journal.append("o", entries[10:]) == set()
        assert ports.journal.read(first) == entries
        assert ports.journal.read(second) == [Entry(second, 0, b"{}")]

    def test_the_state_that_failed_last(self, ports: Ports) -> None:
        known = _run(ports, "1")
        assert ports.journal.last_failed(known) is None
        logs = [replace(LOG, execution_id=known, ref=n, state=f"s{n}", started=AT + n) for n in range(3)]
        ports.journal.log([logs[0], replace(logs[1], error="KeyError"), logs[2]])
        assert ports.journal.last_failed(known) == "s1"

    def test_same_number_twice_is_an_error_and_changes_nothing(self, ports: Ports) -> None:
        known = _run(ports, "1")
        ports.journal.append("o", [Entry(known, 0, b"first")])
        with pytest.raises(StoreError):
            ports.journal.append("o", [Entry(known, 1, b"more"), Entry(known, 0, b"other")])
        assert ports.journal.read(known) == [Entry(known, 0, b"first")]

    def test_holder_of_an_execution(self, ports: Ports) -> None:
        known = _run(ports, "1")
        assert ports.journal.holder(known) == Holder("o", None)
        ports.journal.beat("o", AT + LEASE, "pid 7 on ana")
        assert ports.journal.holder(known) == Holder("o", AT + LEASE, "pid 7 on ana")
        assert ports.journal.holder("ghost") is None
        ended = finish(ports.state_db, payload_id("2"))
        assert ended.execution_id is not None
        assert ports.journal.holder(ended.execution_id) is None

    def test_append_is_refused_to_all_but_the_owner(self, ports: Ports) -> None:
        ours, theirs = _run(ports, "1"), _run(ports, "2", owner="other")
        wanted = [Entry(ours, 0, b"{}"), Entry(theirs, 0, b"{}"), Entry("ghost", 0, b"{}")]
        assert ports.journal.append("o", wanted) == {theirs, "ghost"}
        assert len(ports.journal.read(ours)) == 1
        assert ports.journal.read(theirs) == []

    def test_append_is_refused_before_the_start_and_after_the_end(self, ports: Ports) -> None:
        record = begin(ports.state_db, payload_id("1"))
        (known,) = record.executions
        assert ports.journal.append("o", [Entry(known, 0, b"{}")]) == {known}
        ports.state_db.start([starting(record, owner="o")])
        assert ports.journal.append("o", [Entry(known, 0, b"{}")]) == set()
        ports.state_db.conclude([ending(record)])
        assert ports.journal.append("o", [Entry(known, 1, b"{}")]) == {known}
        assert len(ports.journal.read(known)) == 1

    # ---------------------------------------------------------------- owners

    def test_living_owner_keeps_its_executions(self, ports: Ports) -> None:
        ports.journal.beat("o", AT + LEASE, "pid 1")
        _run(ports, "1")
        assert ports.journal.adopt("other", AT + LEASE - 1, 10) == []
        assert ports.journal.adopt("o", AT + 9 * LEASE, 10) == []

    def test_executions_of_a_dead_owner_are_taken_over(self, ports: Ports) -> None:
        ports.journal.beat("o", AT + LEASE)
        ports.journal.beat("other", AT + 9 * LEASE)
        known = [_run(ports, str(n)) for n in range(5)]
        ports.journal.append("o", [Entry(known[0], 0, b"{}")])
        first = ports.journal.adopt("other", AT + LEASE, 2)
        rest = ports.journal.adopt("other", AT + LEASE, 10)
        assert sorted(one.execution_id for one in first + rest) == sorted(known)
        assert len(first) == 2
        assert first[0].input == b'{"id":"in"}'
        assert first[0].definition == b'{"StartAt":"A"}'
        assert ports.journal.adopt("other", AT + LEASE, 10) == []
        assert ports.journal.append("o", [Entry(known[0], 1, b"late")]) == {known[0]}
        assert ports.journal.append("other", [Entry(known[0], 1, b"{}")]) == set()
        assert ports.journal.running() == 5

    def test_owner_that_beats_again_lives(self, ports: Ports) -> None:
        ports.journal.beat("o", AT)
        ports.journal.beat("o", AT + LEASE)
        _run(ports, "1")
        assert ports.journal.adopt("other", AT + 1, 10) == []

    def test_lease_from_before_the_clock_was_set_back_has_ended(self, ports: Ports) -> None:
        ports.journal.beat("o", AT + 3600_000_000 + LEASE)
        ports.journal.beat("other", AT + LEASE)
        known = _run(ports, "1")
        assert [one.execution_id for one in ports.journal.adopt("other", AT, 10)] == [known]
        ports.journal.beat("o", AT + LEASE + LEASE // 2)
        assert ports.journal.adopt("o", AT, 10) == []

    def test_an_owner_is_told_what_it_holds(self, ports: Ports) -> None:
        mine, _ = _run(ports, "1"), _run(ports, "2", owner="other")
        record = begin(ports.state_db, payload_id("ended"), owner="o")
        ports.state_db.conclude([ending(record)])
        assert ports.journal.held("o") == {mine}
        assert ports.journal.held("nobody") == set()

    def test_retired_owner_is_taken_over_at_once(self, ports: Ports) -> None:
        ports.journal.beat("o", AT + LEASE)
        known = _run(ports, "1")
        ports.queue.put([Message(b"1")], AT)
        ports.queue.take(1, owner="o", now=AT, until=AT + LEASE)
        ports.journal.retire("o")
        assert [one.execution_id for one in ports.journal.adopt("other", AT, 10)] == [known]
        assert len(ports.queue.take(1, owner="other", now=AT, until=AT + LEASE)) == 1

    def test_retiring_gives_nothing_of_others_away(self, ports: Ports) -> None:
        ports.journal.beat("o", AT + LEASE)
        _run(ports, "1")
        ports.queue.put([Message(b"1")], AT)
        ports.queue.take(1, owner="o", now=AT, until=AT + LEASE)
        ports.journal.retire("other")
        assert ports.journal.adopt("third", AT, 10) == []
        assert ports.queue.take(1, owner="third", now=AT, until=AT + LEASE) == []

    def test_what_is_claimed_or_has_ended_is_not_taken_over(self, ports: Ports) -> None:
        begin(ports.state_db, payload_id("claimed"))
        record = begin(ports.state_db, payload_id("ended"), owner="o")
        ports.state_db.conclude([ending(record)])
        assert ports.journal.adopt("other", AT + LEASE, 10) == []
        assert ports.journal.running() == 0

    def test_of_many_that_adopt_at_once_one_gets_each(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(6)]
        known = [_run(rivals[0], str(n)) for n in range(30)]
        for n in range(6):
            rivals[0].journal.beat(f"o{n}", AT + LEASE)
        answers = at_once([partial(one.journal.adopt, f"o{n}", AT, 10) for n, one in enumerate(rivals)])
        assert sorted(one.execution_id for answer in answers for one in answer) == sorted(known)

    def test_aborted_execution_is_told_to_its_owner_once(self, ports: Ports) -> None:
        records = [begin(ports.state_db, payload_id(n), owner="o") for n in range(3)]
        ports.state_db.conclude([ending(record, State.ABORTED) for record in records[:2]])
        assert ports.journal.cancelled("other") == []
        found = ports.journal.cancelled("o")
        assert sorted(found) == sorted(record.executions[0] for record in records[:2])
        assert ports.journal.cancelled("o") == []

    def test_only_executions_of_named_payloads_are_taken_over(self, ports: Ports) -> None:
        known = [_run(ports, name) for name in ("1", "2")]
        assert ports.journal.adopt("new", AT + LEASE, 9, only=[]) == []
        first = ports.state_db.execution(known[0])
        assert first is not None
        found = ports.journal.adopt("new", AT + LEASE, 9, only=[first.payload_id])
        assert [one.execution_id for one in found] == [known[0]]

    # ---------------------------------------------------------------- logs

    def test_logs_are_kept(self, ports: Ports) -> None:
        known = _run(ports, "1")
        logs = [
            replace(LOG, execution_id=known, ref=n, attempt=n, started=AT - n, error="Bad" if n else None)
            for n in range(1, 4)
        ]
        ports.journal.log(logs)
        assert ports.journal.logs(known) == logs[::-1]

    def test_log_of_a_running_attempt_is_added_to_and_in_the_end_replaced(self, ports: Ports) -> None:
        known = _run(ports, "1")
        running = replace(LOG, execution_id=known, ended=None)
        ports.journal.log([replace(running, text=b"one\n")])
        ports.journal.log([replace(running, text=b"two\n")])
        assert ports.journal.logs(known) == [replace(running, text=b"one\ntwo\n")]
        whole = replace(LOG, execution_id=known, text=b"one\ntwo\nthree\n", error="Bad")
        ports.journal.log([whole])
        assert ports.journal.logs(known) == [whole]

    def test_log_of_a_running_attempt_is_bounded(self, ports: Ports) -> None:
        known = _run(ports, "1")
        for _ in range(5):
            ports.journal.log([replace(LOG, execution_id=known, ended=None, text=b"line\n" * 100_000)])
        (kept,) = ports.journal.logs(known)
        assert len(kept.text) < 1_100_000
        assert kept.text.startswith(b"line\n")
        assert kept.text.endswith(b"line\n")

    def test_log_of_no_execution_does_no_harm(self, ports: Ports) -> None:
        ports.journal.log([replace(LOG, execution_id="ghost")])
        assert ports.journal.logs("ghost") == []

    def test_megabytes_of_log(self, ports: Ports) -> None:
        known = _run(ports, "1")
        ports.journal.log([replace(LOG, execution_id=known, text=b"line\n" * 1_000_000)])
        assert len(ports.journal.logs(known)[0].text) == 5_000_000

    def test_group_that_raises_undoes_what_the_journal_did(self, ports: Ports) -> None:
        known = _run(ports, "1")
        with pytest.raises(KeyError), ports.unit.group():  # noqa: PT012 - all of it must be undone
            ports.journal.append("o", [Entry(known, 0, b"{}")])
            ports.journal.log([replace(LOG, execution_id=known)])
            ports.journal.adopt("other", AT + LEASE, 10)
            raise KeyError
        assert ports.journal.read(known) == []
        assert ports.journal.logs(known) == []
        assert ports.journal.append("o", [Entry(known, 0, b"{}")]) == set()


def _run(ports: Ports, name: str, owner: str = "o") -> str:
    """A running execution's id."""
    record: Record = begin(ports.state_db, payload_id(name), owner=owner)
    return record.executions[0]
