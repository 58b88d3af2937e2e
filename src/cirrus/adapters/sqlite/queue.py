"""The queue port on SQLite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cirrus.adapters.sqlite.database import Database, digest_of
from cirrus.adapters.sqlite.lanes import SqliteLanes, insert, place
from cirrus.adapters.sqlite.state_db import SqliteStateDb
from cirrus.core.keys import id_key
from cirrus.core.payload_id import lane
from cirrus.core.pick import Allowance, Waiting, again, first, pick, spent
from cirrus.core.throttle import Pause, Throttle
from cirrus.ports.queue import BATCH_BYTES, NONE, Kept, Message, Queued, Rejected, Taken

_AWAY = "FROM messages INDEXED BY messages_away WHERE visible > 0"
_BACK = 1000  # how many messages whose lease has ended wait again at one take
_LEASE = "UPDATE messages SET visible = ?, owner = ?, attempts = attempts + 1 WHERE id IN ({})"


class SqliteQueue:
    """Messages and quarantine in a Database; events of rejected messages go through its state database."""

    def __init__(self, database: Database, state_db: SqliteStateDb) -> None:
        self._db = database
        self._state_db = state_db
        self._lanes = SqliteLanes(database)
        self._served: dict[int, int] = {}

    def put(self, messages: Sequence[Message], at: int) -> None:
        """Queue messages; all of them or none."""
        hashed = [(message, message.priority, digest_of(message.body)) for message in messages]  # others may write
        with self._db.group():
            insert(self._db, hashed, at)

    # ---------------------------------------------------------------- taking

    def take(
        self,
        limit: int,
        *,
        owner: str,
        now: int,
        until: int,
        only: Collection[str] | None = None,
        throttle: Throttle = NONE,
        size: int = BATCH_BYTES,
    ) -> list[Taken]:
        """Lease messages that are next, within what limits leave room for."""
        if limit <= 0:
            return []
        with self._db.group():
            self._come_back(now)
            allowance = self._allowance(throttle, now)
            if only is None:
                picked = pick(self._lanes, limit, size, allowance, self._served)
            else:
                picked = first(self._lanes.of(only), limit, size, allowance)
            self._db.run_of(_LEASE, [message.number for message in picked], (until, owner))
        return [_taken(message) for message in picked]

    def _come_back(self, now: int) -> None:
        """Let messages wait again whose lease has ended."""
        sql = f"SELECT id {_AWAY} AND visible <= ? ORDER BY visible LIMIT ?"
        for (number,) in self._db.rows(sql, (now, _BACK)):
            self._db.run("UPDATE messages SET visible = 0, owner = NULL WHERE id = ?", (number,))

    def _allowance(self, throttle: Throttle, now: int) -> Allowance:
        return Allowance(throttle, self.pauses(), *((self._running(), self._debts()) if throttle else ({}, {})), now)

    def _running(self) -> dict[tuple[str, str], int]:
        sql = (
            "SELECT r.grp, count(*) FROM executions e INDEXED BY executions_running"
            " JOIN records r ON r.id = e.record WHERE e.stopped IS NULL GROUP BY r.grp"
        )
        counts = {self._db.group_name(group).rpartition("_"): n for group, n in self._db.rows(sql)}
        return {(name[0], name[2]): number for name, number in counts.items()}

    def _debts(self) -> dict[str, int]:
        return dict(self._db.rows("SELECT name, until FROM debts"))

    def spend(self, payload_ids: Sequence[str], throttle: Throttle, now: int) -> None:
        """Executions of these payloads begin: what that leaves of the rates is kept."""
        with self._db.group():
            for name, until in spent(throttle, self._debts(), map(lane, payload_ids), now).items():
                self._db.run("INSERT OR REPLACE INTO debts (name, until) VALUES (?, ?)", (name, until))

    def again(self, throttle: Throttle, now: int) -> int | None:
        """When `take` may find more though nothing else happens."""
        with self._db.group():
            back = self._db.row(f"SELECT min(visible) {_AWAY}")[0]
            room = again(self._lanes, self._allowance(throttle, now)) if throttle else None
        return min((at for at in (back, room) if at is not None), default=None)

    # ---------------------------------------------------------------- what was taken

    def settle(self, receipts: Sequence[str]) -> None:
        """Remove messages that are dealt with; one that is gone already is no error."""
        self._state_db.note((), receipts)

    def release(self, receipts: Sequence[str], visible: int = 0) -> None:
        """Give messages back, to be taken from the instant `visible` on."""
        with self._db.group():
            for receipt in receipts:
                self._db.run("UPDATE messages SET visible = ?, owner = NULL WHERE id = ?", (visible, int(receipt)))

    def sort(self, receipts: Mapping[str, str]) -> set[str]:
        """Put messages back whose payload ids have become known, to wait where they belong: all of them."""
        with self._db.group():
            for receipt, payload_id in receipts.items():
                self._db.run(
                    "UPDATE messages SET key = ?, collections = ?, grp = ?, visible = 0, owner = NULL WHERE id = ?",
                    (*place(self._db, payload_id), int(receipt)),
                )
        return set()

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Keep messages that were no payload, settle them and record their events, in one transaction."""
        with self._db.group():
            for message in rejected:
                self._db.run(
                    "INSERT OR REPLACE INTO quarantine (name, at, reason, body) VALUES (?, ?, ?, ?)",
                    (message.name, message.event.at, message.reason, self._db.body_id(message.body)),
                )
                self._state_db.note([message.event], [message.receipt] if message.receipt else [])

    # ---------------------------------------------------------------- looking

    def quarantined(self, limit: int = 1000) -> list[Kept]:
        """The newest messages in quarantine."""
        sql = "SELECT q.name, q.at, q.reason, b.body FROM quarantine q JOIN bodies b ON b.id = q.body"
        return [Kept(*row) for row in self._db.rows(f"{sql} ORDER BY q.at DESC, q.name LIMIT ?", (limit,))]

    def kept(self, name: str) -> Kept | None:
        """One message in quarantine by its name."""
        sql = "SELECT q.name, q.at, q.reason, b.body FROM quarantine q JOIN bodies b ON b.id = q.body WHERE q.name = ?"
        row = self._db.row(sql, (name,))
        return Kept(*row) if row else None

    def requeue(self, names: Collection[str], at: int) -> set[str]:
        """Queue messages in quarantine again as they are; gives the names of those that were there."""
        with self._db.group():
            found = {name: one for name in names if (one := self.kept(name)) is not None}
            self.put([Message(one.body) for one in found.values()], at)
            return self.discard(found)

    def discard(self, names: Collection[str]) -> set[str]:
        """Remove messages from quarantine for good; gives the names of those that were there."""
        with self._db.group():
            return {name for name in names if self._db.run("DELETE FROM quarantine WHERE name = ?", (name,)).rowcount}

    def holds(self, payload_id: str) -> bool:
        """Whether a message of this payload id waits or is being worked on."""
        return self._db.row("SELECT 1 FROM messages WHERE key = ? LIMIT 1", (id_key(payload_id),)) is not None

    def waiting(self, payload_id: str) -> list[Queued]:
        """The messages of a payload id, oldest first."""
        sql = "SELECT m.queued, m.visible, m.owner, m.attempts, (SELECT count(*) FROM messages o WHERE o.id < m.id)"
        return [Queued(*row) for row in self._db.rows(f"{sql} FROM messages m WHERE m.key = ?", (id_key(payload_id),))]

    def depth(self) -> int:
        """How many messages there are, leased ones included."""
        return int(self._db.row("SELECT count(*) FROM messages")[0])

    def stirs(self) -> bool:
        """Whether there is a message that nobody has to resume first."""
        with self._db.group():
            allowance = Allowance(pauses=self.pauses())
            lanes = (one for priority in self._lanes.priorities() for one in self._lanes.lanes(priority, 0))
            if any(not allowance.paused(one.collections, one.workflow) for one in lanes):
                return True
            away = self._db.each(f"SELECT grp {_AWAY}")
            return any(not allowance.paused(*self._parts(group)) for (group,) in away)

    def _parts(self, group: int) -> tuple[str, str]:
        collections, _, workflow = self._db.group_name(group).rpartition("_") if group else ("", "", "")
        return collections, workflow

    # ---------------------------------------------------------------- pauses

    def pause(self, pause: Pause) -> None:
        """Let no message of a scope be taken until it is resumed; a second pause of the scope replaces the first."""
        with self._db.group():
            self._db.run(
                "INSERT OR REPLACE INTO pauses (kind, name, at, reason) VALUES (?, ?, ?, ?)",
                (pause.kind, pause.name, pause.at, pause.reason),
            )

    def resume(self, kind: str, name: str) -> bool:
        """Lift the pause of a scope; False if there was none."""
        with self._db.group():
            return self._db.run("DELETE FROM pauses WHERE kind = ? AND name = ?", (kind, name)).rowcount > 0

    def pauses(self) -> list[Pause]:
        """The pauses that hold, the oldest first."""
        return [
            Pause(*row) for row in self._db.rows("SELECT kind, name, at, reason FROM pauses ORDER BY at, kind, name")
        ]


def _taken(message: Waiting) -> Taken:
    where = message.lane
    return Taken(str(message.number), message.body, message.attempts + 1, where.priority, bool(where.workflow))
