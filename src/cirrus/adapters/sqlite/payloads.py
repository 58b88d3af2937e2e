"""The payload store port on SQLite: bodies stand in the database, keys are their names."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote

from cirrus.adapters.sqlite.database import Database
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.keys import id_key, named_execution, named_invalid
from cirrus.errors import NotFound

_SCHEME = "cirrus://"


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
        return self._base + quote(key, safe="/:~!$&'()*+,;=@")
