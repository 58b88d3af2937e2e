from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from cirrus.adapters.sqlite import narrowing, paging
from cirrus.adapters.sqlite.campaigns import SqliteCampaigns
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.journal import SqliteJournal
from cirrus.adapters.sqlite.outbox import SqliteOutbox
from cirrus.adapters.sqlite.payloads import SqlitePayloads
from cirrus.adapters.sqlite.queue import SqliteQueue
from cirrus.adapters.sqlite.retention import SqliteRetention
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.testing.builders import AT
from cirrus.testing.campaigns import CampaignsContract
from cirrus.testing.failures import FailuresContract
from cirrus.testing.items import ItemsContract
from cirrus.testing.journal import JournalContract
from cirrus.testing.outbox import OutboxContract
from cirrus.testing.pages import PagesContract
from cirrus.testing.payloads import HistoryContract, PayloadsContract
from cirrus.testing.ports import SUBSCRIPTIONS, Connect, Ports, PortsContract
from cirrus.testing.queue import QueueContract
from cirrus.testing.retention import RetentionContract
from cirrus.testing.state_db import StateDbContract


class Sqlite(PortsContract):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Iterator[Connect]:
        databases: list[Database] = []
        ticks = count()

        (tmp_path / "home").mkdir()

        def connect() -> Ports:
            # A way of its own to the same file: threads of one process then meet in SQLite, as processes do.
            way = tmp_path / f"way-{len(databases)}"
            way.symlink_to(tmp_path / "home", target_is_directory=True)
            database = Database(way / "cirrus.db")
            databases.append(database)
            state_db = SqliteStateDb(database, SUBSCRIPTIONS)
            queue = SqliteQueue(database, state_db)
            return Ports(
                state_db=state_db,
                queue=queue,
                payloads=SqlitePayloads(database, state_db, "test", lambda: AT + next(ticks)),
                journal=SqliteJournal(database),
                outbox=SqliteOutbox(database),
                retention=SqliteRetention(database),
                campaigns=SqliteCampaigns(database, queue),
                unit=database,
            )

        yield connect
        for database in databases:
            database.close()


class TestStateDb(Sqlite, StateDbContract, ItemsContract, FailuresContract):
    pass


class TestPagesThatLookAtFew(Sqlite, PagesContract):
    """The same pages where no small index helps, and a page ends long before it is full."""

    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paging, "BUDGET", 10)
        monkeypatch.setattr(paging, "LEAST", 2)
        monkeypatch.setattr(narrowing, "FEW", -1)


class TestQueue(Sqlite, QueueContract):
    pass


class TestPayloads(Sqlite, PayloadsContract, HistoryContract):
    pass


class TestJournal(Sqlite, JournalContract):
    pass


class TestCampaigns(Sqlite, CampaignsContract):
    pass


class TestOutbox(Sqlite, OutboxContract):
    pass


class TestRetention(Sqlite, RetentionContract):
    pass
