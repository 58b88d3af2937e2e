"""What every backend of the port StateDb does: inherit `StateDbContract` and give it a fixture `connect`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest

from cirrus.core.event import EventType
from cirrus.core.lease import Lease
from cirrus.core.record import Record
from cirrus.core.state import ENDED, RUNNING, State
from cirrus.ports.query import Query
from cirrus.ports.queue import Message
from cirrus.ports.state_db import SLOT
from cirrus.testing.builders import AT, ODD_IDS, begin, claim, ending, event, finish, payload_id, starting
from cirrus.testing.events import EventsContract
from cirrus.testing.pages import PagesContract
from cirrus.testing.ports import Connect, Ports, at_once

P = payload_id("scene")
SECOND = 1_000_000
WRITERS = 8


class Broken(Exception):
    """Raised on purpose inside a group."""


class StateDbContract(PagesContract, EventsContract):
    """The promises of the port."""

    # ---------------------------------------------------------------- claims

    def test_nothing_is_there_at_first(self, ports: Ports) -> None:
        assert ports.state_db.get([P]) == {}
        assert ports.state_db.get([]) == {}
        assert not self.own_engine or ports.state_db.execution("e") is None
        assert ports.state_db.count() == {}
        assert self.told(ports) == []
        assert ports.state_db.page(Query(), 10).records == ()

    def test_claim_makes_a_record(self, ports: Ports) -> None:
        wanted = claim(P, execution_id="e1", events=(event(P),))
        assert ports.state_db.claim([wanted]) == [True]
        record = ports.state_db.get([P])[P]
        assert record == Record(P, State.CLAIMED, AT, AT, AT, ("e1",))
        assert self.told(ports) == [event(P)]
        if self.own_engine:
            execution = ports.state_db.execution("e1")
            assert execution is not None
            assert (execution.payload_id, execution.attempt, execution.status) == (P, 1, "RUNNING")
            assert (execution.input, execution.definition, execution.output) == (wanted.input, wanted.definition, None)

    def test_claim_with_an_owner_starts(self, ports: Ports) -> None:
        assert begin(ports.state_db, P, owner="o").state is State.PROCESSING
        assert not self.own_engine or ports.journal.running() == 1

    def test_claim_of_a_record_that_was_read_as_absent_is_refused(self, ports: Ports) -> None:
        begin(ports.state_db, P)
        before = ports.state_db.get([P])
        assert ports.state_db.claim([claim(P, execution_id="e2", events=(event(P),))]) == [False]
        assert ports.state_db.get([P]) == before
        assert not self.own_engine or ports.state_db.execution("e2") is None
        assert self.told(ports) == []

    @pytest.mark.parametrize("state", sorted(ENDED))
    def test_claim_after_an_end(self, ports: Ports, state: State) -> None:
        before = finish(ports.state_db, P, state, last_error="Bad: luck", outputs=("file:///a.json",))
        assert (before.state, before.last_error, before.outputs) == (state, "Bad: luck", ("file:///a.json",))
        assert ports.state_db.claim([claim(P, before, AT + 9)]) == [True]
        record = ports.state_db.get([P])[P]
        assert (record.state, record.last_error, record.outputs) == (State.CLAIMED, None, ())
        assert (record.created, record.updated, record.claimed_at) == (AT, AT + 9, AT + 9)
        assert record.executions[:-1] == before.executions
        assert len(record.executions) == 2
        if self.own_engine:
            execution = ports.state_db.execution(record.executions[-1])
            assert execution is not None
            assert execution.attempt == 2

    @pytest.mark.parametrize("owner", [None, "o"])
    def test_running_record_is_never_claimed(self, ports: Ports, owner: str | None) -> None:
        record = begin(ports.state_db, P, owner=owner)
        assert record.state in RUNNING
        assert ports.state_db.claim([claim(P, record, execution_id="e2")]) == [False]
        assert ports.state_db.get([P])[P] == record

    def test_claim_is_refused_where_the_record_has_moved_on(self, ports: Ports) -> None:
        read = finish(ports.state_db, P, State.FAILED)
        finish(ports.state_db, P, State.FAILED)
        assert ports.state_db.claim([claim(P, read)]) == [False]

    def test_claim_is_refused_where_the_state_has_changed(self, ports: Ports) -> None:
        read = finish(ports.state_db, P, State.FAILED)
        wrong = replace(read, state=State.COMPLETED)
        assert ports.state_db.claim([claim(P, wrong)]) == [False]

    def test_claim_of_a_record_that_is_not_there_is_refused(self, ports: Ports) -> None:
        ghost = Record(P, State.FAILED, AT, AT, AT, ("e1",))
        assert ports.state_db.claim([claim(P, ghost)]) == [False]
        assert ports.state_db.get([P]) == {}

    def test_each_claim_of_a_batch_stands_alone(self, ports: Ports) -> None:
        begin(ports.state_db, payload_id(1))
        wanted = [claim(payload_id(n)) for n in range(3)] + [claim(payload_id(2), execution_id="again")]
        assert ports.state_db.claim(wanted) == [True, False, True, False]
        assert len(ports.state_db.get([payload_id(n) for n in range(3)])) == 3

    def test_of_many_claims_at_once_exactly_one_wins(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(WRITERS)]
        ids = [payload_id(n) for n in range(20)]

        def rush(n: int) -> list[bool | None]:
            wanted = [claim(known, execution_id=f"{known}-{n}") for known in ids]
            return [granted for one in wanted for granted in rivals[n].state_db.claim([one])]

        answers = at_once([partial(rush, n) for n in range(WRITERS)])
        assert [sum(map(bool, column)) for column in zip(*answers, strict=True)] == [1] * len(ids)
        records = rivals[0].state_db.get(ids)
        for column, known in enumerate(ids):
            winner = next(n for n in range(WRITERS) if answers[n][column])
            assert records[known].executions == (f"{known}-{winner}",)

    def test_of_many_claims_of_an_ended_record_exactly_one_wins(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(WRITERS)]
        before = finish(rivals[0].state_db, P, State.FAILED)
        jobs: list[Callable[[], Sequence[bool | None]]] = [
            partial(one.state_db.claim, [claim(P, before, execution_id=f"e{n}")]) for n, one in enumerate(rivals)
        ]
        assert sum(bool(granted) for answer in at_once(jobs) for granted in answer) == 1
        assert len(rivals[0].state_db.get([P])[P].executions) == 2

    def test_claim_settles_its_message_only_if_granted(self, ports: Ports) -> None:
        ports.queue.put([Message(b"1", P), Message(b"2", P)], AT)
        first, second = ports.queue.take(2, owner="o", now=AT, until=AT + SECOND)
        assert ports.state_db.claim([claim(P, receipt=first.receipt)]) == [True]
        assert ports.queue.depth() == 1
        assert ports.state_db.claim([claim(P, receipt=second.receipt)]) == [False]
        assert ports.queue.depth() == 1

    # ---------------------------------------------------------------- starts

    def test_start(self, ports: Ports) -> None:
        record = begin(ports.state_db, P)
        happened = event(P, EventType.STARTED_PROCESSING)
        assert ports.state_db.start([starting(record, AT + 5, owner="o", events=(happened,))]) == [True]
        started = ports.state_db.get([P])[P]
        assert (started.state, started.updated, started.claimed_at) == (State.PROCESSING, AT + 5, AT)
        assert started.executions == record.executions
        assert self.told(ports) == [happened]
        assert not self.own_engine or ports.journal.running() == 1

    def test_start_is_granted_once(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(WRITERS)]
        record = begin(rivals[0].state_db, P)
        jobs = [partial(one.state_db.start, [starting(record, owner=f"o{n}")]) for n, one in enumerate(rivals)]
        assert sum(bool(granted) for answer in at_once(jobs) for granted in answer) == 1

    def test_start_is_refused_where_the_record_has_moved_on(self, ports: Ports) -> None:
        old = finish(ports.state_db, P, State.FAILED)
        assert ports.state_db.start([starting(old, events=(event(P),))]) == [False]
        record = begin(ports.state_db, P)
        assert ports.state_db.start([starting(old)]) == [False]
        assert ports.state_db.start([starting(record), starting(record)]) == [True, False]
        assert ports.state_db.start([replace(starting(record), payload_id=payload_id("other"))]) == [False]
        assert self.told(ports) == []

    # ---------------------------------------------------------------- ends

    @pytest.mark.parametrize("state", sorted(ENDED))
    @pytest.mark.parametrize("owner", [None, "o"])
    def test_conclude(self, ports: Ports, state: State, owner: str | None) -> None:
        record = begin(ports.state_db, P, owner=owner)
        happened = event(P, EventType.SUCCEEDED, AT + 7, output_payload_url="file:///o.json")
        end = ending(
            record,
            state,
            AT + 7,
            last_error="Name: message",
            error="Name",
            cause="message",
            outputs=("s3://b/1.json", "s3://b/2.json"),
            output_collections=("a", "b"),
            output=b'{"out":1}',
            events=(happened,),
        )
        assert ports.state_db.conclude([end]) == [True]
        ended = ports.state_db.get([P])[P]
        assert (ended.state, ended.updated, ended.created, ended.claimed_at) == (state, AT + 7, AT, AT)
        assert (ended.last_error, ended.outputs) == ("Name: message", ("s3://b/1.json", "s3://b/2.json"))
        assert ended.output_collections == ("a", "b")
        assert self.told(ports) == [happened]
        if self.own_engine:
            execution = ports.state_db.execution(record.executions[0])
            assert execution is not None
            assert (execution.stopped, execution.output) == (AT + 7, b'{"out":1}')
            assert (execution.error, execution.cause) == ("Name", "message")
            expected = {State.COMPLETED: "SUCCEEDED", State.ABORTED: "ABORTED"}.get(state, "FAILED")
            assert execution.status == expected
        assert not self.own_engine or ports.journal.running() == 0

    def test_late_end_of_an_earlier_execution_is_refused(self, ports: Ports) -> None:
        first = finish(ports.state_db, P, State.FAILED, last_error="first: failed")
        second = begin(ports.state_db, P, AT + 1, owner="o")
        late = ending(
            first, State.COMPLETED, AT + 2, events=(event(P),), next=(Message(b"{}"),), output=b"{}", published=True
        )
        assert ports.state_db.conclude([late]) == [False]
        assert ports.state_db.get([P])[P] == second
        assert ports.queue.depth() == 0
        assert ports.outbox.ledger() == []
        assert self.told(ports) == []

    def test_second_end_is_refused(self, ports: Ports) -> None:
        record = begin(ports.state_db, P, owner="o")
        again = ending(record, State.FAILED, AT + 1, next=(Message(b"{}"),))
        assert ports.state_db.conclude([ending(record), again]) == [True, False]
        assert ports.state_db.get([P])[P].state is State.COMPLETED
        assert ports.queue.depth() == 0

    def test_end_of_what_is_not_there_is_refused(self, ports: Ports) -> None:
        ghost = Record(P, State.PROCESSING, AT, AT, AT, ("e1",))
        assert ports.state_db.conclude([ending(ghost)]) == [False]
        assert ports.state_db.get([P]) == {}

    def test_of_many_ends_at_once_exactly_one_counts(self, connect: Connect) -> None:
        rivals = [connect() for _ in range(WRITERS)]
        record = begin(rivals[0].state_db, P, owner="o")
        jobs = [
            partial(one.state_db.conclude, [ending(record, next=(Message(b"%d" % n),), events=(event(P),))])
            for n, one in enumerate(rivals)
        ]
        assert sum(bool(granted) for answer in at_once(jobs) for granted in answer) == 1
        self.forward(rivals[0])
        assert rivals[0].queue.depth() == 1
        assert len(self.told(rivals[0])) == 1

    def test_end_queues_the_chain_and_the_outbox(self, ports: Ports) -> None:
        record = begin(ports.state_db, P, owner="o")
        end = ending(
            record,
            output=b'{"features":[]}',
            published=True,
            next=(Message(b"first"), Message(b"second")),
            events=(event(P),),
        )
        ports.state_db.conclude([end])
        self.forward(ports)
        taken = ports.queue.take(9, owner="o", now=AT, until=AT + SECOND)
        assert [message.body for message in taken] == [b"first", b"second"]
        items = ports.outbox.take("items", 9, owner="o", now=AT, lease=Lease(AT, AT + SECOND))
        assert [(one.kind, one.payload_id, one.body) for one in items] == [("items", P, b'{"features":[]}')]

    def test_chain_keeps_the_priority(self, ports: Ports) -> None:
        for number, priority in enumerate((-3, 0, 7)):
            running = begin(ports.state_db, payload_id(number), owner="o", priority=priority)
            after = Message(b"%d" % number, payload_id(number, "next"))
            assert ports.state_db.conclude([ending(running, next=(after,))]) == [True]
        assert ports.queue.holds(payload_id(0, "next"))
        taken = ports.queue.take(9, owner="o", now=AT, until=AT + 1)
        assert [(one.body, one.priority, one.known) for one in taken] == [
            (b"2", 7, True),
            (b"1", 0, True),
            (b"0", -3, True),
        ]

    def test_end_without_items_is_not_published(self, ports: Ports) -> None:
        ports.state_db.conclude([ending(begin(ports.state_db, P, owner="o"), output=b"{}")])
        assert ports.outbox.waiting("items") == (0, None)

    # ---------------------------------------------------------------- groups

    def test_group_that_raises_leaves_everything_as_it_was(self, ports: Ports) -> None:
        self.need_groups()
        ended = finish(ports.state_db, payload_id("ended"), State.FAILED)
        running = begin(ports.state_db, payload_id("running"), owner="o")
        claimed = begin(ports.state_db, payload_id("claimed"))
        ports.queue.put([Message(b"{}", P)], AT)
        (taken,) = ports.queue.take(1, owner="o", now=AT, until=AT)
        before = _everything(ports)
        with pytest.raises(Broken), ports.unit.group():  # noqa: PT012 - all of it must be undone
            assert ports.state_db.claim([claim(P, events=(event(P),), receipt=taken.receipt)]) == [True]
            assert ports.state_db.claim([claim(ended.payload_id, ended)]) == [True]
            assert ports.state_db.start([starting(claimed, owner="o")]) == [True]
            end = ending(
                running, output=b"{}", published=True, next=(Message(b"n"),), events=(event(running.payload_id),)
            )
            assert ports.state_db.conclude([end]) == [True]
            ports.journal.beat("someone", AT)
            raise Broken
        assert _everything(ports) == before
        assert ports.state_db.claim([claim(P)]) == [True]

    def test_group_is_seen_by_nobody_before_it_ends(self, connect: Connect) -> None:
        self.need_groups()
        ours, theirs = connect(), connect()
        with ours.unit.group():
            ours.state_db.claim([claim(P)])
            assert P in ours.state_db.get([P])
        assert P in theirs.state_db.get([P])

    def test_group_in_a_group_belongs_to_it(self, ports: Ports) -> None:
        self.need_groups()
        with pytest.raises(Broken), ports.unit.group():  # noqa: PT012
            with ports.unit.group():
                ports.state_db.claim([claim(P)])
            raise Broken
        assert ports.state_db.get([P]) == {}

    # ---------------------------------------------------------------- reading

    def test_get_of_thousands_of_ids(self, ports: Ports) -> None:
        ids = [payload_id(n) for n in range(2500)]
        with ports.unit.group():
            assert all(ports.state_db.claim([claim(known) for known in ids[::2]]))
        found = ports.state_db.get([*ids, *ids[:10]])
        assert found.keys() == set(ids[::2])
        assert all(known == record.payload_id and len(record.executions) == 1 for known, record in found.items())

    def test_odd_ids_are_kept_apart(self, ports: Ports) -> None:
        for n, known in enumerate(ODD_IDS):
            record = begin(ports.state_db, known, execution_id=f"e{n}", events=(event(known),))
            assert record.payload_id == known
        found = ports.state_db.get(ODD_IDS)
        assert {known: record.executions for known, record in found.items()} == {
            known: (f"e{n}",) for n, known in enumerate(ODD_IDS)
        }
        assert {record.payload_id for record in ports.state_db.page(Query(), 100).records} == set(ODD_IDS)
        assert [happened.payload_id for happened in self.told(ports)] == list(ODD_IDS)
        for n, known in enumerate(ODD_IDS if self.own_engine else ()):
            execution = ports.state_db.execution(f"e{n}")
            assert execution is not None
            assert execution.payload_id == known
            assert [happened.payload_id for happened in self.told(ports, known)] == [known]

    def test_bodies_of_any_size(self, ports: Ports) -> None:
        self.need_own_engine()
        big = b'{"a":"' + b"x" * 3_000_000 + b'"}'
        record = begin(ports.state_db, P, owner="o", input=big)
        ports.state_db.conclude([ending(record, output=big)])
        execution = ports.state_db.execution(record.executions[0])
        assert execution is not None
        assert (execution.input, execution.output) == (big, big)

    def test_count(self, ports: Ports) -> None:
        for n, state in enumerate([State.FAILED, State.FAILED, State.COMPLETED]):
            finish(ports.state_db, payload_id(n), state)
        begin(ports.state_db, payload_id(1, workflow="other"))
        counts = ports.state_db.count()
        assert counts == {"scenes_w": {State.FAILED: 2, State.COMPLETED: 1}, "scenes_other": {State.CLAIMED: 1}}
        only = Query(collections_workflow="scenes_other")
        assert ports.state_db.count(only) == {"scenes_other": {State.CLAIMED: 1}}
        assert ports.state_db.count(Query(collections_workflow="scenes")) == {}
        assert ports.state_db.count(Query(states=(State.FAILED,))) == {"scenes_w": {State.FAILED: 2}}
        assert ports.state_db.count(Query(item="[12]")) == {
            "scenes_w": {State.FAILED: 1, State.COMPLETED: 1},
            "scenes_other": {State.CLAIMED: 1},
        }
        assert ports.state_db.count(Query(since=AT + 1)) == {}

    def test_transitions_are_counted_by_slots(self, ports: Ports) -> None:
        self.need_own_engine()
        slot = AT - AT % SLOT
        begin(ports.state_db, payload_id(1), slot)
        for n in range(3):
            finish(ports.state_db, payload_id(2), State.FAILED, slot + SLOT + n)
        started = begin(ports.state_db, payload_id(3), slot + SLOT)
        ports.state_db.start([starting(started, slot + 2 * SLOT)])
        with pytest.raises(Broken), ports.unit.group():  # noqa: PT012
            begin(ports.state_db, payload_id(4), slot)
            raise Broken
        first, second = {State.CLAIMED: 1}, {State.CLAIMED: 4, State.PROCESSING: 3, State.FAILED: 3}
        third = {State.PROCESSING: 1}
        assert ports.state_db.transitions(slot, slot + 3 * SLOT) == {
            slot: first,
            slot + SLOT: second,
            slot + 2 * SLOT: third,
        }
        assert ports.state_db.transitions(slot + SLOT + 5, slot + 2 * SLOT) == {slot + SLOT: second}
        assert ports.state_db.transitions(0, slot) == {}

    # ---------------------------------------------------------------- messages

    def test_note_settles_messages(self, ports: Ports) -> None:
        ports.queue.put([Message(b"1"), Message(b"2")], AT)
        first, _ = ports.queue.take(2, owner="o", now=AT, until=AT + SECOND)
        ports.state_db.note([event(P)], [first.receipt])
        assert ports.queue.depth() == 1


def _everything(ports: Ports) -> list[object]:
    return [
        ports.state_db.page(Query(sort="id"), 1000),
        ports.state_db.events(),
        ports.state_db.count(),
        ports.queue.depth(),
        ports.queue.holds(P),
        ports.outbox.ledger(),
        ports.journal.running(),
    ]
