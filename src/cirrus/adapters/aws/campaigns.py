"""The campaigns port on DynamoDB: rows of the outbox table.

A campaign is a row that also counts its members. A member stands in one of four places, `waiting`, `open`, `done` or
`failed`, in which it is the row of its number, and moves in one transaction with the counts; when it is queued, in one
with the delivery of its message.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from cirrus.adapters.aws import attributes as rows_of
from cirrus.adapters.aws.attributes import Row, number, text
from cirrus.adapters.aws.delivery_row import key
from cirrus.adapters.aws.outbox import DynamoOutbox
from cirrus.adapters.aws.portions import portions
from cirrus.adapters.aws.tables import Tables
from cirrus.core.campaign import CampaignState, Options
from cirrus.core.jsontext import decode, encode
from cirrus.core.state import State
from cirrus.errors import ConfigError, StoreError
from cirrus.ports.campaigns import Campaign, Failing, Member, Outcome
from cirrus.ports.queue import Message

CAMPAIGNS = "campaigns"
_PLACES = ("waiting", "open", "done", "failed")
_FAILED = frozenset(map(str, (State.FAILED, State.INVALID)))
_COUNT = "n_"
_MOST = 40
_LARGE = 2_000_000


class DynamoCampaigns:
    """Campaigns and their members; `state` is the table of records, which knows kinds of failure."""

    def __init__(self, tables: Tables, table: str | None, outbox: DynamoOutbox, state: str) -> None:
        self._tables = tables
        self._name = table
        self._outbox = outbox
        self._state = state

    # ---------------------------------------------------------------- campaigns

    def begin(self, campaign: Campaign) -> None:
        """Add a campaign. StoreError if there is one of that name."""
        row = {**_key(campaign.name), **_row(campaign)}
        made = f'INSERT INTO "{self._table}" VALUE {{{",".join(f"{chr(39)}{name}{chr(39)}:?" for name in row)}}}'
        if self._tables.execute("begin a campaign", [(made, list(row.values()))]) != [True]:
            raise StoreError(f"there is a campaign {campaign.name!r} already")

    def get(self, name: str) -> Campaign | None:
        """One campaign."""
        row = self._header(name)
        return _campaign(row) if row else None

    def all(self, limit: int = 100) -> list[Campaign]:
        """The campaigns, newest first."""
        return sorted(map(_campaign, self._headers()), key=lambda one: (-one.created, one.name))[:limit]

    def active(self) -> list[Campaign]:
        """The campaigns that are RUNNING or have members under way, oldest first."""
        found = [row for row in self._headers() if row["state"]["S"] == "RUNNING" or _counts(row).get("running")]
        return sorted(map(_campaign, found), key=lambda one: (one.created, one.name))

    def move(self, name: str, before: Sequence[CampaignState], after: CampaignState, reason: str | None = None) -> bool:
        """Change a campaign's state, if it is one of these; whether it was."""
        told = [text(str(after)), *([text(reason)] if reason else [])]
        sets = "SET #state = :0" + (", reason = :1" if reason else " REMOVE reason")
        values = {f":{n}": value for n, value in enumerate(told)}
        values |= {f":was{n}": text(str(state)) for n, state in enumerate(before)}
        where = f"#state IN ({', '.join(f':was{n}' for n in range(len(before)))})"
        return self._update(name, sets, values, {"#state": "state"}, where)

    def prove(self, name: str) -> None:
        """The canaries of a campaign came good, or it goes on without."""
        self._update(name, "SET proven = :yes", {":yes": {"BOOL": True}}, {}, "attribute_exists(id)")

    def _update(self, name: str, sets: str, values: Row, names: Mapping[str, str], where: str) -> bool:
        action = {**self._changing(name, sets, values, names)["Update"], "ConditionExpression": where}
        return not self._tables.transact("change a campaign", [{"Update": action}], secrets.token_hex(16))

    def _changing(self, name: str, sets: str, values: Row, names: Mapping[str, str]) -> Row:
        action = {
            "TableName": self._table,
            "Key": _key(name),
            "UpdateExpression": sets,
            "ExpressionAttributeValues": values,
        }
        return {"Update": action | ({"ExpressionAttributeNames": dict(names)} if names else {})}

    def _header(self, name: str) -> Row | None:
        if self._name is None:
            return None
        return next(iter(self._tables.get(self._table, [_key(name)])), None)

    def _headers(self) -> list[Row]:
        return list(self._rows(CAMPAIGNS)) if self._name is not None else []

    # ---------------------------------------------------------------- members

    def add(self, name: str, members: Sequence[tuple[str, str]]) -> None:
        """Add members, as payload id and execution id, to a campaign; they count in its total."""
        found = self.get(name)
        if found is None:
            raise StoreError(f"there is no campaign {name!r}")
        rows = [
            {**key(_place(name, "waiting"), n), "payload_id": text(payload_id), "execution": text(execution_id)}
            for n, (payload_id, execution_id) in enumerate(members, found.total)
        ]
        self._tables.write(self._table, [{"PutRequest": {"Item": row}} for row in rows])
        given = {":more": number(len(members)), ":total": number(found.total + len(members))}
        names = {"#total": "total", "#waiting": f"{_COUNT}waiting"}
        self._update(name, "SET #total = :total ADD #waiting :more", given, names, _EXISTS)

    def waiting(self, name: str, limit: int) -> list[Member]:
        """The next members that were not released and have no outcome."""
        return self._members(name, "waiting", limit)

    def open(self, name: str, limit: int) -> list[Member]:
        """The members that were released and have no outcome yet, in order."""
        return self._members(name, "open", limit)

    def _members(self, name: str, place: str, limit: int) -> list[Member]:
        return [_member(row) for row in islice(self._rows(_place(name, place), limit), limit)]

    def release(self, name: str, released: Sequence[tuple[int, Message]], at: int, fed: int) -> None:
        """Queue members, each by its message; the campaign's rate is used up to `fed`."""
        for some in portions(released, _MOST, _LARGE):
            rows = self._standing(name, [n for n, _ in some])
            moves = [(row, "open", {"released": number(at)}) for row in rows if _where(row) == "waiting"]
            going = {int(row["id"]["N"]) for row, _, _ in moves}
            sent = [self._outbox.rerun(message, at) for n, message in some if n in going]
            self._shift(name, moves, Counter({"waiting": -len(moves), "running": len(moves)}), fed, sent)
        if not released:
            self._update(name, "SET fed = :fed", {":fed": number(fed)}, {}, _EXISTS)

    def settle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of members."""
        for start in range(0, len(outcomes), _MOST):
            told = {one.number: one for one in outcomes[start : start + _MOST]}
            moves, counts = [], Counter[str]()
            for row in self._standing(name, list(told)):
                one = told[int(row["id"]["N"])]
                more = {"outcome": text(one.what)} | ({"fingerprint": text(one.fingerprint)} if one.fingerprint else {})
                moves.append((row, "failed" if one.what in _FAILED or one.fingerprint else "done", more))
                counts["running" if _where(row) == "open" else "waiting"] -= 1
                counts[one.what] += 1
            if moves:
                self._shift(name, moves, counts, None, [])

    def _standing(self, name: str, numbers: Sequence[int]) -> list[Row]:
        """The rows of members that have no outcome yet."""
        keys = [key(_place(name, place), n) for n in numbers for place in ("waiting", "open")]
        return self._tables.get(self._table, keys) if keys else []

    def _shift(
        self, name: str, moves: Sequence[tuple[Row, str, Row]], counts: Counter[str], fed: int | None, sent: Any
    ) -> None:
        """Move members from place to place, in one transaction with the counts and what is sent."""
        actions: list[Row] = []
        for row, place, more in moves:
            moved = {**row, **key(_place(name, place), int(row["id"]["N"])), **more}
            there = {"TableName": self._table, "ConditionExpression": _EXISTS}
            old = {part: row[part] for part in ("target", "id")}
            actions += [{"Delete": {"Key": old, **there}}, {"Put": {"TableName": self._table, "Item": moved}}]
        changed = {what: n for what, n in counts.items() if n}
        names = {f"#{n}": f"{_COUNT}{what}" for n, what in enumerate(changed)}
        values = {f":{n}": number(by) for n, by in enumerate(changed.values())}
        sets = ("SET fed = :fed " if fed is not None else "") + (
            f"ADD {', '.join(f'#{n} :{n}' for n in range(len(changed)))}" if changed else ""
        )
        values |= {":fed": number(fed)} if fed is not None else {}
        if not sets:
            return
        puts, written = self._outbox.writing(sent)
        actions = [self._changing(name, sets, values, names), *actions, *puts]
        refused = self._tables.transact("feed a campaign", actions, secrets.token_hex(16))
        if refused:
            raise StoreError(f"campaign {name!r} is fed by somebody else at the same time")
        self._outbox.hold_fresh(written)

    # ---------------------------------------------------------------- reports

    def counts(self, name: str) -> Mapping[str, int]:
        """How many members have which outcome; `waiting` and `running` count those that have none."""
        row = self._header(name)
        return _counts(row) if row else {}

    def failing(self, name: str) -> list[Failing]:
        """The members that failed, or still do, by the kind of failure, the most frequent first."""
        groups: dict[str, list[str]] = {}
        for row in self._rows(_place(name, "failed")) if self._name is not None else ():
            groups.setdefault(row.get("fingerprint", {}).get("S", ""), []).append(row["payload_id"]["S"])
        keys = [rows_of.key(ids[0]) for ids in groups.values()]
        known = {rows_of.payload_id_of(row): row for row in self._tables.get(self._state, keys)} if keys else {}
        found = [Failing(_kind(known.get(ids[0]), print_), len(ids), ids[0]) for print_, ids in groups.items()]
        return sorted(found, key=lambda one: -one.count)

    def _rows(self, target: str, limit: int | None = None) -> Iterator[Row]:
        return self._tables.query(
            self._table,
            limit=limit,
            KeyConditionExpression="target = :target",
            ExpressionAttributeValues={":target": text(target)},
            ConsistentRead=True,
        )

    @property
    def _table(self) -> str:
        if self._name is None:
            raise ConfigError("AWS", ["this deployment has no table for campaigns: deploy it again to have one"])
        return self._name


_EXISTS = "attribute_exists(id)"


def _key(name: str) -> Row:
    """The key of a campaign: a number that its name gives."""
    return key(CAMPAIGNS, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def _place(name: str, place: str) -> str:
    return f"campaign/{name}/{place}"


def _where(row: Row) -> str:
    return str(row["target"]["S"]).rpartition("/")[2]


def _row(campaign: Campaign) -> Row:
    row = {
        "name": text(campaign.name),
        "state": text(str(campaign.state)),
        "created": number(campaign.created),
        "options": text(encode(campaign.options.to_json()).decode()),
        "about": text(campaign.about),
        "total": number(campaign.total),
        "fed": number(campaign.fed),
        "proven": {"BOOL": campaign.proven},
    }
    return row | ({"reason": text(campaign.reason)} if campaign.reason else {})


def _campaign(row: Row) -> Campaign:
    return Campaign(
        name=row["name"]["S"],
        state=CampaignState(row["state"]["S"]),
        created=int(row["created"]["N"]),
        options=Options(**decode(row["options"]["S"])),
        about=row["about"]["S"],
        reason=row.get("reason", {}).get("S"),
        total=int(row["total"]["N"]),
        fed=int(row["fed"]["N"]),
        proven=row["proven"]["BOOL"],
    )


def _counts(row: Row) -> dict[str, int]:
    found = {name.removeprefix(_COUNT): int(value["N"]) for name, value in row.items() if name.startswith(_COUNT)}
    return {what: n for what, n in found.items() if n}


def _member(row: Row) -> Member:
    released = int(row["released"]["N"]) if "released" in row else None
    return Member(int(row["id"]["N"]), row["payload_id"]["S"], row["execution"]["S"], released)


def _kind(row: Row | None, fingerprint: str) -> Any:
    """The kind of a failure, as long as the record still says it."""
    if row is None or "failure" not in row or row.get("fingerprint", {}).get("S") != fingerprint:
        return None
    return rows_of.kind(row)
