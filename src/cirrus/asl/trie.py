"""A persistent map from small integers to values: an update shares all but one path with its predecessor.

Nodes are tuples of 32; keys are counters, so the tree is four levels deep at a million. No value may be falsy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 32
BITS = 5
MASK = WIDTH - 1
EMPTY_NODE: tuple[Any, ...] = (None,) * WIDTH


@dataclass(slots=True)  # not frozen, which would make it slower to make; nobody changes one
class Trie:
    """An immutable map; `set` and `drop` return another one and cost the depth, not the size."""

    root: tuple[Any, ...] | None = None
    shift: int = 0
    count: int = 0

    def get(self, key: int) -> Any:
        """The value of the key, or None."""
        node: Any = self.root
        shift = self.shift
        if key >> (shift + BITS):
            return None
        while node is not None and shift >= 0:
            node = node[(key >> shift) & MASK]
            shift -= BITS
        return node

    def set(self, key: int, value: Any) -> Trie:
        """With `value` at `key`."""
        root, shift = self.root, self.shift
        if key < WIDTH and shift == 0:
            slots = list(root or EMPTY_NODE)
            fresh = slots[key] is None
            slots[key] = value
            return Trie(tuple(slots), 0, self.count + fresh)
        while key >> (shift + BITS):
            root = None if root is None else (root, *EMPTY_NODE[1:])
            shift += BITS
        path = _path(root, shift, key)
        fresh = path[-1][key & MASK] is None
        return Trie(_rebuild(path, key, value), shift, self.count + fresh)

    def drop(self, key: int) -> Trie:
        """Without `key`; the same map if it is not there."""
        if self.get(key) is None:
            return self
        path = _path(self.root, self.shift, key)
        return Trie(_rebuild(path, key, None), self.shift, self.count - 1)

    def update(self, changes: Mapping[int, Any]) -> Trie:
        """With every value at its key and without the keys whose value is None; nodes are copied once for all."""
        wanted = [(key, value) for key, value in changes.items() if value is not None or self.get(key) is not None]
        if not wanted:
            return self
        root, shift = self.root, self.shift
        highest = max(key for key, _ in wanted)
        while highest >> (shift + BITS):
            root = None if root is None else (root, *EMPTY_NODE[1:])
            shift += BITS
        root, more = _update(root, shift, wanted)
        return Trie(root, shift, self.count + more)

    def items(self) -> Iterator[tuple[int, Any]]:
        """All (key, value) in the order of the keys."""
        if self.root is not None:
            yield from _walk(self.root, self.shift, 0)

    def values(self) -> Iterator[Any]:
        """All values in the order of their keys."""
        return (value for _, value in self.items())


def _path(node: tuple[Any, ...] | None, shift: int, key: int) -> list[tuple[Any, ...]]:
    """The nodes from the root to the leaf of a key, empty ones where there are none."""
    path = []
    while shift >= 0:
        if node is None:
            node = EMPTY_NODE
        path.append(node)
        node = node[(key >> shift) & MASK]
        shift -= BITS
    return path


def _rebuild(path: list[tuple[Any, ...]], key: int, value: Any) -> Any:
    """The root of a tree that differs at one key; nodes that hold nothing vanish."""
    for node in reversed(path):
        slots = list(node)
        slots[key & MASK] = value
        value = None if value is None and not any(slots) else tuple(slots)
        key >>= BITS
    return value


def _update(node: Any, shift: int, changes: list[tuple[int, Any]]) -> tuple[Any, int]:
    """A node with its part of the changes made, None if it holds nothing then, and how many keys it gained."""
    slots = list(node or EMPTY_NODE)
    gained = 0
    if shift == 0:
        for key, value in changes:
            at = key & MASK
            gained += (value is not None) - (slots[at] is not None)
            slots[at] = value
    elif len(changes) == 1:
        at = (changes[0][0] >> shift) & MASK
        slots[at], gained = _update(slots[at], shift - BITS, changes)
    else:
        parts: dict[int, list[tuple[int, Any]]] = {}
        for change in changes:
            parts.setdefault((change[0] >> shift) & MASK, []).append(change)
        for at, some in parts.items():
            slots[at], more = _update(slots[at], shift - BITS, some)
            gained += more
    return (tuple(slots) if any(slots) else None), gained


def _walk(node: Any, shift: int, base: int) -> Iterator[tuple[int, Any]]:
    for at, below in enumerate(node):
        if below is None:
            continue
        if shift == 0:
            yield base + at, below
        else:
            yield from _walk(below, shift - BITS, base + (at << shift))
