"""Plan: what queueing payloads would do, from the records as they are now; nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Any

from cirrus.core.path_template import is_url
from cirrus.core.payload import Payload
from cirrus.core.placement import Placement, placement
from cirrus.core.state import State
from cirrus.errors import CirrusError
from cirrus.flow.explain import queueing
from cirrus.flow.home import Home
from cirrus.flow.submit import BATCH, check, portions, read


@dataclass(frozen=True, slots=True)
class Planned:
    """What would become of one document: `new`, `rerun`, `resume`, `skip` or `invalid`, and why.

    `state` is that of its record; `places` are where its Items would go if they came out as they are.
    """

    action: str
    reason: str
    payload_id: str | None = None
    state: State | None = None
    places: tuple[Placement, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The fields that say something."""
        told = {
            "payload_id": self.payload_id,
            "result": self.action,
            "reason": self.reason,
            "state": None if self.state is None else str(self.state),
            "outputs": [one.to_json() for one in self.places],
            "warnings": list(self.warnings),
        }
        return {name: value for name, value in told.items() if value}


def plan(home: Home, documents: Iterable[bytes], *, data: str = "", replace: bool = False) -> Iterator[Planned]:
    """What queueing these JSON texts would do; places without a store of their own are below `data`.

    A payload that comes a second time is skipped, as it would be if both were taken at once.
    """
    seen: set[str] = set()
    for batch in portions(documents, BATCH):
        yield from _batch(home, batch, seen, data, replace)


def _batch(home: Home, batch: list[bytes], seen: set[str], data: str, replace: bool) -> Iterator[Planned]:
    found = [_read(home, text) for text in batch]
    records = home.state_db.get([str(one.id) for one in found if isinstance(one, Payload)])
    now = home.clock()
    for one in found:
        if not isinstance(one, Payload):
            yield one
            continue
        known = str(one.id)
        record = records.get(known)
        done = queueing(record, replace=replace or one.replace, now=now, lease=home.limits.lease)
        action, reason = ("skip", "it was given before") if known in seen else (done.action, done.reason)
        seen.add(known)
        runs = action in {"new", "rerun"}
        places = tuple(_placed(placement(one.document["process"][0], item), data) for item in _items(one, runs))
        yield Planned(action, reason, known, record.state if record else None, places, one.warnings)


def _read(home: Home, text: bytes) -> Payload | Planned:
    try:
        payload = read(home, text)
        return replaced(payload, warnings=(*payload.warnings, *check(home, payload)))
    except (CirrusError, ValueError) as error:
        return Planned("invalid", str(error))


def _items(payload: Payload, runs: bool) -> list[dict[str, Any]]:
    return list(payload.document.get("features") or []) if runs else []


def _placed(found: Placement, data: str) -> Placement:
    def at(place: str) -> str:
        return place if is_url(place) or not data or not place else f"{data.rstrip('/')}/{place}"

    assets = {key: at(place) for key, place in found.assets.items()}
    return Placement(
        found.id, found.collection, found.template, at(found.folder), at(found.item), assets, found.problem
    )
