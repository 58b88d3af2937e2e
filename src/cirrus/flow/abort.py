"""Abort: stop the running execution of a payload; whoever runs it learns of it and stops its tasks."""

from __future__ import annotations

from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import RUNNING
from cirrus.errors import CirrusError, Fenced, NotFound
from cirrus.flow.conclude import concluded, failed
from cirrus.flow.fence import refused
from cirrus.flow.home import Home
from cirrus.flow.start import output
from cirrus.ports.state_db import Conclusion


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
    who = (home, payload_id, workflow, record.execution_id)
    end = failed(*who, "ABORTED", "Aborted", reason, home.clock())
    if home.engine is not None:
        end = _stopped(*who, reason) or end
    if home.state_db.conclude([end]) != [True]:
        now = home.state_db.get([payload_id]).get(payload_id)
        if home.engine is not None and now and (now.execution_id, now.state) == (record.execution_id, end.state):
            return now  # who hears of ends elsewhere has written this one first
        late = refused(payload_id, record.execution_id, "its end ABORTED", home.clock(), home.arns)
        home.state_db.note([late])
        raise Fenced(record.execution_id)
    return home.state_db.get([payload_id])[payload_id]


def _stopped(home: Home, payload_id: str, workflow: str, execution_id: str, reason: str) -> Conclusion | None:
    """The end that an execution elsewhere has come to, by this stop or just before; None if it was never started."""
    assert home.engine is not None
    arn = home.arns.execution(workflow, execution_id)
    home.engine.stop(arn, "Aborted", reason)
    found = home.engine.describe(arn)
    if found is None or found.status == "RUNNING":
        return None
    who = (home, payload_id, workflow, execution_id)
    return concluded(*who, found.status, output(found), found.error, found.cause, home.clock())
