"""What the tasks on assets have in common: choosing them, reading them locally, uploading the results.

Items stay the raw dicts they came as: pystac, which rewrites what it reads, only carries hrefs to and
from stactask.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pystac
from stactask import DownloadConfig, Task

from cirrus.core import path_template
from cirrus.errors import NotFound
from cirrus.tasks import kit
from cirrus.tasks.errors import AssetError, ItemError
from cirrus.tasks.store import PlainUploads, local_path

Item = dict[str, Any]
Asset = Mapping[str, Any]

FILE_EXTENSION = "https://stac-extensions.github.io/file/v2.1.0/schema.json"

_DOWNLOADED = ("http", "https", "s3")


class AssetTask(Task):
    """A task on assets; `place` is checked before anything is written there, and taken once in a payload."""

    name = "assets"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._taken: dict[str, str] = {}

    def copies(self) -> list[Item]:
        """The payload's Items, to be changed; ItemError for one without an id."""
        for item in self.payload.items_as_dicts:
            kit.identity(item)
        return deepcopy(self.payload.items_as_dicts)

    def local(self, item: Item, key: str) -> Path:
        """The file of an asset: where it lies, or a copy in the work folder; AssetError if there is none."""
        href = absolute_href(item, key)
        path = local_path(href)
        if path is None:
            path = self._fetched(item, key, href)
        if not path.is_file():
            raise AssetError(item["id"], key, f"there is no file {path}")
        return path

    def upload(self, item: Item, files: Mapping[str, Path]) -> None:
        """Put files in the Item's place and set the hrefs of the assets that they are of."""
        carrier = _carrier(item, files)
        moved = []
        for key, path in files.items():
            place = kit.locate(self._place(item, key, path.name))
            there = local_path(place)
            if there is not None and there.exists() and path.samefile(there):
                item["assets"][key]["href"] = place
            else:
                moved.append(key)
        uploaded = self.upload_item_assets_to_s3(carrier, moved, _client()) if moved else carrier
        for key in moved:
            item["assets"][key]["href"] = uploaded.assets[key].href

    def folder(self, item: Item) -> Path:
        """A folder of its own for an Item's new files, in the work folder."""
        digest = hashlib.sha256(f"{item.get('collection')}/{item['id']}".encode()).hexdigest()
        folder = Path(self._workdir) / f"{self.name}-{digest[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _place(self, item: Item, key: str, file: str) -> str:
        chosen = self.payload.get_collection_upload_options(item.get("collection"))
        template = chosen.get("path_template", path_template.DEFAULT)
        place = path_template.resolve(os.path.join(template, file), item)  # noqa: PTH118 it may be a URL
        mine = f"Item {item['id']!r}, asset {key!r}"
        if place in self._taken:
            raise AssetError(item["id"], key, f"{place} is the place of {self._taken[place]} too")
        self._taken[place] = mine
        return place

    def _fetched(self, item: Item, key: str, href: str) -> Path:
        own = path_template.is_url(kit.data_root()) and href.startswith(kit.data_root())
        if own or href.split("://")[0].lower() not in _DOWNLOADED:
            return self._read(item, key, href)
        carrier = _carrier(item, {key: href})
        config = DownloadConfig(include=[key])
        folder = f"{self.folder(item).name}/{key}"
        try:
            fetched = self.download_item_assets(carrier, path_template=folder, config=config)
        except Exception as error:
            raise AssetError(item["id"], key, f"cannot download {href}: {error}") from error
        return Path(str(fetched.assets[key].get_absolute_href()))

    def _read(self, item: Item, key: str, href: str) -> Path:
        try:
            data = kit.objects().get(href)
        except NotFound as error:
            raise AssetError(item["id"], key, str(error)) from error
        path = self.folder(item) / key / href.rpartition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path


def choose(item: Item, keys: Sequence[str] | None, wanted: Callable[[Asset], bool]) -> list[str]:
    """The keys of an Item's assets that are wanted, of all or of those named; AssetError for one it lacks."""
    assets = item.get("assets") or {}
    for key in keys or ():
        if key not in assets:
            raise AssetError(item["id"], key, f"no such asset; there are: {', '.join(sorted(assets)) or 'none'}")
    return [key for key in keys or assets if wanted(assets[key])]


def has_type(asset: Asset, *types: str) -> bool:
    """Whether an asset has one of these media types, with or without their parameters."""
    own = str(asset.get("type") or "").lower()
    return any(own == one.lower() or own.startswith(f"{one.lower()};") for one in types)


def roles(asset: Asset) -> set[str]:
    """The roles of an asset."""
    return set(asset.get("roles") or ())


def absolute_href(item: Item, key: str) -> str:
    """The href of an asset, a relative one made absolute by the Item's own place."""
    href = item["assets"][key].get("href")
    if not isinstance(href, str) or not href:
        raise AssetError(item["id"], key, "it has no href")
    if path_template.is_url(href) or Path(href).is_absolute():
        return href
    own = next((link.get("href") for link in item.get("links") or [] if link.get("rel") == "self"), None)
    if own is None:
        return str(Path(href).absolute())
    if path_template.is_url(own):
        return str(urljoin(own, href))
    return str((Path(own).parent / href).absolute())


def link(source: Path, target: Path) -> Path:
    """The source under another name, without a copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)
    return target


def file_info(item: Item, key: str, path: Path, *, size: bool = False, checksum: bool = False) -> None:
    """Set `file:size` and `file:checksum` where asked for, and wherever an old value would now be wrong."""
    asset = item["assets"][key]
    if size or "file:size" in asset:
        asset["file:size"] = path.stat().st_size
    if checksum or "file:checksum" in asset:
        with path.open("rb") as file:
            # The multihash prefix of a SHA-256 of 32 bytes.
            asset["file:checksum"] = "1220" + hashlib.file_digest(file, "sha256").hexdigest()
    if size or checksum:
        extensions = item.setdefault("stac_extensions", [])
        if not any("/file/v" in one for one in extensions):
            extensions.append(FILE_EXTENSION)


def _client() -> Any:
    """None, for the client that the worker gives stactask; without a worker one that reaches more than S3."""
    from boto3utils import s3
    from stactask import asset_io

    return PlainUploads() if type(asset_io.global_s3_client) is s3 else None


def _carrier(item: Item, hrefs: Mapping[str, object]) -> Any:
    """A pystac Item with only these assets, for stactask's calls."""
    assets = {key: {**item["assets"].get(key, {}), "href": str(href)} for key, href in hrefs.items()}
    try:
        return pystac.Item.from_dict(
            {
                "type": "Feature",
                "stac_version": "1.1.0",
                "geometry": None,
                **item,
                "assets": assets,
                "links": [],
            }
        )
    except Exception as error:
        raise ItemError(str(item.get("id")), [f"it cannot be read: {error}"]) from error
