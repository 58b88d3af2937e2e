"""Queued messages by lane (see `cirrus.core.pick`): one index, of which only what is asked for is read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from cirrus.adapters.sqlite.database import Database
from cirrus.core.keys import id_key
from cirrus.core.payload_id import lane as parts
from cirrus.core.pick import Lane, Waiting
from cirrus.ports.queue import Message

_WAITING = "FROM messages INDEXED BY messages_waiting WHERE visible = 0"
_MESSAGE = "SELECT m.id, CAST(b.body AS BLOB), m.attempts, m.body"
_LOWEST = -(1 << 62)
_CHUNK = 500


def insert(db: Database, messages: Iterable[tuple[Message, int, bytes]], at: int) -> None:
    """Queue messages, each with its priority and the digest of its body; only inside a group."""
    given = list(messages)
    bodies = db.body_ids({digest: message.body for message, _, digest in given})
    rows = []
    for message, priority, digest in given:
        key, collections, group = place(db, message.payload_id)
        rows.append((bodies[digest], key, priority, collections, group, at))
    db.insert("INSERT INTO messages (body, key, priority, collections, grp, queued)", rows)


def place(db: Database, payload_id: str | None) -> tuple[str | None, int, int]:
    """The columns key, collections and grp of messages of a payload; only inside a group."""
    if payload_id is None:
        return None, 0, 0
    collections, workflow = parts(payload_id)
    return id_key(payload_id), db.collections_id(collections), db.group_id(f"{collections}_{workflow}")


class SqliteLanes:
    """The lanes of a Database; to be read inside a group."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def priorities(self) -> Iterator[int]:
        """The priorities at which something waits, the highest first."""
        below = -_LOWEST
        while row := self._db.row(
            f"SELECT priority {_WAITING} AND priority < ? ORDER BY priority DESC LIMIT 1", (below,)
        ):
            below = row[0]
            yield below

    def lanes(self, priority: int, after: int) -> Iterator[Lane]:
        """Lanes in which something waits, in the order of `turn` from behind `after`, round to `after` itself."""
        for row in self._pairs(priority, after):
            yield self._lane(priority, *row)
        for row in self._pairs(priority, -1):
            if row[0] > after:
                return
            yield self._lane(priority, *row)

    def _pairs(self, priority: int, after: int) -> Iterator[tuple[int, int]]:
        """Each (collections, grp) behind some collections: one step in the index for each."""
        beyond = f"SELECT collections, grp {_WAITING} AND priority = ? AND collections > ? ORDER BY 1, 2 LIMIT 1"
        beside = f"SELECT grp {_WAITING} AND priority = ? AND collections = ? AND grp > ? ORDER BY 1 LIMIT 1"
        while row := self._db.row(beyond, (priority, after)):
            after, group = row
            yield after, group
            while row := self._db.row(beside, (priority, after, group)):
                group = row[0]
                yield after, group

    def _lane(self, priority: int, turn: int, group: int) -> Lane:
        if not group:
            return Lane(priority, turn, "", "", group)
        collections, _, workflow = self._db.group_name(group).rpartition("_")
        return Lane(priority, turn, collections, workflow, group)

    def messages(self, lane: Lane, behind: int, limit: int) -> Iterator[Waiting]:
        """Up to `limit` messages of a lane, the oldest first, those with a higher number than `behind`."""
        sql = (
            f"{_MESSAGE} FROM messages m INDEXED BY messages_waiting JOIN bodies b ON b.id = m.body"
            " WHERE m.visible = 0 AND m.priority = ? AND m.collections = ? AND m.grp = ? AND m.id > ?"
            " ORDER BY m.id LIMIT ?"
        )
        for row in self._db.each(sql, (lane.priority, lane.turn, lane.key, behind, limit)):
            yield Waiting(row[0], self._db.stored(row[1], row[3]), row[2], lane)

    def of(self, payload_ids: Collection[str]) -> Iterator[Waiting]:
        """The waiting messages of these payloads, the oldest first."""
        found: list[tuple[int, ...]] = []
        keys = sorted(map(id_key, payload_ids))
        for chunk in (keys[n : n + _CHUNK] for n in range(0, len(keys), _CHUNK)):
            sql = "SELECT id, priority, collections, grp FROM messages INDEXED BY messages_by_key WHERE visible = 0"
            found += self._db.rows(f"{sql} AND key IN ({','.join('?' * len(chunk))})", chunk)
        for number, *lane in sorted(found):
            row: Any = self._db.row(
                f"{_MESSAGE} FROM messages m JOIN bodies b ON b.id = m.body WHERE m.id = ?", (number,)
            )
            yield Waiting(row[0], self._db.stored(row[1], row[3]), row[2], self._lane(*lane))
