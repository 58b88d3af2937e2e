"""Lets stactask's downloads read the deployment's own data store and declared buckets, which need not be public.

stac-asset reads S3 without credentials unless the requester pays, and other stores not at all. What lies in one of
these, also by the https address that an upload to S3 gives, is read by the client that wrote it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from cirrus.adapters.objects.s3_redirect import address, is_s3
from cirrus.adapters.objects.store import ObjectStores
from cirrus.core.bucket import Access, root_of
from cirrus.core.path_template import is_url


def install(stores: ObjectStores) -> None:
    """Make stac-asset ask `stores` for what lies in their data store."""
    from stac_asset import client as module

    clients: Any = module.Clients
    if not hasattr(clients, "cirrus_stores"):
        clients.get_client = _asking_own_first(clients.get_client, _client_class(module.Client))
    clients.cirrus_stores = stores


def known_place(stores: ObjectStores, href: str) -> str | None:
    """The place in the data store or a declared bucket that an href names; None if it names another."""
    for root in (stores.data, *(root_of(name) for name in stores.declared)):
        if place := own_place(href, root, stores.access(root) if root else None):
            return place
    return None


def own_place(href: str, root: str | None, access: Access | None = None) -> str | None:
    """The place in the bucket of a data store that an href names, by URL or by its https address in S3; else None."""
    if root is None or not is_url(root) or root.startswith("file:"):
        return None
    bucket = "/".join(root.split("/")[:3]) + "/"
    if href.startswith(bucket):
        return href
    web = address(f"{bucket}-", http_url=True, access=access)[:-1]
    named = is_s3(root) and href.startswith(web) and "?" not in href
    return f"{bucket}{unquote(href[len(web) :])}" if named else None


def _asking_own_first(get_client: Any, own_client: Any) -> Any:
    async def found(self: Any, href: str) -> Any:
        stores = type(self).cirrus_stores
        place = known_place(stores, href)
        return await get_client(self, href) if place is None else own_client(stores, place)

    return found


def _client_class(base: Any) -> Any:
    class StoreClient(base):  # type: ignore[misc]
        """Reads one object of the data store."""

        name = "cirrus"

        def __init__(self, stores: ObjectStores, place: str) -> None:
            super().__init__()
            self._stores = stores
            self._place = place

        async def open_url(self, *_: Any, **__: Any) -> AsyncIterator[bytes]:
            async for piece in self._stores.stream(self._place):
                yield piece

        async def assert_href_exists(self, href: str) -> None:
            if not await asyncio.to_thread(self._stores.exists, self._place):
                raise FileNotFoundError(href)

    return StoreClient
