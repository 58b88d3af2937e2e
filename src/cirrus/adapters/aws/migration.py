"""Bringing an existing deployment up to date: its rows, and its payloads into the layout of today.

Row by row, each in an order that may be broken off anywhere: bodies first, then the row, which then says `layout` = 2.
A row that says so is not looked at again, so a second run goes on where the first ended, and a third changes nothing.
Rows that run are left to their end. Nothing is deleted. A row is written only as it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from cirrus.adapters.aws import attributes as at
from cirrus.adapters.aws.attention import STATES, Attention
from cirrus.adapters.aws.both_layouts import BothLayouts
from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.payloads import S3Payloads
from cirrus.adapters.aws.tables import LAST_ITEMIDS, STATEMENT_BATCH, Statement, Tables
from cirrus.core.instant import iso
from cirrus.core.keys import input_key, output_key
from cirrus.core.record import Record
from cirrus.core.state import ENDED, State
from cirrus.errors import CirrusError, StoreError

_AT_ONCE = 16
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one row: `result` is `up to date`, `migrated`, `running`, `changed meanwhile` or `failed`.

    `done` are the things that were done, or in a dry run would be; `missing` is what is kept nowhere any more.
    """

    payload_id: str
    result: str
    done: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: str | None = None


Planned = tuple[Migrated, Statement | None]  # and what is to be written for that


class Migration:
    """Migrates the rows of a table; `good` is the word for a good end to be written, None to leave words alone."""

    def __init__(
        self,
        clients: Clients,
        table: str,
        payloads: S3Payloads,
        old: BothLayouts,
        *,
        root: str,
        good: str | None = None,
        attention: Attention | None = None,
    ) -> None:
        self._clients = clients
        self._tables = Tables(clients)
        self._table = table
        self._payloads = payloads
        self._old = old
        self._root = root
        self._good = good
        self._attention = attention

    def run(self, *, dry: bool) -> Iterator[Migrated]:
        """Every row of the table, group by group, as it is dealt with; with `dry` nothing is written."""
        rows = self._rows()
        whole = True
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while chunk := list(islice(rows, _CHUNK)):
                planned = list(pool.map(lambda row: self._safely(row, dry), chunk))
                for one in chain.from_iterable(pool.map(self._written, _batches(planned))):
                    whole = whole and one.result != "failed"
                    yield one
        if self._attention is not None and not dry:
            self._attention.declare(self._attention.on and whole and self._attention.exists())

    def _rows(self) -> Iterator[at.Row]:
        for group in self._tables.groups(self._table, "collections_workflow", LAST_ITEMIDS):
            asked: dict[str, Any] = {
                "KeyConditionExpression": "collections_workflow = :group",
                "ExpressionAttributeValues": {":group": at.text(group)},
                "ConsistentRead": True,
            }
            yield from (row for row in self._tables.query(self._table, **asked) if at.alive(row))

    def _safely(self, row: at.Row, dry: bool) -> Planned:
        """One row; what goes wrong with it holds up no other."""
        try:
            return self._row(row, dry)
        except (CirrusError, ValueError, KeyError) as error:
            name = f"{_part(row, 'collections_workflow')}/{_part(row, 'itemids')}"
            return Migrated(name, "failed", reason=str(error)), None

    def _row(self, row: at.Row, dry: bool) -> Planned:
        """What becomes of a row whose bodies are where they are to be, once it is written."""
        record = at.record(row)
        if record.state not in ENDED:
            return Migrated(record.payload_id, "running"), None
        changed = self._changed(row, record)
        known = row.get("layout", {}).get("N") == str(at.LAYOUT)
        if known and not changed:
            return Migrated(record.payload_id, "up to date"), None
        done, missing = ([], []) if known else self._bodies(record, dry)
        done += sorted(changed)
        found = Migrated(record.payload_id, "migrated", tuple(done), tuple(missing))
        return found, None if dry else self._statement(row, {**changed, "layout": at.number(at.LAYOUT)})

    def _written(self, planned: Sequence[Planned]) -> list[Migrated]:
        """What became of rows, once those that are to be written are: all in one call, each if it is as it was read."""
        said = [statement for _, statement in planned if statement is not None]
        try:
            answers = iter(self._tables.execute("migrate rows", said) if said else [])
        except StoreError as error:
            reason = str(error)
            return [one if said is None else replace(one, result="failed", reason=reason) for one, said in planned]
        return [
            one if said is None or next(answers) else replace(one, result="changed meanwhile") for one, said in planned
        ]

    # ---------------------------------------------------------------- rows

    def _changed(self, row: at.Row, record: Record) -> dict[str, Any]:
        """The attributes that are not as they are written today, with what they are to be."""
        word = row["state_updated"]["S"].partition("_")[0]
        if record.state is State.COMPLETED and self._good:
            word = self._good
        today: dict[str, Any] = {
            "created": at.text(iso(record.created)),
            "updated": at.text(iso(record.updated)),
            "state_updated": at.text(f"{word}_{iso(record.updated)}"),
        }
        if self._attention is not None and self._attention.on and record.state in STATES:
            today["attention"] = at.text(str(record.state))
        named = at.arns(row)
        if named:
            today |= {"execution": at.text(named[-1]), "runs": at.number(len(named))}
        return {name: value for name, value in today.items() if row.get(name) != value}

    def _statement(self, row: at.Row, changed: Mapping[str, Any]) -> Statement:
        """Change a row if it is as it was read; what is to be None is removed."""
        sets = " ".join(f"SET {name} = ?" for name, value in changed.items() if value is not None)
        removed = " ".join(f"REMOVE {name}" for name, value in changed.items() if value is None)
        same = "state_updated = ? AND " + ("executions = ?" if "executions" in row else "executions IS MISSING")
        values = [value for value in changed.values() if value is not None]
        values += [row["collections_workflow"], row["itemids"], row["state_updated"]]
        values += [row["executions"]] if "executions" in row else []
        where = f"collections_workflow = ? AND itemids = ? AND {same}"
        return f'UPDATE "{self._table}" {sets} {removed} WHERE {where}', values

    # ---------------------------------------------------------------- payloads

    def _bodies(self, record: Record, dry: bool) -> tuple[list[str], list[str]]:
        """Bring the bodies of the last execution to where they stand today; gives which, and which are lost."""
        done: list[str] = []
        missing: list[str] = []
        execution = record.execution_id
        if execution is None:
            return done, missing
        wanted: list[tuple[str, Callable[[str, str, str], str]]] = [("input", input_key)]
        wanted += [("output", output_key)] if record.state is State.COMPLETED else []
        urls = [self._payloads.url(key(self._root, record.payload_id, execution)) for _, key in wanted]
        for (name, _), url in zip(wanted, urls, strict=True):
            if self._payloads.holds(url):
                continue
            body = self._old.old(url)
            if body is None:
                missing.append(name)
                continue
            if not dry:
                self._payloads.put(self._payloads.key(url), body)
            done.append(name)
        return done, missing


def _batches(planned: Sequence[Planned]) -> list[Sequence[Planned]]:
    return [planned[start : start + STATEMENT_BATCH] for start in range(0, len(planned), STATEMENT_BATCH)]


def _part(row: at.Row, name: str) -> str:
    return str(row.get(name, {}).get("S", "?"))
