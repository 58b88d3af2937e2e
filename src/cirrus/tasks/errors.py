"""What built-in tasks report of their input, beside stactask's InvalidInput (which ends a payload INVALID).

CirrusError
├── AssetError     an asset is missing, cannot be read, or is not what the task works on (item, asset)
└── ItemError      a final Item is no valid STAC, or collides with another (item, problems)
"""

from __future__ import annotations

from collections.abc import Sequence

from cirrus.errors import CirrusError


class AssetError(CirrusError):
    """The asset of an Item cannot be worked on; the message says why."""

    def __init__(self, item: str, asset: str, reason: str) -> None:
        self.item = item
        self.asset = asset
        super().__init__(f"Item {item!r}, asset {asset!r}: {reason}")


class ItemError(CirrusError):
    """The Item may not be published; `problems` holds one line for each wrong field."""

    def __init__(self, item: str, problems: Sequence[str]) -> None:
        self.item = item
        self.problems = tuple(problems)
        super().__init__(f"Item {item!r}: " + "; ".join(self.problems))
