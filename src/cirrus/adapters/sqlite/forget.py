"""Deleting records: everything that belongs to one goes with it, and its tombstone stays.

A tombstone holds the ids of all executions that records of its payload ever had, so that none is used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cirrus.adapters.sqlite.columns import NUMBER, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.core.jsontext import decode, encode
from cirrus.core.keys import id_key
from cirrus.core.state import ENDED
from cirrus.errors import InvalidPayload
from cirrus.ports.state_db import item_refs

_ENDED = ",".join(str(NUMBER[state]) for state in sorted(ENDED))
_OF_EXECUTIONS = ("journal", "logs", "callbacks", "answers", "cancels")


def forget(database: Database, where: str, values: Sequence[int | str], at: int) -> bool:
    """Delete the record that a condition chooses, unless it runs. Only inside a group."""
    row = database.row(f"SELECT id, key FROM records WHERE {where} AND state IN ({_ENDED})", values)
    if row is None:
        return False
    record, key = row
    executions = database.rows("SELECT id, name FROM executions WHERE record = ? ORDER BY n", (record,))
    _bury(database, key, [unpack(name) for _, name in executions], at)
    _without_items(database, record)
    database.standing.clear()
    for table in _OF_EXECUTIONS:
        for number, _ in executions:
            database.run(f"DELETE FROM {table} WHERE execution = ?", (number,))
    for table, column in (("events", "record"), ("executions", "record"), ("records", "id")):
        database.run(f"DELETE FROM {table} WHERE {column} = ?", (record,))
    database.run("UPDATE sweeps SET wanted = 1 WHERE wanted = 0")
    return True


def _without_items(database: Database, record: int) -> None:
    """Items stand by their ids, which the bodies of the executions hold; without those, all are looked through."""
    sql = "SELECT e.id, i.body, o.body FROM executions e LEFT JOIN bodies i ON i.id = e.input"
    sql += " LEFT JOIN bodies o ON o.id = e.output WHERE e.record = ?"
    for number, *bodies in database.rows(sql, (record,)):
        try:
            names = {ref.id for body in bodies if body is not None for ref in item_refs(_features(body))}
        except InvalidPayload:
            database.run("DELETE FROM items WHERE execution = ?", (number,))
            continue
        for name in names:
            database.run("DELETE FROM items WHERE item = ? AND made IN (0, 1) AND execution = ?", (name, number))


def _features(body: bytes) -> list[dict[str, Any]]:
    document = decode(body)
    found = document.get("features") if isinstance(document, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _bury(database: Database, key: str, executions: Iterable[str], at: int) -> None:
    before = _executions(database, [key]).get(key, ())
    text = encode([*before, *executions]).decode()
    database.run("INSERT OR REPLACE INTO tombstones (key, executions, at) VALUES (?, ?, ?)", (key, text, at))


def earlier(database: Database, payload_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The executions on the tombstones of payloads, oldest first."""
    keys = {id_key(known): known for known in payload_ids}
    found = _executions(database, list(keys))
    return {keys[key]: executions for key, executions in found.items()}


def _executions(database: Database, keys: Sequence[str]) -> dict[str, tuple[str, ...]]:
    marks = ",".join("?" * len(keys))
    rows = database.rows(f"SELECT key, executions FROM tombstones WHERE key IN ({marks})", keys)
    return {key: tuple(decode(text)) for key, text in rows}
