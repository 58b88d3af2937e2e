from __future__ import annotations

import json
from functools import partial
from random import Random
from typing import Any, ClassVar

import pytest

from cirrus.adapters.aws.attention import Attention
from cirrus.adapters.aws.attributes import Said, Vocabulary
from cirrus.adapters.aws.campaigns import DynamoCampaigns
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.kept_events import KEPT, KeptEvents
from cirrus.adapters.aws.lifecycle import LifecycleRules
from cirrus.adapters.aws.outbox import QUEUE, DynamoOutbox
from cirrus.adapters.aws.sent import Sent
from cirrus.adapters.aws.state_db import DynamoStateDb
from cirrus.adapters.aws.tables import Tables
from cirrus.adapters.aws.topics import QueueTarget
from cirrus.adapters.aws.uses import ItemUses
from cirrus.adapters.memory.journal import MemoryJournal
from cirrus.adapters.memory.payloads import MemoryPayloads
from cirrus.adapters.memory.queue import MemoryQueue
from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import Arns
from cirrus.core.instant import from_iso
from cirrus.core.lease import Lease
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.ports.outbox import Attempted, Subscriptions
from cirrus.ports.queue import Message
from cirrus.ports.state_db import Query
from cirrus.testing.builders import AT, begin, ending, event, finish, payload_id
from cirrus.testing.campaigns import CampaignsContract
from cirrus.testing.events import EventsContract
from cirrus.testing.failures import FailuresContract
from cirrus.testing.items import ItemsContract
from cirrus.testing.outbox import OutboxContract
from cirrus.testing.pages import PagesContract, many_records
from cirrus.testing.ports import SUBSCRIPTIONS, Connect, Ports, PortsContract
from cirrus.testing.retention import RetentionContract
from cirrus.testing.state_db import StateDbContract

ARNS = Arns("arn:aws:states:eu-central-1:000000000000:stateMachine:cirrus-")
FAR = 10**18


class KeepingAtOnce(DynamoStateDb):
    """What functions do after each call, done before events are read."""

    def events(
        self, *, payload_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[tuple[int, WorkflowEvent]]:
        assert self._kept is not None
        while waiting := self._outbox.take(KEPT, 500, owner="t", now=FAR, lease=Lease(FAR, FAR)):
            assert self._kept.send(waiting) == {}
            self._outbox.settle("t", [Attempted(one.id, FAR) for one in waiting])
        return super().events(payload_id=payload_id, after=after, limit=limit)


class Dynamo(PortsContract):
    """Records and outbox on DynamoDB Local; queue and bodies in memory, since SQS and S3 have tests of their own."""

    own_engine = False
    groups = False
    keeps_sent = False
    keeps_events = False
    vocabulary: Vocabulary = Said()
    lineage = False
    indexed = False

    @pytest.fixture
    def own_tables(self, tables: tuple[Clients, str, str]) -> Any:
        return tables

    @pytest.fixture
    def connect(self, own_tables: tuple[Clients, str, str]) -> Connect:
        clients, state, sent = own_tables
        store = Store()
        Attention(clients, state, sent, on=True).declare(self.indexed)

        def connect() -> Ports:
            queue = MemoryQueue(store, MemoryStateDb(store))
            payloads = MemoryPayloads(store, "test", lambda: AT)
            reads = Tables(clients)
            ledger = Sent(reads, sent) if self.keeps_sent else None
            outbox = DynamoOutbox(reads, sent, payloads, state_table=state, grace=0, keep_all=True, sent=ledger)
            kept = KeptEvents(reads, sent, settled=-1) if self.keeps_events else None
            subscriptions = Subscriptions((KEPT,), SUBSCRIPTIONS.items) if kept else SUBSCRIPTIONS
            state_db = (KeepingAtOnce if kept else DynamoStateDb)(
                reads,
                state,
                outbox,
                payloads,
                queue,
                engine=None,
                arns=ARNS,
                chance=partial(Random().getrandbits, 63),
                subscriptions=subscriptions,
                kept=kept,
                vocabulary=self.vocabulary,
                attention=Attention(clients, state, sent, on=self.indexed),
                uses=ItemUses(reads, sent) if self.lineage else None,
            )
            return Ports(
                state_db=state_db,
                queue=queue,
                payloads=payloads,
                journal=MemoryJournal(store),
                outbox=outbox,
                retention=LifecycleRules(),
                campaigns=DynamoCampaigns(reads, sent, outbox, state),
                unit=store,
            )

        return connect

    def told(self, ports: Ports, payload_id: str | None = None) -> list[WorkflowEvent]:
        bodies = [
            json.loads(one.body)
            for one in ports.outbox.take("events", 10_000, owner="t", now=FAR, lease=Lease(FAR, FAR))
        ]
        found = [
            WorkflowEvent(EventType(body.pop("event_type")), at=from_iso(body.pop("isotimestamp")), **body)
            for body in bodies
        ]
        return [one for one in found if payload_id in {None, one.payload_id}]

    def forward(self, ports: Ports) -> None:
        target = QueueTarget(ports.queue, lambda: AT, ports.state_db.priorities)  # type: ignore[attr-defined]  # AWS alone
        target.send(ports.outbox.take(QUEUE, 10_000, owner="t", now=FAR, lease=Lease(FAR, FAR)))


class ReadsMany:
    """One table for all the tests that only read the same many records; `places` are that, and one for each other."""

    places = "shared_tables", "tables"
    kept: ClassVar[list[Record]]

    @pytest.fixture
    def own_tables(self, request: pytest.FixtureRequest) -> Any:
        only_reads = request.node.originalname == "test_pages_hold_what_the_query_asks_for"
        return request.getfixturevalue(self.places[0] if only_reads else self.places[1])

    @pytest.fixture
    def many(self, request: pytest.FixtureRequest, ports: Ports) -> list[Record]:
        if request.node.originalname != "test_pages_hold_what_the_query_asks_for":
            return many_records(ports)
        if not self.kept:
            self.kept.extend(many_records(ports))
        return self.kept


class TestStateDb(ReadsMany, Dynamo, StateDbContract):
    kept: ClassVar[list[Record]] = []

    def test_chain_keeps_the_priority(self, ports: Ports) -> None:
        """As for every home, but that a queue elsewhere knows no payload ids."""
        for number, priority in enumerate((-3, 0, 7)):
            running = begin(ports.state_db, payload_id(number), owner="o", priority=priority)
            assert ports.state_db.conclude([ending(running, next=(Message(b"%d" % number),))]) == [True]
        self.forward(ports)
        taken = ports.queue.take(9, owner="o", now=AT, until=AT + 1)
        assert [(one.body, one.priority) for one in taken] == [(b"2", 7), (b"1", 0), (b"0", -3)]


class TestKeptEvents(Dynamo, EventsContract):
    keeps_events = True

    def told(self, ports: Ports, payload_id: str | None = None) -> list[WorkflowEvent]:
        return [one for _, one in ports.state_db.events(payload_id=payload_id)]

    def test_events_of_many_sends_come_page_by_page(self, ports: Ports) -> None:
        """Each send of a function is a row; a page may end within one."""
        ids = [payload_id(n) for n in range(40)]
        for some in (ids[:25], ids[25:]):
            ports.state_db.note([event(known) for known in some])
            assert ports.state_db.events(limit=1)
        found = ports.state_db.events(limit=7)
        while more := ports.state_db.events(after=found[-1][0], limit=7):
            found += more
        assert [one.payload_id for _, one in found] == ids

    def test_events_go_with_their_payload(self, ports: Ports) -> None:
        record = finish(ports.state_db, payload_id("a"))
        ports.state_db.note([event(record.payload_id)])
        assert self.told(ports, record.payload_id)
        assert ports.state_db.forget([record.payload_id], AT) == [True]
        assert self.told(ports, record.payload_id) == []


class Indexed:
    """The same with the sparse index of what needs attention."""

    indexed = True

    @pytest.fixture
    def own_tables(self, indexed_tables: tuple[Clients, str, str]) -> tuple[Clients, str, str]:
        return indexed_tables


class TestPagesWithTheIndex(ReadsMany, Indexed, Dynamo, PagesContract):
    places = "shared_indexed_tables", "indexed_tables"
    kept: ClassVar[list[Record]] = []

    def test_index_counts_as_the_groups_do(self, ports: Ports, many: list[Record]) -> None:
        late = AT + 2_000_000
        for query in (
            Query(states=(State.FAILED,)),
            Query(states=(State.INVALID, State.ABORTED), since=late),
        ):
            found = ports.state_db.count(query)
            wanted = [one for one in many if one.state in query.states and one.updated >= (query.since or 0)]
            assert found.keys() == {parse(one.payload_id).collections_workflow for one in wanted}
            assert sum(n for states in found.values() for n in states.values()) == len(wanted)


class TestFailures(Dynamo, FailuresContract):
    pass


class TestFailuresWithTheIndex(Indexed, Dynamo, FailuresContract):
    pass


class TestOutbox(Dynamo, OutboxContract):
    pass


class TestOutboxThatKeepsWhatWasSent(Dynamo, OutboxContract):
    keeps_sent = True

    def test_what_was_sent_late_comes_in_its_place(self, ports: Ports) -> None:
        ids = [payload_id(n) for n in range(6)]
        ports.state_db.note([event(known) for known in ids])
        taken = ports.outbox.take("events", 9, owner="o", now=AT, lease=Lease(AT, AT + 1))
        for some in (taken[3:5], taken[:2], taken[5:], taken[2:3], taken[5:]):
            assert len(ports.outbox.take("events", 9, owner="o", now=AT, lease=Lease(AT, AT + 1))) == len(
                ports.outbox.entries(state="waiting")
            )
            ports.outbox.settle("o", [Attempted(one.id, AT) for one in some])
        found = ports.outbox.entries(limit=4)
        found += ports.outbox.entries(after=found[-1].id)
        assert [(one.payload_id, one.state) for one in found] == [(known, "sent") for known in ids]
        assert [one.payload_id for one in ports.outbox.entries(payload_id=ids[2], state="sent")] == [ids[2]]


class TestItems(Dynamo, ItemsContract):
    lineage = True


class TestCampaigns(Dynamo, CampaignsContract):
    pass


class TestForgetting(Dynamo, RetentionContract):
    """Only what is deleted on request: ages are kept by rules of the bucket and the log groups."""

    @pytest.fixture(autouse=True)
    def _only_forgetting(self, request: pytest.FixtureRequest) -> None:
        known = ("is_not_forgotten", "can_be_forgotten", "ever_used_twice", "found_no_more")
        if not request.node.originalname.endswith(known):
            pytest.skip("rules of the bucket and of the log groups remove what is past its time")

    def test_forgotten_record_is_found_no_more(self, ports: Ports) -> None:
        first, second = finish(ports.state_db, payload_id("a")), finish(ports.state_db, payload_id("b"))
        assert ports.state_db.forget([first.payload_id], AT + 9) == [True]
        for sort in ("updated", "state", "id"):
            assert ports.state_db.page(Query(sort=sort), 9).records == (second,)
        assert ports.state_db.count() == {"scenes_w": {State.COMPLETED: 1}}
        again = begin(ports.state_db, first.payload_id, AT + 10, execution_id="new")
        assert (again.created, again.executions) == (AT + 10, ("new",))
