"""A persistent map from integers to values, as fast as a dict for whoever goes on from the newest version.

The newest version of a large map holds one dict; the version before it holds what it had otherwise, and the way to
the newer one. So going on costs the change, however large the map, and an older version still gives what it held:
slowly, and once it is changed itself, from a copy of its own. Small maps are copied each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any

SMALL = 64
"""Entries of a map that is copied: it costs little more than a change, and no version hangs on another."""

CHANGING = Lock()


class Table:
    """An immutable map; `update`, `set` and `drop` give another one. No value may be None."""

    __slots__ = ("_former", "_next", "_values", "count")

    def __init__(self, values: dict[int, Any] | None = None) -> None:
        self._values: dict[int, Any] | None = {} if values is None else values
        self._former: Mapping[int, Any] = {}
        self._next: Table | None = None
        self.count = len(self._values)

    def get(self, key: int) -> Any:
        """The value of the key, or None."""
        table = self
        while True:
            values = table._values
            if values is not None:
                found = values.get(key)
                if table._values is values:  # nobody went on from it meanwhile
                    return found
                continue
            if key in table._former:
                return table._former[key]
            assert table._next is not None
            table = table._next

    def update(self, changes: Mapping[int, Any]) -> Table:
        """With every value at its key, and without the keys whose value is None."""
        if not changes:
            return self
        with CHANGING:
            values = self._values
            if values is None:
                values = self._values = self._whole()
                self._former, self._next = {}, None
            if len(values) > SMALL:
                return self._pass_on(values, changes)
            copy = values.copy()
        for key, value in changes.items():
            if value is not None:
                copy[key] = value
            elif key in copy:
                del copy[key]
        return Table(copy)

    def set(self, key: int, value: Any) -> Table:
        """With `value` at `key`."""
        return self.update({key: value})

    def drop(self, key: int) -> Table:
        """Without `key`."""
        return self.update({key: None})

    def items(self) -> list[tuple[int, Any]]:
        """All (key, value) in the order of the keys."""
        with CHANGING:
            values = self._values
            return sorted((self._whole() if values is None else values).items(), key=_key)

    def values(self) -> Iterator[Any]:
        """All values in the order of their keys."""
        return (value for _, value in self.items())

    def _pass_on(self, values: dict[int, Any], changes: Mapping[int, Any]) -> Table:
        """Give the dict to a new version; readers see first that it is gone, then what became of it."""
        following = Table(values)
        self._former = {key: values.get(key) for key in changes}
        self._next = following
        self._values = None
        for key, value in changes.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        following.count = len(values)
        return following

    def _whole(self) -> dict[int, Any]:
        """A dict of what an older version holds."""
        former: dict[int, Any] = {}
        table = self
        while table._values is None:
            assert table._next is not None
            for key, value in table._former.items():
                former.setdefault(key, value)
            table = table._next
        return {key: value for key, value in {**table._values, **former}.items() if value is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and self.items() == other.items()

    __hash__ = None  # type: ignore[assignment]  # as a dict has none

    def __repr__(self) -> str:
        return f"Table({dict(self.items())!r})"


def _key(item: tuple[int, Any]) -> int:
    return item[0]
