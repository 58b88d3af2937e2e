"""The sparse index of records that need attention: those that failed, are invalid, or were aborted, of all workflows.

Only such rows have the attribute `attention`, so no other costs anything. Rows that ended before a deployment had the
index lack it: the index is asked only once a row of the outbox table says that `migrate`, or deploying a table that was
empty, has made it complete.
"""

from __future__ import annotations

from cirrus.adapters.aws.attributes import Row, text
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.delivery_row import key
from cirrus.adapters.aws.faults import reported
from cirrus.adapters.aws.tables import ATTENTION, LAST_ITEMIDS, Tables
from cirrus.core.state import ENDED, State
from cirrus.ports.query import Query

STATES = frozenset(ENDED - {State.COMPLETED})
MARK = "index"
_KEY = key(MARK, 0)


class Attention:
    """The index of a state table; `outbox` is the table that says whether it is complete, `on` whether it is kept."""

    def __init__(self, clients: Clients, table: str, outbox: str | None, *, on: bool) -> None:
        self._clients = clients
        self._tables = Tables(clients)
        self._table = table
        self._outbox = outbox
        self.on = on
        self._complete: bool | None = None

    def answers(self, query: Query) -> bool:
        """Whether the index holds all records that a query means, and is the way to them."""
        broad = query.collections_workflow is None and query.workflow is None and query.collection is None
        return broad and query.sort != "id" and bool(query.states) and STATES.issuperset(query.states) and self.complete

    @property
    def complete(self) -> bool:
        """Whether every row that needs attention stands in the index; asked for once."""
        if self._complete is None:
            known = self._outbox is not None and self.on and self._tables.get(self._outbox, [_KEY])
            self._complete = bool(known)
        return self._complete

    def exists(self) -> bool:
        """Whether the table has the index, and it can be asked."""
        with reported(f"describe {self._table}"):
            told = self._clients("dynamodb").describe_table(TableName=self._table)["Table"]
        found = {one["IndexName"]: one.get("IndexStatus") for one in told.get("GlobalSecondaryIndexes", [])}
        return found.get(ATTENTION) == "ACTIVE"

    def declare(self, complete: bool) -> None:
        """Say that the index is complete, or that it is not."""
        if self._outbox is None:
            return
        row: Row = {"PutRequest": {"Item": {**_KEY, "name": text(ATTENTION)}}}
        self._tables.write(self._outbox, [row if complete else {"DeleteRequest": {"Key": _KEY}}])
        self._complete = complete

    def deployed(self) -> bool:
        """After a deployment: an empty table's index is complete, one that is not kept is not; whether all is well.

        False where older rows are missing in it.
        """
        if not self.on:
            self.declare(False)
        elif not self.complete and next(self._tables.each_group(self._table, *_ANY), None) is None:
            self.declare(True)
        return not self.on or self.complete


_ANY = ("collections_workflow", LAST_ITEMIDS)
