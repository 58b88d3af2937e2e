"""The journal port in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import accumulate

from cirrus.adapters.memory.store import Store, Tables
from cirrus.core.lease import Lease
from cirrus.core.printed import joined
from cirrus.core.share import Part, admitted
from cirrus.core.throttle import Limit
from cirrus.errors import StoreError
from cirrus.ports.journal import ADOPTED_BYTES, AttemptLog, Entry, Holder
from cirrus.ports.state_db import Execution


class MemoryJournal:
    """Histories of executions, their owners, and their logs in a Store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def append(self, owner: str, entries: Sequence[Entry]) -> set[str]:
        """Add entries; gives the executions that `owner` no longer holds, whose entries were refused."""
        with self._store.writing() as tables:
            refused = {
                entry.execution_id
                for entry in entries
                if tables.owned.get(entry.execution_id) != owner or not _runs(tables, entry.execution_id)
            }
            for entry in entries:
                key = (entry.execution_id, entry.seq)
                if entry.execution_id in refused:
                    continue
                if key in tables.entries:
                    raise StoreError(f"entry {entry.seq} of execution {entry.execution_id} was written before")
                tables.entries[key] = entry
        return refused

    def read(self, execution_id: str) -> list[Entry]:
        """All entries of an execution, oldest first."""
        with self._store.reading() as tables:
            found = [entry for entry in tables.entries.values() if entry.execution_id == execution_id]
        return sorted(found, key=lambda entry: entry.seq)

    def beat(self, owner: str, until: int, about: str = "") -> None:
        """Say that a control process lives, until the given instant at least."""
        with self._store.writing() as tables:
            tables.owners[owner] = until
            tables.abouts[owner] = about

    def retire(self, owner: str) -> None:
        """A control process ends: what it still holds may be taken over at once."""
        with self._store.writing() as tables:
            tables.owners.pop(owner, None)
            tables.slots = {key: part for key, part in tables.slots.items() if key[1] != owner}
            for number, message in tables.messages.items():
                if message.owner == owner:
                    tables.messages[number] = replace(message, visible=0, owner=None)
            tables.holds = {target: hold for target, hold in tables.holds.items() if hold[0] != owner}

    def reserve(self, owner: str, task: str, held: int, wanted: int, limit: Limit, now: int) -> tuple[int, int | None]:
        """How many of the attempts that `owner` wants to start at a limited task may, and when the rate has room."""
        with self._store.writing() as tables:
            own = _lease(tables, owner, now)
            alive = {name for name, until in tables.owners.items() if own.meets(until)}
            parts = {name: part for (other, name), part in tables.slots.items() if other == task and name in alive}
            parts[owner] = Part(held, wanted)
            granted, spent, again = admitted(limit, parts, owner, tables.debts.get(f"task {task}"), now)
            if spent is not None:
                tables.debts[f"task {task}"] = spent
            tables.slots[task, owner] = Part(held + granted, wanted - granted)
        return granted, again

    def adopt(
        self, owner: str, now: int, limit: int, only: Collection[str] | None = None, *, size: int = ADOPTED_BYTES
    ) -> list[Execution]:
        """Take over running executions whose owner's lease has ended; with `only`, those of these payload ids."""
        with self._store.writing() as tables:
            own = _lease(tables, owner, now)
            lost = [
                execution_id
                for execution_id, holder in tables.owned.items()
                if holder != owner
                and _runs(tables, execution_id)
                and (only is None or tables.executions[execution_id].payload_id in only)
                and not own.meets(tables.owners.get(holder, now))
            ][:limit]
            found = [tables.executions[execution_id] for execution_id in lost]
            before = accumulate((len(one.input) for one in found), initial=0)
            adopted = [one for one, bytes_before in zip(found, before, strict=False) if bytes_before < size]
            tables.owned |= dict.fromkeys((one.execution_id for one in adopted), owner)
            return adopted

    def held(self, owner: str) -> set[str]:
        """The running executions that `owner` holds."""
        with self._store.reading() as tables:
            return {one for one, holder in tables.owned.items() if holder == owner and _runs(tables, one)}

    def holder(self, execution_id: str) -> Holder | None:
        """Who holds a running execution; None if it has ended, or belongs to nobody."""
        with self._store.reading() as tables:
            owner = tables.owned.get(execution_id)
            if owner is None or not _runs(tables, execution_id):
                return None
            until = tables.owners.get(owner)
            return Holder(owner, until, "" if until is None else tables.abouts.get(owner, ""))

    def cancelled(self, owner: str) -> list[str]:
        """The executions of `owner` that someone else has ended since the last call."""
        with self._store.writing() as tables:
            found = [execution_id for execution_id in tables.cancels if tables.owned.get(execution_id) == owner]
            for execution_id in found:
                del tables.cancels[execution_id]
        return found

    def running(self) -> int:
        """How many executions have not ended, whoever owns them."""
        with self._store.reading() as tables:
            return sum(_runs(tables, execution_id) for execution_id in tables.owned)

    def log(self, logs: Sequence[AttemptLog]) -> None:
        """Keep what attempts printed: added to what is there while they run, in its place once they have ended."""
        with self._store.writing() as tables:
            for log in logs:
                if log.execution_id in tables.executions:
                    before = tables.logs.get((log.execution_id, log.ref))
                    text = joined(before.text, log.text) if before and log.ended is None else log.text
                    tables.logs[log.execution_id, log.ref] = replace(log, text=text)

    def last_failed(self, execution_id: str) -> str | None:
        """The state whose attempt at a task failed last, by the logs; None if none did."""
        return next((log.state for log in reversed(self.logs(execution_id)) if log.error is not None), None)

    def logs(self, execution_id: str) -> list[AttemptLog]:
        """The logs of an execution's attempts, oldest first."""
        with self._store.reading() as tables:
            found = [log for log in tables.logs.values() if log.execution_id == execution_id]
        return sorted(found, key=lambda log: (log.started, log.ref))


def _lease(tables: Tables, owner: str, now: int) -> Lease:
    return Lease(now, tables.owners.get(owner, now))


def _runs(tables: Tables, execution_id: str) -> bool:
    return tables.executions[execution_id].stopped is None
