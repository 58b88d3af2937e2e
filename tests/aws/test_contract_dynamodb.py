from __future__ import annotations

import json
from functools import partial
from random import Random
from typing import Any, ClassVar

import pytest

from cirrus.adapters.aws.attributes import Vocabulary
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.outbox import DynamoOutbox
from cirrus.adapters.aws.state_db import QUEUE, DynamoStateDb
from cirrus.adapters.aws.tables import Tables
from cirrus.adapters.memory.campaigns import MemoryCampaigns
from cirrus.adapters.memory.journal import MemoryJournal
from cirrus.adapters.memory.payloads import MemoryPayloads
from cirrus.adapters.memory.queue import MemoryQueue
from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store
from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import Arns
from cirrus.core.instant import from_iso
from cirrus.core.record import Record
from cirrus.ports.queue import Message
from cirrus.testing.builders import AT
from cirrus.testing.outbox import OutboxContract
from cirrus.testing.pages import many_records
from cirrus.testing.ports import SUBSCRIPTIONS, Connect, Ports, PortsContract
from cirrus.testing.state_db import StateDbContract

ARNS = Arns("arn:aws:states:eu-central-1:000000000000:stateMachine:cirrus-")
FAR = 10**18


class Dynamo(PortsContract):
    """Records and outbox on DynamoDB Local; queue and bodies in memory, since SQS and S3 have tests of their own."""

    own_engine = False
    groups = False
    keeps_sent = False
    vocabulary = Vocabulary()

    @pytest.fixture
    def own_tables(self, tables: tuple[Clients, str, str]) -> Any:
        return tables

    @pytest.fixture
    def connect(self, own_tables: tuple[Clients, str, str]) -> Connect:
        clients, state, sent = own_tables
        store = Store()

        def connect() -> Ports:
            queue = MemoryQueue(store, MemoryStateDb(store))
            payloads = MemoryPayloads(store, "test")
            reads = Tables(clients)
            outbox = DynamoOutbox(reads, sent, payloads, state_table=state, grace=0, keep_all=True)
            state_db = DynamoStateDb(
                reads,
                state,
                outbox,
                payloads,
                queue,
                engine=None,
                arns=ARNS,
                chance=partial(Random().getrandbits, 63),
                subscriptions=SUBSCRIPTIONS,
                vocabulary=self.vocabulary,
            )
            return Ports(state_db, queue, payloads, MemoryJournal(store), outbox, MemoryCampaigns(store), store)

        return connect

    def told(self, ports: Ports, payload_id: str | None = None) -> list[WorkflowEvent]:
        bodies = [json.loads(one.body) for one in ports.outbox.take("events", 10_000, owner="t", now=FAR, until=FAR)]
        found = [
            WorkflowEvent(EventType(body.pop("event_type")), at=from_iso(body.pop("isotimestamp")), **body)
            for body in bodies
        ]
        return [one for one in found if payload_id in {None, one.payload_id}]

    def forward(self, ports: Ports) -> None:
        for one in ports.outbox.take(QUEUE, 10_000, owner="t", now=FAR, until=FAR):
            ports.queue.put([Message(one.body)], AT)


class TestStateDb(Dynamo, StateDbContract):
    kept: ClassVar[list[Record]] = []

    @pytest.fixture
    def own_tables(self, request: pytest.FixtureRequest) -> Any:
        """One table for all the tests that only read the same many records."""
        only_reads = request.node.originalname == "test_pages_hold_what_the_query_asks_for"
        return request.getfixturevalue("shared_tables" if only_reads else "tables")

    @pytest.fixture
    def many(self, request: pytest.FixtureRequest, ports: Ports) -> list[Record]:
        if request.node.originalname != "test_pages_hold_what_the_query_asks_for":
            return many_records(ports)
        if not self.kept:
            self.kept.extend(many_records(ports))
        return self.kept


class TestOutbox(Dynamo, OutboxContract):
    pass
