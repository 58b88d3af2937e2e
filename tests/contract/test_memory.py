from __future__ import annotations

from itertools import count

import pytest

from cirrus.adapters.memory.campaigns import MemoryCampaigns
from cirrus.adapters.memory.journal import MemoryJournal
from cirrus.adapters.memory.outbox import MemoryOutbox
from cirrus.adapters.memory.payloads import MemoryPayloads
from cirrus.adapters.memory.queue import MemoryQueue
from cirrus.adapters.memory.retention import MemoryRetention
from cirrus.adapters.memory.state_db import MemoryStateDb
from cirrus.adapters.memory.store import Store
from cirrus.testing.builders import AT
from cirrus.testing.campaigns import CampaignsContract
from cirrus.testing.failures import FailuresContract
from cirrus.testing.items import ItemsContract
from cirrus.testing.journal import JournalContract
from cirrus.testing.outbox import OutboxContract
from cirrus.testing.payloads import HistoryContract, PayloadsContract
from cirrus.testing.ports import SUBSCRIPTIONS, Connect, Ports, PortsContract
from cirrus.testing.queue import QueueContract
from cirrus.testing.retention import RetentionContract
from cirrus.testing.state_db import StateDbContract


class Memory(PortsContract):
    @pytest.fixture
    def connect(self) -> Connect:
        store = Store()
        ticks = count()

        def connect() -> Ports:
            state_db = MemoryStateDb(store, SUBSCRIPTIONS)
            queue = MemoryQueue(store, state_db)
            return Ports(
                state_db=state_db,
                queue=queue,
                payloads=MemoryPayloads(store, "test", lambda: AT + next(ticks)),
                journal=MemoryJournal(store),
                outbox=MemoryOutbox(store),
                retention=MemoryRetention(store),
                campaigns=MemoryCampaigns(store, queue),
                unit=store,
            )

        return connect


class TestStateDb(Memory, StateDbContract, ItemsContract, FailuresContract):
    pass


class TestQueue(Memory, QueueContract):
    pass


class TestPayloads(Memory, PayloadsContract, HistoryContract):
    pass


class TestJournal(Memory, JournalContract):
    pass


class TestCampaigns(Memory, CampaignsContract):
    pass


class TestOutbox(Memory, OutboxContract):
    pass


class TestRetention(Memory, RetentionContract):
    pass
