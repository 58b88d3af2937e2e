"""The payload store port on SQLite: bodies stand in the database, keys are their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from cirrus.adapters.sqlite.columns import pack
from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.keys import id_key, named_execution, named_invalid
from cirrus.errors import NotFound

_SCHEME = "cirrus://"
_CHUNK = 100
_PLAIN = re.compile(r"[A-Za-z0-9_.\-/:~!$&'()*+,;=@]*")


class SqlitePayloads:
    """Bodies in a Database under URLs `cirrus://<deployment>/<key>`."""

    def __init__(self, database: Database, state_db: SqliteStateDb, deployment: str, clock: Callable[[], int]) -> None:
        self._db = database
        self._state_db = state_db
        self._base = f"{_SCHEME}{quote(deployment)}/"
        self._clock = clock

    def put(self, key: str, body: bytes) -> str:
        """Keep a body and give its URL; a second put under a key replaces the first."""
        with self._db.group():
            self._db.run(
                "INSERT OR REPLACE INTO names (key, body, at) VALUES (?, ?, ?)",
                (key, self._db.body_id(body), self._clock()),
            )
        return self.url(key)

    def get(self, url: str) -> bytes:
        """The body at a URL of this store. NotFound if there is none, StoreError if it cannot be read."""
        key = self.key(url)
        sql = "SELECT b.body FROM names n JOIN bodies b ON b.id = n.body WHERE n.key = ?"
        row = self._db.row(sql, (key,))
        body = row[0] if row else self._kept(key)
        if body is None:
            raise NotFound("payload at", url)
        return bytes(body)

    def get_many(self, urls: Sequence[str]) -> list[bytes | None]:
        """The bodies at URLs of this store, in that order, None where there is none."""
        keys = [self.key(url) for url in urls]
        found: dict[str, bytes] = {}
        for n in range(0, len(keys), _CHUNK):
            some = keys[n : n + _CHUNK]
            sql = "SELECT n.key, b.body FROM names n JOIN bodies b ON b.id = n.body WHERE n.key IN"
            found = found | self._inputs(some) | dict(self._db.rows(f"{sql} ({','.join('?' * len(some))})", some))
        return [found[key] if key in found else self._kept(key) for key in keys]

    def _inputs(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The bodies of those keys that name an execution's input."""
        named = {pack(one.execution_id): key for key in keys if (one := named_execution(key)) and one.body == "input"}
        sql = "SELECT e.name, r.key, b.body FROM executions e JOIN records r ON r.id = e.record"
        sql += f" JOIN bodies b ON b.id = e.input WHERE e.name IN ({','.join('?' * len(named))})"
        found = {named[name]: (known, body) for name, known, body in self._db.rows(sql, list(named))}
        return {key: body for key, (known, body) in found.items() if f"/executions/{known}/" in key}

    def _kept(self, key: str) -> bytes | None:
        if found := named_execution(key):
            execution = self._state_db.execution(found.execution_id)
            if execution is None or id_key(execution.payload_id) != found.id_key:
                return None
            return execution.input if found.body == "input" else execution.output
        sql = "SELECT b.body FROM quarantine q JOIN bodies b ON b.id = q.body WHERE q.name = ?"
        row = self._db.row(sql, (named_invalid(key),))
        return row[0] if row else None

    def owns(self, url: str) -> bool:
        """Whether a URL is one of this store's."""
        return url.startswith(self._base)

    def key(self, url: str) -> str:
        """The key that a URL of this store names."""
        return unquote(url.removeprefix(self._base))

    def url(self, key: str) -> str:
        """The URL of a key, whether or not something stands there."""
        return self._base + (key if _PLAIN.fullmatch(key) else quote(key, safe="/:~!$&'()*+,;=@"))
