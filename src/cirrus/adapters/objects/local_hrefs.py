"""Lets stactask's downloads read local files: stac-asset takes plain paths only, and reads them as URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

MISREAD = "%#?"


def install() -> None:
    """Make stac_asset.download_item take `file://` hrefs and paths with any character."""
    import stac_asset

    if not hasattr(stac_asset.download_item, "cirrus"):
        stac_asset.download_item = with_local_hrefs(stac_asset.download_item)


def with_local_hrefs(download: Any) -> Any:
    """`download` for an Item whose local hrefs are put as stac-asset reads them."""

    async def download_item(item: Any, *args: Any, **kwargs: Any) -> Any:
        for link in item.links:
            if link.rel == "self" and isinstance(link.target, str):
                link.target = plain(link.target)
        before = {key: plain(asset.href) for key, asset in item.assets.items()}
        for key, asset in item.assets.items():
            asset.href = readable(before[key])
        downloaded = await download(item, *args, **kwargs)
        for key, asset in downloaded.assets.items():
            if key in before and asset.href == readable(before[key]):
                asset.href = before[key]
        return downloaded

    download_item.cirrus = True  # type: ignore[attr-defined]
    return download_item


def plain(href: str) -> str:
    """The path of a `file://` URL; anything else as it is."""
    return unquote(urlsplit(href).path) if href.lower().startswith("file://") else href


def readable(href: str) -> str:
    """An absolute path as a URL reader understands it."""
    return quote(href) if href.startswith("/") and any(mark in href for mark in MISREAD) else href
