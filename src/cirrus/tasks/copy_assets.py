"""copy-assets: assets to the place of their Item, hrefs to match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cirrus.tasks import parameters
from cirrus.tasks.assets import Asset, AssetTask, Item, choose, file_info, has_type, link, roles


class CopyAssets(AssetTask):
    """Copies the chosen assets of each Item to where its path template leads.

    Parameters: `assets` (keys), `roles`, `media_types` (what is chosen must pass all that are given;
    default: every asset), `checksum` and `size` (set `file:checksum`, `file:size`; default false).
    """

    name = "copy-assets"
    description = "Copy assets to the place of their Item"
    version = "1.0.0"

    def process(self, **given: Any) -> list[Item]:
        """The Items, with the hrefs of the copies."""
        options = _Options.of(given, self.payload.workflow_options)
        return [self._copied(item, options) for item in self.copies()]

    def _copied(self, item: Item, options: _Options) -> Item:
        keys = choose(item, options.assets, options.wants)
        sources = {key: self.local(item, key) for key in keys}
        for key, path in sources.items():
            file_info(item, key, path, size=options.size, checksum=options.checksum)
        self.upload(item, self._named_apart(item, sources))
        self.logger.info("%s: copied %d assets", item["id"], len(keys))
        return item

    def _named_apart(self, item: Item, sources: Mapping[str, Path]) -> dict[str, Path]:
        """Files under names that differ: two of one name (R10m/B02.jp2, R20m/B02.jp2) get their keys'."""
        names = Counter(path.name for path in sources.values())
        return {
            key: path
            if names[path.name] == 1
            else link(path, self.folder(item) / "named" / f"{key.replace('/', '_')}_{path.name}")
            for key, path in sources.items()
        }


@dataclass(frozen=True, slots=True)
class _Options:
    assets: list[str] | None
    roles: list[str] | None
    media_types: list[str] | None
    checksum: bool
    size: bool

    @classmethod
    def of(cls, given: Mapping[str, Any], shared: Mapping[str, Any]) -> _Options:
        parameters.known(given, ("assets", "roles", "media_types", "checksum", "size"), shared)
        assets, of_roles, media_types = (
            None if given.get(name) is None else parameters.texts(name, given[name])
            for name in ("assets", "roles", "media_types")
        )
        checksum, size = (parameters.flag(name, given.get(name, False)) for name in ("checksum", "size"))
        return cls(assets, of_roles, media_types, checksum, size)

    def wants(self, asset: Asset) -> bool:
        by_role = self.roles is None or bool(roles(asset) & set(self.roles))
        return by_role and (self.media_types is None or has_type(asset, *self.media_types))
