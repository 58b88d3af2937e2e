"""Which word for a good end a table holds: asked of the table itself, where the deployment does not say.

Of both words the one that was written last counts. A table without good ends is asked again after a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from cirrus.adapters.aws.attributes import GOOD, group_key, text
from cirrus.adapters.aws.tables import LAST_ITEMIDS, Tables

_GROUPS = 20
_AGAIN = 60.0


class TableVocabulary:
    """The word of a table; looked for in its first groups, no more than twenty."""

    def __init__(self, tables: Tables, table: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._table = table
        self._clock = clock
        self._found: str | None = None
        self._until = 0.0

    @property
    def good(self) -> str:
        """The word for a good end, COMPLETED where the table holds none yet. StoreError if it cannot be read."""
        if self._found is None and self._clock() >= self._until:
            self._found = next(self._words(), None)
            self._until = self._clock() + _AGAIN
        return self._found or GOOD[0]

    def _words(self) -> Iterator[str]:
        """The word that each group holds, of those that hold one."""
        for group in islice(self._tables.each_group(self._table, "collections_workflow", LAST_ITEMIDS), _GROUPS):
            last = {word: stamp for word in GOOD for stamp in self._newest(group, word)}
            if last:
                yield max(last, key=lambda word: last[word])

    def _newest(self, group: str, word: str) -> list[str]:
        rows = self._tables.query(
            self._table,
            limit=1,
            IndexName="state_updated",
            KeyConditionExpression="collections_workflow = :group AND begins_with(state_updated, :word)",
            ExpressionAttributeValues={":group": text(group_key(group)), ":word": text(f"{word}_")},
            ScanIndexForward=False,
        )
        return [row["state_updated"]["S"].partition("_")[2] for row in islice(rows, 1)]
