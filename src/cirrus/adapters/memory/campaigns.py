"""The campaigns port in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cirrus.adapters.memory.store import Enlisted, Store
from cirrus.core.campaign import CampaignState
from cirrus.core.state import State
from cirrus.errors import StoreError
from cirrus.ports.campaigns import Campaign, Failing, Member, Outcome
from cirrus.ports.queue import Message, Queue

_FAILED = frozenset(map(str, (State.FAILED, State.INVALID)))


class MemoryCampaigns:
    """Campaigns and their members in a Store, queued in a queue over the same one."""

    def __init__(self, store: Store, queue: Queue) -> None:
        self._store = store
        self._queue = queue

    def begin(self, campaign: Campaign) -> None:
        """Add a campaign. StoreError if there is one of that name."""
        with self._store.writing() as tables:
            if campaign.name in tables.campaigns:
                raise StoreError(f"there is a campaign {campaign.name!r} already")
            tables.campaigns[campaign.name] = campaign

    def add(self, name: str, members: Sequence[tuple[str, str]]) -> None:
        """Add members, as payload id and execution id, to a campaign; they count in its total."""
        with self._store.writing() as tables:
            campaign = tables.campaigns[name]
            for number, pair in enumerate(members, campaign.total):
                tables.members[name, number] = Enlisted(Member(number, *pair))
            tables.campaigns[name] = replace(campaign, total=campaign.total + len(members))

    def get(self, name: str) -> Campaign | None:
        """One campaign."""
        with self._store.reading() as tables:
            return tables.campaigns.get(name)

    def all(self, limit: int = 100) -> list[Campaign]:
        """The campaigns, newest first."""
        with self._store.reading() as tables:
            return list(tables.campaigns.values())[::-1][:limit]

    def active(self) -> list[Campaign]:
        """The campaigns that are RUNNING or have members under way, oldest first."""
        with self._store.reading() as tables:
            found = tables.campaigns.values()
        return [one for one in found if one.state is CampaignState.RUNNING or self.open(one.name, 1)]

    def move(self, name: str, before: Sequence[CampaignState], after: CampaignState, reason: str | None = None) -> bool:
        """Change a campaign's state, if it is one of these; whether it was."""
        with self._store.writing() as tables:
            found = tables.campaigns.get(name)
            if found is None or found.state not in before:
                return False
            tables.campaigns[name] = replace(found, state=after, reason=reason)
            return True

    def prove(self, name: str) -> None:
        """The canaries of a campaign came good, or it goes on without."""
        with self._store.writing() as tables:
            tables.campaigns[name] = replace(tables.campaigns[name], proven=True)

    def waiting(self, name: str, limit: int) -> list[Member]:
        """The next members that were not released and have no outcome."""
        return [one.member for one in self._members(name) if not one.outcome and one.member.released is None][:limit]

    def open(self, name: str, limit: int) -> list[Member]:
        """The members that were released and have no outcome yet, in order."""
        found = (one for one in self._members(name) if not one.outcome and one.member.released is not None)
        return [one.member for one in found][:limit]

    def _members(self, name: str) -> list[Enlisted]:
        with self._store.reading() as tables:
            return [one for (campaign, _), one in tables.members.items() if campaign == name]

    def release(self, name: str, released: Sequence[tuple[int, Message]], at: int, fed: int) -> None:
        """Queue members, each by its message, at an instant; the campaign's rate is used up to `fed`."""
        with self._store.writing() as tables:
            self._queue.put([message for _, message in released], at)
            for number, _ in released:
                one = tables.members[name, number]
                tables.members[name, number] = replace(one, member=replace(one.member, released=at))
            tables.campaigns[name] = replace(tables.campaigns[name], fed=fed)

    def settle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of members."""
        with self._store.writing() as tables:
            for outcome in outcomes:
                one = tables.members[name, outcome.number]
                tables.members[name, outcome.number] = replace(one, outcome=outcome)

    def counts(self, name: str) -> Mapping[str, int]:
        """How many members have which outcome; `waiting` and `running` count those that have none."""
        return Counter(_standing(one) for one in self._members(name))

    def failing(self, name: str) -> list[Failing]:
        """The members that failed, or still do, by the kind of failure, the most frequent first."""
        groups: dict[str | None, list[str]] = {}
        for one in self._members(name):
            if one.outcome and (one.outcome.what in _FAILED or one.outcome.fingerprint):
                groups.setdefault(one.outcome.fingerprint, []).append(one.member.payload_id)
        with self._store.reading() as tables:
            found = [Failing(tables.kinds.get(key or ""), len(ids), ids[0]) for key, ids in groups.items()]
        return sorted(found, key=lambda one: -one.count)


def _standing(one: Enlisted) -> str:
    if one.outcome:
        return one.outcome.what
    return "waiting" if one.member.released is None else "running"
