"""Abort: stop the running execution of a payload; whoever runs it learns of it and stops its tasks."""

from __future__ import annotations

from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import RUNNING
from cirrus.errors import CirrusError, Fenced, NotFound
from cirrus.flow.conclude import failed
from cirrus.flow.fence import refused
from cirrus.flow.home import Home


class NotRunning(CirrusError):
    """There is nothing to abort: the record is in an end state."""


def abort(home: Home, payload_id: str, reason: str = "aborted by an operator") -> Record:
    """The record after its execution was stopped. NotFound, NotRunning, or Fenced if it ended in the meantime."""
    record = home.state_db.get([payload_id]).get(payload_id)
    if record is None:
        raise NotFound("payload", payload_id)
    if record.state not in RUNNING or record.execution_id is None:
        raise NotRunning(f"{payload_id} is {record.state}: only a running execution can be aborted")
    workflow = parse(payload_id).workflow
    end = failed(home, payload_id, workflow, record.execution_id, "ABORTED", "Aborted", reason, home.clock())
    if home.state_db.conclude([end]) != [True]:
        home.state_db.note([refused(payload_id, record.execution_id, "its end ABORTED", home.clock())])
        raise Fenced(record.execution_id)
    return home.state_db.get([payload_id])[payload_id]
