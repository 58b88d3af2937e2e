"""Items: the output Items of records, each with the execution that made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cirrus.core.jsontext import decode
from cirrus.core.markup import table
from cirrus.core.publication import output_items, output_url
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.errors import NotFound
from cirrus.flow.home import Home
from cirrus.flow.query import output_payload, records
from cirrus.ports.state_db import Query


@dataclass(frozen=True, slots=True, repr=False)
class OutputItem:
    """An Item as a workflow returned it, and the payload whose last execution did."""

    item: Mapping[str, Any]
    payload_id: str

    @property
    def id(self) -> str:
        """The Item's id."""
        return str(self.item.get("id"))

    @property
    def href(self) -> str | None:
        """Where it was written, by its own links."""
        return output_url(self.item)

    def __repr__(self) -> str:
        return f"<Item {self.id} of {self.item.get('collection')}, made by {self.payload_id}>"

    def _repr_html_(self) -> str:
        told = {**self.to_json(), "assets": ", ".join(assets(self.item))}
        return table(("", self.id), [(name, str(value)) for name, value in told.items() if name != "id"])

    def to_json(self) -> dict[str, Any]:
        """What an operator wants to see of it in a list."""
        properties = self.item.get("properties") or {}
        told = {
            "id": self.id,
            "collection": self.item.get("collection"),
            "datetime": properties.get("datetime") or properties.get("start_datetime"),
            "bbox": self.item.get("bbox"),
            "href": self.href,
            "assets": {name: asset.get("href") for name, asset in assets(self.item).items()},
            "payload_id": self.payload_id,
        }
        return {name: value for name, value in told.items() if value is not None}


def assets(item: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The Assets of an Item, those that are objects."""
    found = item.get("assets")
    return {name: one for name, one in found.items() if isinstance(one, Mapping)} if isinstance(found, Mapping) else {}


def items(home: Home, query: Query, limit: int | None = None) -> Iterator[OutputItem]:
    """The output Items of the records of a query that are COMPLETED, one record after another."""
    for record in records(home, query, limit):
        if record.state is State.COMPLETED:
            yield from items_of(home, record)


def items_of(home: Home, record: Record) -> Iterator[OutputItem]:
    """The Items that a record's last execution returned; none where its output is gone."""
    try:
        output = decode(output_payload(home, record))
    except NotFound:
        return
    for item in output_items(output):
        yield OutputItem(item, record.payload_id)


def item(home: Home, item_id: str, *, collection: str | None = None, payload_id: str | None = None) -> OutputItem:
    """The Item of an id that was made last; NotFound if none was, and where several collections have one."""
    made = [
        use
        for use in home.state_db.uses(item_id, made=True)
        if use.current and collection in {None, use.item.collection} and payload_id in {None, use.payload_id}
    ]
    others = sorted({use.item.collection for use in made})
    if len(others) > 1:
        raise NotFound("one Item", item_id, f"it is in several collections, name one: {', '.join(others)}")
    for use in made:
        record = home.state_db.get([use.payload_id]).get(use.payload_id)
        for found in items_of(home, record) if record is not None else ():
            if found.id == item_id and (found.item.get("collection") or "") == use.item.collection:
                return found
    raise NotFound("output Item", item_id, f"no completed payload in {home.name} made it")
