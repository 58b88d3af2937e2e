"""Things with bodies, in lists that each fit into one row or one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


class HasBody(Protocol):
    """Something whose body is most of its size."""

    @property
    def body(self) -> bytes:
        """JSON text."""


Body = TypeVar("Body", bound=HasBody)


def portions(given: Iterable[tuple[int, Body]], most: int, size: int) -> Iterator[list[tuple[int, Body]]]:
    """Numbered things in lists of `most` at most, whose bodies have `size` bytes together; a larger one is alone."""
    some: list[tuple[int, Body]] = []
    used = 0
    for one in given:
        if some and (len(some) >= most or used + len(one[1].body) > size):
            yield some
            some, used = [], 0
        some.append(one)
        used += len(one[1].body)
    if some:
        yield some
