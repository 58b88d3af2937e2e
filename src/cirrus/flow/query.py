"""Query: records by state, time and error, their payloads, executions and histories."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from cirrus.core.execution_id import from_arn
from cirrus.core.instant import iso
from cirrus.core.keys import input_key, output_key
from cirrus.core.payload import rerun_text as rerun_text
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.errors import NotFound
from cirrus.flow.home import Home
from cirrus.ports.journal import AttemptLog
from cirrus.ports.state_db import Execution, Query

_PAGE = 500
_BODIES = 100


def records(home: Home, query: Query, limit: int | None = None) -> Iterator[Record]:
    """The records of a query, page by page, up to `limit`."""
    token: str | None = None
    left = limit
    while left is None or left > 0:
        page = home.state_db.page(query, _PAGE if left is None else min(_PAGE, left), token)
        yield from page.records
        token = page.token
        if token is None:
            return
        left = None if left is None else left - len(page.records)


def record(home: Home, payload_id: str) -> Record:
    """One record; NotFound if there is none."""
    found = home.state_db.get([payload_id]).get(payload_id)
    if found is None:
        raise NotFound("payload", payload_id, f"nothing of that id was processed in {home.name}")
    return found


def input_payload(home: Home, found: Record) -> bytes:
    """The payload of a record as it was last claimed, as JSON text."""
    execution_id = found.execution_id
    if execution_id is None:
        raise NotFound("input payload of", found.payload_id)
    return home.payloads.get(home.payloads.url(input_key(home.root, found.payload_id, execution_id)))


def inputs(home: Home, query: Query, limit: int | None = None) -> Iterator[bytes | NotFound]:
    """The input payloads of the records of a query, or what says that one is not kept any more."""
    stream = records(home, query, limit)
    while some := list(islice(stream, _BODIES)):
        urls = [home.payloads.url(input_key(home.root, one.payload_id, one.execution_id or "")) for one in some]
        for record, body in zip(some, home.payloads.get_many(urls), strict=True):
            yield NotFound("input payload of", record.payload_id) if body is None else body


def output_payload(home: Home, found: Record) -> bytes:
    """The payload that the last execution returned, as JSON text; NotFound if it returned none."""
    execution_id = found.execution_id
    if execution_id is None:
        raise NotFound("output payload of", found.payload_id)
    try:
        return home.payloads.get(home.payloads.url(output_key(home.root, found.payload_id, execution_id)))
    except NotFound:
        raise NotFound("output payload of", found.payload_id, f"its state is {found.state}") from None


def execution(
    home: Home, *, arn: str | None = None, payload_id: str | None = None, attempt: int | None = None
) -> Execution:
    """An execution by ARN, or a payload's latest one, or its attempt number `attempt` (from 1)."""
    if arn is not None:
        found = home.state_db.execution(arn if home.engine else from_arn(arn))
        if found is None:
            raise NotFound("execution", arn)
        return found
    assert payload_id is not None
    ids = record(home, payload_id).executions
    number = len(ids) if attempt is None else attempt
    if not 1 <= number <= len(ids):
        raise NotFound("execution", f"{payload_id}, attempt {number}", f"it has {len(ids)}")
    found = home.state_db.execution(ids[number - 1], payload_id)
    if found is None:
        raise NotFound("execution", ids[number - 1])
    return found


def describe(home: Home, found: Execution) -> dict[str, Any]:
    """An execution as Step Functions describes one."""
    workflow = parse(found.payload_id).workflow
    body = {
        "executionArn": home.arns.execution(workflow, found.execution_id),
        "stateMachineArn": home.arns.state_machine(workflow),
        "name": found.execution_id,
        "status": found.status,
        "startDate": iso(found.started),
        "stopDate": None if found.stopped is None else iso(found.stopped),
        "payload_id": found.payload_id,
        "attempt": found.attempt,
        "input_payload_url": home.payloads.url(input_key(home.root, found.payload_id, found.execution_id)),
        "output_payload_url": None
        if found.output is None
        else home.payloads.url(output_key(home.root, found.payload_id, found.execution_id)),
        "error": found.error,
        "cause": found.cause,
    }
    return {name: value for name, value in body.items() if value is not None}


def history(home: Home, found: Execution) -> list[dict[str, Any]]:
    """The events of an execution as Step Functions lists them, made again from its journal where it has one."""
    if home.engine is not None:
        return home.engine.history(home.arns.execution(parse(found.payload_id).workflow, found.execution_id))
    from cirrus import asl
    from cirrus.flow.process import Begun
    from cirrus.flow.replay import events as journal_events

    entries = home.journal.read(found.execution_id)
    if not entries or not found.definition:
        return []
    machine = asl.parse(found.definition)
    state = None
    events: list[dict[str, Any]] = []
    workflow = parse(found.payload_id).workflow
    begun = Begun(found.execution_id, found.payload_id, workflow, found.input, found.definition)
    for path, event, _, _ in journal_events(entries, begun):
        if not path:
            state, commands = asl.step(machine, state, event, record=True)
            events += [command.event for command in commands if isinstance(command, asl.Record)]
    return [{**event, "timestamp": iso(round(event["timestamp"] * 1_000_000))} for event in events]


def logs(home: Home, found: Execution) -> list[AttemptLog]:
    """What the tasks of an execution printed, attempt by attempt."""
    return printed(home, found.payload_id, found.execution_id)


def printed(home: Home, payload_id: str, execution_id: str) -> list[AttemptLog]:
    """The same, where the execution itself need not be looked at."""
    if home.engine is None:
        return home.journal.logs(execution_id)
    return home.journal.logs(home.arns.execution(parse(payload_id).workflow, execution_id))
