"""Locks by name: one owner at a time, until its time or the lease of a control process ends."""

from __future__ import annotations

from cirrus.adapters.sqlite.database import Database
from cirrus.core.lease import Lease

_HELD = "SELECT l.owner, l.until, o.until FROM locks l LEFT JOIN owners o ON o.name = l.owner WHERE l.name = ?"


def hold(database: Database, name: str, owner: str, lease: Lease) -> bool:
    """Take or renew a lock; False while another owner has it. Only inside a group."""
    held = database.row(_HELD, (name,))
    if held and held[0] != owner and lease.waits_for(held[1]) and (held[2] is None or held[2] > lease.at):
        return False
    database.run("INSERT OR REPLACE INTO locks (name, owner, until) VALUES (?, ?, ?)", (name, owner, lease.until))
    return True


def release(database: Database, name: str, owner: str) -> None:
    """Give a lock back. Only inside a group."""
    database.run("DELETE FROM locks WHERE name = ? AND owner = ?", (name, owner))
