"""Export: write the payloads of records to a folder or an object store, under the keys of the storage specification."""

from __future__ import annotations

from collections.abc import Iterator

from cirrus.core.keys import input_key, output_key
from cirrus.core.record import Record
from cirrus.flow.home import Home
from cirrus.flow.query import records
from cirrus.ports.payloads import Payloads
from cirrus.ports.state_db import Query


def export(home: Home, query: Query, target: Payloads, limit: int | None = None) -> Iterator[tuple[str, str]]:
    """Write input and output of every execution of the records that match; gives payload id and URL of each file."""
    for record in records(home, query, limit):
        yield from _export_record(home, record, target)


def _export_record(home: Home, record: Record, target: Payloads) -> Iterator[tuple[str, str]]:
    for execution_id in record.executions:
        found = home.state_db.execution(execution_id, record.payload_id)
        if found is None:
            continue
        yield record.payload_id, target.put(input_key(home.root, record.payload_id, execution_id), found.input)
        if found.output is not None:
            yield record.payload_id, target.put(output_key(home.root, record.payload_id, execution_id), found.output)
