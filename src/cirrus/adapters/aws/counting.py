"""What sweeps do for limits: let what runs count where they have changed, and set right what is counted wrongly.

A record that runs is taken in by a transaction of its own, with the counts, so that no end in between is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws.attributes import Row
from cirrus.adapters.aws.paging import Walk
from cirrus.adapters.aws.slots import Mark, Seen, Slots, slots_of
from cirrus.adapters.aws.statements import Statements
from cirrus.adapters.aws.tables import READ_BATCH, Tables
from cirrus.core.instant import SECOND
from cirrus.core.state import RUNNING
from cirrus.ports.state_db import Query

_SETTLING = 20 * 60 * SECOND  # longer than any call of a function
_QUIET = 60 * SECOND
Rows = Callable[[Sequence[str]], dict[str, Row]]


class Counting:
    """The counts of one deployment's limits, and the records that they are about; `rows` reads rows by payload ids."""

    def __init__(
        self, slots: Slots, tables: Tables, say: Statements, walk: Walk, rows: Rows, chance: Callable[[], int]
    ) -> None:
        self._slots = slots
        self._tables = tables
        self._say = say
        self._walk = walk
        self._rows = rows
        self._chance = chance

    def keep(self, now: int) -> int:
        """Let what runs count in the limits that there are, and set right what is counted wrongly; gives how many.

        For sweeps. Records that began under other limits, or none, are taken in when limits have changed, and for a
        while after that, as functions of before may still run. A count is set right where messages wait for it and
        nothing has changed it for a minute, which is when one that is too high would hold them up for ever.
        """
        if not self._slots.kept:
            return 0
        mark = self._slots.read(())[0]
        changed = mark.text != self._slots.text
        moved = 0
        if changed or (self._slots and now - mark.since < _SETTLING):
            moved = sum(self._adopt(some, now) for some in _batched(self._running(), READ_BATCH))
        if changed:
            self._slots.write_mark(Mark(self._slots.text, now))
        quiet = [one for one in self._slots.all() if one.waiting and now - one.touched > _QUIET] if self._slots else []
        return moved + (self._recount(quiet) if quiet else 0)

    def _running(self) -> Iterator[str]:
        running = Query(states=tuple(sorted(RUNNING)))
        return (one.payload_id for one in self._walk.records(running))

    def _adopt(self, payload_ids: Sequence[str], now: int) -> int:
        moved = 0
        for known, row in self._rows(payload_ids).items():
            before, after = slots_of(row), self._slots.names(known)
            if not rows_of.alive(row) or not runs(row) or "executions" not in row or before == after:
                continue
            self._slots.read((*before, *after))
            said = [self._say.adopt(row, after), *self._slots.moved(before, after, now)]
            token = f"{self._chance():016x}{self._chance():016x}"
            moved += not self._tables.execute_all("let what runs count in its limits", said, token)
        return moved

    def _recount(self, quiet: Sequence[Seen]) -> int:
        counts: Counter[str] = Counter()
        for some in _batched(self._running(), READ_BATCH):
            rows = (row for row in self._rows(some).values() if rows_of.alive(row) and runs(row))
            counts.update(name for row in rows for name in slots_of(row))
        return sum(one.running != counts[one.name] and self._slots.counted(one, counts[one.name]) for one in quiet)


def runs(row: Row) -> bool:
    """Whether a row is a record that runs."""
    return rows_of.record(row).state in RUNNING


def _batched(ids: Iterator[str], most: int) -> Iterator[list[str]]:
    while some := list(islice(ids, most)):
        yield some
