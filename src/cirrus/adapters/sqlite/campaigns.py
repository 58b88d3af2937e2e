"""The campaigns port on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cirrus.adapters.sqlite.columns import pack, unpack
from cirrus.adapters.sqlite.database import Database
from cirrus.core.campaign import CampaignState, Options
from cirrus.core.failure_kind import FailureKind
from cirrus.core.jsontext import decode, encode
from cirrus.ports.campaigns import Campaign, Failing, Member, Outcome
from cirrus.ports.queue import Message, Queue

_CAMPAIGN = "SELECT name, state, created, options, about, reason, total, fed, proven FROM campaigns"
_MEMBER = "SELECT m.n, m.payload_id, m.execution, m.released FROM members m JOIN campaigns c ON c.id = m.campaign"


class SqliteCampaigns:
    """Campaigns and their members in a Database, queued in a queue over the same one."""

    def __init__(self, database: Database, queue: Queue) -> None:
        self._db = database
        self._queue = queue

    def begin(self, campaign: Campaign) -> None:
        """Add a campaign. StoreError if there is one of that name."""
        with self._db.group():
            self._db.run(
                "INSERT INTO campaigns (name, state, created, options, about, fed) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    campaign.name,
                    str(campaign.state),
                    campaign.created,
                    encode(campaign.options.to_json()).decode(),
                    campaign.about,
                    campaign.fed,
                ),
            )

    def add(self, name: str, members: Sequence[tuple[str, str]]) -> None:
        """Add members, as payload id and execution id, to a campaign; they count in its total."""
        with self._db.group():
            number, total = self._db.row("SELECT id, total FROM campaigns WHERE name = ?", (name,))
            for n, (payload_id, execution_id) in enumerate(members, total):
                self._db.run(
                    "INSERT INTO members (campaign, n, payload_id, execution) VALUES (?, ?, ?, ?)",
                    (number, n, payload_id, pack(execution_id)),
                )
            self._db.run("UPDATE campaigns SET total = ? WHERE id = ?", (total + len(members), number))

    def get(self, name: str) -> Campaign | None:
        """One campaign."""
        row = self._db.row(f"{_CAMPAIGN} WHERE name = ?", (name,))
        return _campaign(row) if row else None

    def all(self, limit: int = 100) -> list[Campaign]:
        """The campaigns, newest first."""
        return [_campaign(row) for row in self._db.rows(f"{_CAMPAIGN} ORDER BY id DESC LIMIT ?", (limit,))]

    def active(self) -> list[Campaign]:
        """The campaigns that are RUNNING or have members under way, oldest first."""
        under_way = "SELECT DISTINCT campaign FROM members WHERE released IS NOT NULL AND outcome IS NULL"
        sql = f"{_CAMPAIGN} WHERE state = 'RUNNING' OR id IN ({under_way}) ORDER BY id"
        return [_campaign(row) for row in self._db.rows(sql)]

    def move(self, name: str, before: Sequence[CampaignState], after: CampaignState, reason: str | None = None) -> bool:
        """Change a campaign's state, if it is one of these; whether it was."""
        marks = ",".join("?" * len(before))
        with self._db.group():
            done = self._db.run(
                f"UPDATE campaigns SET state = ?, reason = ? WHERE name = ? AND state IN ({marks})",
                (str(after), reason, name, *map(str, before)),
            )
        return bool(done.rowcount)

    def prove(self, name: str) -> None:
        """The canaries of a campaign came good, or it goes on without."""
        with self._db.group():
            self._db.run("UPDATE campaigns SET proven = 1 WHERE name = ?", (name,))

    def waiting(self, name: str, limit: int) -> list[Member]:
        """The next members that were not released and have no outcome."""
        return self._members("m.released IS NULL", name, limit)

    def open(self, name: str, limit: int) -> list[Member]:
        """The members that were released and have no outcome yet, in order."""
        return self._members("m.released IS NOT NULL", name, limit)

    def _members(self, which: str, name: str, limit: int) -> list[Member]:
        sql = f"{_MEMBER} WHERE c.name = ? AND m.outcome IS NULL AND {which} ORDER BY m.n LIMIT ?"
        rows = self._db.rows(sql, (name, limit))
        return [Member(n, payload_id, unpack(execution), at) for n, payload_id, execution, at in rows]

    def release(self, name: str, released: Sequence[tuple[int, Message]], at: int, fed: int) -> None:
        """Queue members, each by its message, at an instant; the campaign's rate is used up to `fed`."""
        with self._db.group():
            number = self._number(name)
            self._queue.put([message for _, message in released], at)
            for n, _ in released:
                self._db.run("UPDATE members SET released = ? WHERE campaign = ? AND n = ?", (at, number, n))
            self._db.run("UPDATE campaigns SET fed = ? WHERE id = ?", (fed, number))

    def settle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of members."""
        with self._db.group():
            number = self._number(name)
            for one in outcomes:
                self._db.run(
                    "UPDATE members SET outcome = ?, fingerprint = ? WHERE campaign = ? AND n = ?",
                    (one.what, one.fingerprint, number, one.number),
                )

    def _number(self, name: str) -> int:
        return int(self._db.row("SELECT id FROM campaigns WHERE name = ?", (name,))[0])

    def counts(self, name: str) -> Mapping[str, int]:
        """How many members have which outcome; `waiting` and `running` count those that have none."""
        what = "coalesce(m.outcome, iif(m.released IS NULL, 'waiting', 'running'))"
        sql = f"SELECT {what}, count(*) FROM members m WHERE m.campaign = (SELECT id FROM campaigns WHERE name = ?)"
        return {row[0]: row[1] for row in self._db.rows(f"{sql} GROUP BY 1", (name,))}

    def failing(self, name: str) -> list[Failing]:
        """The members that failed, or still do, by the kind of failure, the most frequent first."""
        sql = (
            "SELECT count(*), min(m.payload_id), f.workflow, f.step, f.message FROM members m"
            " JOIN campaigns c ON c.id = m.campaign LEFT JOIN failures f ON f.fingerprint = m.fingerprint"
            " WHERE c.name = ? AND (m.outcome IN ('FAILED', 'INVALID') OR m.fingerprint IS NOT NULL)"
            " GROUP BY m.fingerprint ORDER BY 1 DESC"
        )
        rows = self._db.rows(sql, (name,))
        return [Failing(FailureKind(*kind) if kind[0] is not None else None, n, one) for n, one, *kind in rows]


def _campaign(row: Any) -> Campaign:
    name, state, created, options, about, reason, total, fed, proven = row
    given = Options(**decode(options))
    return Campaign(name, CampaignState(state), created, given, about, reason, total, fed, bool(proven))
