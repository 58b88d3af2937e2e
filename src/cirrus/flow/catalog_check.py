"""Catalog check: whether everything that completed stands in the catalog, with Assets that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.href import absolute
from cirrus.errors import CirrusError
from cirrus.flow.home import Home
from cirrus.flow.items import OutputItem, assets, items
from cirrus.ports.state_db import Query
from cirrus.ports.target import Catalog

WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is not as it should be: which Item of which payload, what, and where."""

    problem: str
    item: str
    payload_id: str
    detail: str


@dataclass(slots=True)
class Tally:
    """How much was looked at; `waiting` Items are yet to be delivered, `not_checked` Assets are on the web."""

    items: int = 0
    assets: int = 0
    waiting: int = 0
    not_checked: int = 0


def check_catalog(
    home: Home, catalog: Catalog, query: Query, tally: Tally, *, limit: int | None = None, web: bool = False
) -> Iterator[Flaw]:
    """Every flaw of the output Items of the records of a query; `web` also asks for Assets on the web."""
    waiting = home.outbox.waiting("catalog")[0]
    for found in items(home, query, limit):
        tally.items += 1
        missing = catalog.flaw(found.item)
        if missing and waiting:
            tally.waiting += 1
        elif missing:
            yield Flaw("not-in-catalog", found.id, found.payload_id, missing)
        yield from _assets(home, found, tally, web)


def _assets(home: Home, found: OutputItem, tally: Tally, web: bool) -> Iterator[Flaw]:
    for name, asset in assets(found.item).items():
        href = place(asset, found.href)
        if href is None:
            yield Flaw("asset-without-place", found.id, found.payload_id, f"{name}: {asset.get('href')!r}")
        elif href.startswith(WEB) and not web:
            tally.not_checked += 1
        else:
            tally.assets += 1
            if problem := _problem(home, href):
                yield Flaw(*problem[:1], found.id, found.payload_id, f"{name}: {problem[1]}")


def _problem(home: Home, href: str) -> tuple[str, str] | None:
    try:
        return None if home.objects.exists(href) else ("asset-missing", f"there is no {href}")
    except CirrusError as error:
        return "asset-unreadable", str(error)


def place(asset: Mapping[str, Any], base: str | None) -> str | None:
    """The URL or absolute path of an Asset of the Item at `base`, if it has one."""
    href = asset.get("href")
    return absolute(href, base) if isinstance(href, str) and href else None
