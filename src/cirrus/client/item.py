"""Items as a notebook shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.core.markup import table


class Item(Mapping[str, Any]):
    """A STAC Item as it came out of a workflow; a mapping of its members, with what one looks at first."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def __getitem__(self, key: str) -> Any:
        return self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    @property
    def id(self) -> str:
        """The Item's id."""
        return str(self._members.get("id"))

    @property
    def collection(self) -> str | None:
        """Its collection, None if it has none."""
        found = self._members.get("collection")
        return None if found is None else str(found)

    @property
    def datetime(self) -> str | None:
        """Its `datetime`, or `start_datetime/end_datetime` where that is null."""
        told = self._members.get("properties") or {}
        if told.get("datetime"):
            return str(told["datetime"])
        both = (told.get("start_datetime"), told.get("end_datetime"))
        return "/".join(str(one or "..") for one in both) if any(both) else None

    @property
    def bbox(self) -> list[float] | None:
        """Its bounding box as it is given."""
        return self._members.get("bbox")

    @property
    def hrefs(self) -> dict[str, str]:
        """The hrefs of its Assets by key."""
        assets = self._members.get("assets") or {}
        return {key: str(asset["href"]) for key, asset in assets.items() if "href" in asset}

    def to_dict(self) -> dict[str, Any]:
        """The Item as JSON has it."""
        return dict(self._members)

    def __repr__(self) -> str:
        return f"<Item {self.id} of {self.collection}, {self.datetime}, {len(self.hrefs)} assets>"

    def _repr_html_(self) -> str:
        about = [("collection", str(self.collection)), ("datetime", str(self.datetime)), ("bbox", str(self.bbox))]
        return table(("", self.id), [*about, *((f"asset {key}", href) for key, href in self.hrefs.items())])
