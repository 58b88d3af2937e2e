"""Redeliver: look at deliveries one by one, and decide what becomes of those that were given up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from cirrus.flow.home import Home
from cirrus.ports.outbox import Entered

_PAGE = 500


def entries(
    home: Home, *, state: str | None = None, target: str | None = None, payload_id: str | None = None
) -> Iterator[Entered]:
    """Deliveries by their ids, page by page."""
    after = 0
    while page := home.outbox.entries(state=state, target=target, payload_id=payload_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].id


def retry(home: Home, ids: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Send parked deliveries again; whether each was put back."""
    return _each(ids, lambda some: home.outbox.again(some, home.clock()))


def drop(home: Home, ids: Sequence[int]) -> Iterator[tuple[int, bool]]:
    """Give parked deliveries up for good; whether each was."""
    return _each(ids, home.outbox.drop)


def _each(ids: Sequence[int], change: Callable[[Sequence[int]], set[int]]) -> Iterator[tuple[int, bool]]:
    stream = iter(ids)
    while some := list(islice(stream, _PAGE)):
        changed = change(some)
        yield from ((number, number in changed) for number in some)
