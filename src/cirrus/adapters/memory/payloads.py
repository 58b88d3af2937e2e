"""The payload store port in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from cirrus.adapters.memory.store import Store, Tables
from cirrus.core.keys import id_key, named_execution, named_invalid
from cirrus.errors import NotFound


class MemoryPayloads:
    """Bodies in a Store under URLs `cirrus://<deployment>/<key>`."""

    def __init__(self, store: Store, deployment: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._base = f"cirrus://{quote(deployment)}/"

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""
        with self._store.writing() as tables:
            tables.bodies[key] = (body, self._clock())
        return self.url(key)

    def get(self, url: str) -> bytes:
        """The body at a URL of this store; NotFound if there is none."""
        key = self.key(url)
        with self._store.reading() as tables:
            body = tables.bodies[key][0] if key in tables.bodies else _kept(tables, key)
        if body is None:
            raise NotFound("payload at", url)
        return body

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none."""
        return [self._get_or_none(url) for url in urls]

    def _get_or_none(self, url: str) -> bytes | None:
        try:
            return self.get(url)
        except NotFound:
            return None

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return url.startswith(self._base)

    def key(self, url: str) -> str:
        """The key that a URL of this store names."""
        return unquote(url.removeprefix(self._base))

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
        return self._base + quote(key, safe="/:~!$&'()*+,;=@")


def _kept(tables: Tables, key: str) -> bytes | None:
    """What the tables hold without a name of its own: bodies of executions, and messages in quarantine."""
    if found := named_execution(key):
        execution = tables.executions.get(found.execution_id)
        if execution is None or id_key(execution.payload_id) != found.id_key:
            return None
        return execution.input if found.body == "input" else execution.output
    invalid = tables.quarantine.get(named_invalid(key) or "")
    return invalid.body if invalid else None
