"""Campaigns: freeze a selection, queue its members bit by bit, see what becomes of them, and report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from cirrus.core.campaign import MOVES, CampaignState, Change, Options, changes, rerun_with
from cirrus.core.execution_id import unnumbered
from cirrus.core.instant import SECOND, iso
from cirrus.core.jsontext import decode
from cirrus.core.keys import input_key
from cirrus.core.payload import accept
from cirrus.core.payload_id import parse
from cirrus.core.record import Record
from cirrus.core.state import ENDED, State
from cirrus.errors import CirrusError, ConfigError, NotFound
from cirrus.flow.home import Home
from cirrus.flow.query import records
from cirrus.flow.redrive import obstacle
from cirrus.flow.submit import check
from cirrus.ports.campaigns import Campaign, Failing, Member, Outcome
from cirrus.ports.query import Query
from cirrus.ports.queue import Message

AT_ONCE = 2_000
_PORTION = 500
_GONE, _MOVED, _REFUSED, _CANNOT = "gone", "moved on", "refused", "cannot go on"


class CannotMove(CirrusError):
    """A campaign is in no state in which this can be done."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a campaign would do: how many records by state, some of them, and what it changes in the first one.

    `obstacles` says which of the sample cannot go on at the step that failed, and why, where that is asked for.
    """

    counts: Mapping[State, int]
    sample: tuple[str, ...]
    changes: tuple[Change, ...]
    obstacles: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        changed = [{"task": one.task, "name": one.name, "old": one.old, "new": one.new} for one in self.changes]
        counts = {str(state): number for state, number in self.counts.items()}
        told = {"total": sum(counts.values()), "counts": counts, "sample": list(self.sample), "changes": changed}
        return told | ({"cannot_go_on": dict(self.obstacles)} if self.obstacles else {})


@dataclass(frozen=True, slots=True)
class Report:
    """How far a campaign has come: its members by outcome, and what still fails, grouped as by `errors`."""

    campaign: Campaign
    counts: Mapping[str, int]
    failing: tuple[Failing, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it by itself."""
        running = self.campaign.state in {CampaignState.PREPARING, CampaignState.RUNNING}
        return not running and not self.counts.get("running")

    @property
    def good(self) -> int:
        """How many came good."""
        return self.counts.get(str(State.COMPLETED), 0)

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        one = self.campaign
        told = {
            "campaign": one.name,
            "state": str(one.state),
            "reason": one.reason,
            "created": iso(one.created),
            "selection": one.about,
            "options": one.options.to_json(),
            "total": one.total,
            "counts": dict(self.counts),
            "failing": [_told(group) for group in self.failing],
        }
        return {name: value for name, value in told.items() if value is not None}


def _told(group: Failing) -> dict[str, Any]:
    kind = group.kind
    named = {} if kind is None else {"fingerprint": kind.fingerprint, "step": kind.step, "message": kind.message}
    return {"count": group.count, **named, "sample": group.sample}


# ---------------------------------------------------------------- beginning


def preview(home: Home, query: Query, options: Options, *, sample: int = 5) -> Preview:
    """What a campaign over a query would do; nothing is changed. InvalidPayload if a parameter cannot be so."""
    _possible(home, options)
    _check(home, query, options)
    counts: dict[State, int] = {}
    some: list[Record] = []
    for record in _members(home, query):
        counts[record.state] = counts.get(record.state, 0) + 1
        if len(some) < sample:
            some.append(record)
    text = next(iter(_inputs(home, list(map(_as_member, some[:1])))), None)
    changed = tuple(changes(text, options)) if text is not None else ()
    found = {record.payload_id: _obstacle(home, options, record) for record in some}
    obstacles = {known: why for known, why in found.items() if why is not None}
    return Preview(counts, tuple(found), changed, obstacles)


def start(
    home: Home, query: Query, options: Options, *, name: str, about: str = "", limit: int | None = None
) -> Report:
    """Freeze the records of a query that have ended as the members of a new campaign, which runs from then on.

    InvalidPayload if a parameter cannot be what the options make it.
    """
    _possible(home, options)
    _check(home, query, options)
    now = home.clock()
    home.campaigns.begin(Campaign(name, CampaignState.PREPARING, now, options, about, fed=now))
    stream = islice(_members(home, query), limit)
    while some := list(islice(stream, _PORTION)):
        home.campaigns.add(name, [(one.payload_id, one.run or "") for one in some])
    home.campaigns.move(name, (CampaignState.PREPARING,), CampaignState.RUNNING)
    return report(home, name)


def _possible(home: Home, options: Options) -> None:
    if options.continue_failed and options.parameters and home.engine is not None:
        told = "what goes on from the step that failed does so with what it was given: no parameter can be set for it"
        raise ConfigError("AWS", [f"{told}; rerun from the first step, or leave the parameters as they are"])


def _members(home: Home, query: Query) -> Iterator[Record]:
    wanted = tuple(state for state in query.states or tuple(ENDED) if state in ENDED)
    return (one for one in records(home, replace(query, states=wanted)) if one.execution_id) if wanted else iter(())


def _check(home: Home, query: Query, options: Options) -> None:
    """Hold changed parameters to what tasks declare, in one record of each workflow among the first."""
    seen: set[str] = set()
    for record in islice(_members(home, query), _PORTION) if options.parameters else ():
        workflow = parse(record.payload_id).workflow
        text = None if workflow in seen else _inputs(home, [_as_member(record)])[0]
        if text is not None:
            seen.add(workflow)
            check(home, accept(decode(rerun_with(text, options, record.execution_id or ""))))


# ---------------------------------------------------------------- what operators ask for


def report(home: Home, name: str) -> Report:
    """How far a campaign has come; NotFound if there is none of that name."""
    found = home.campaigns.get(name)
    if found is None:
        known = ", ".join(one.name for one in home.campaigns.all(10)) or "none"
        raise NotFound("campaign", name, f"there are: {known}")
    return Report(found, home.campaigns.counts(name), tuple(home.campaigns.failing(name)))


def move(home: Home, name: str, how: str) -> Report:
    """Pause, resume or cancel a campaign; CannotMove where its state does not allow that."""
    before, after = MOVES[how]
    found = report(home, name).campaign
    with home.unit.group():
        done = home.campaigns.move(name, before, after)
        if done and found.state is CampaignState.STOPPED and after is CampaignState.RUNNING:
            home.campaigns.prove(name)
    if not done:
        raise CannotMove(f"campaign {name!r} is {found.state}: it cannot {how}")
    return report(home, name)


# ---------------------------------------------------------------- feeding


def feed(home: Home, now: int) -> int:
    """Settle what has ended, and queue what comes next of every running campaign; gives how many were queued.

    Inside the caller's group, so that a member is queued once however many control processes feed.
    """
    return sum(_feed(home, campaign, now) for campaign in home.campaigns.active())


def _feed(home: Home, campaign: Campaign, now: int) -> int:
    under_way = home.campaigns.open(campaign.name, campaign.options.max_running or AT_ONCE)
    settled = _settled(home, under_way, now)
    home.campaigns.settle(campaign.name, settled)
    if campaign.state is not CampaignState.RUNNING:
        return 0
    room = (campaign.options.max_running or AT_ONCE) - (len(under_way) - len(settled))
    room, fed = _allowed(campaign, min(room, _leave(home, campaign)), now)
    queued = _release(home, campaign, home.campaigns.waiting(campaign.name, room) if room > 0 else [], now, fed)
    if not queued and len(under_way) == len(settled) and not home.campaigns.waiting(campaign.name, 1):
        home.campaigns.move(campaign.name, (CampaignState.RUNNING,), CampaignState.DONE)
    return queued


def _settled(home: Home, members: list[Member], now: int) -> list[Outcome]:
    found = home.state_db.get([one.payload_id for one in members])
    outcomes = (_outcome(home, one, found.get(one.payload_id), now) for one in members)
    return [one for one in outcomes if one is not None]


def _outcome(home: Home, member: Member, record: Record | None, now: int) -> Outcome | None:
    """What became of a member that was queued; None while that is open."""
    if record is None:
        return Outcome(member.number, _GONE)
    if record.run != member.execution_id:
        ended = record.state in ENDED
        return Outcome(member.number, str(record.state), record.fingerprint) if ended else None
    since = now - (member.released or now)
    if since > home.limits.unseen and record.state in ENDED and not home.queue.holds(member.payload_id):
        return Outcome(member.number, _REFUSED)
    return None


def _leave(home: Home, campaign: Campaign) -> int:
    """How many members may go as far as the canaries are concerned; stops the campaign where they failed."""
    if not campaign.options.canary or campaign.proven:
        return _PORTION
    counts = home.campaigns.counts(campaign.name)
    running = counts.get("running", 0)
    gone = sum(number for what, number in counts.items() if what not in ("waiting", "running"))
    wanted = min(campaign.options.canary, campaign.total)
    if running or gone < wanted:
        return max(0, wanted - gone - running)
    bad = gone - counts.get(str(State.COMPLETED), 0)
    if bad:
        reason = f"{bad} of {gone} canaries did not come good; `campaign resume` goes on all the same"
        home.campaigns.move(campaign.name, (CampaignState.RUNNING,), CampaignState.STOPPED, reason)
        return 0
    home.campaigns.prove(campaign.name)
    return _PORTION


def _allowed(campaign: Campaign, room: int, now: int) -> tuple[int, int]:
    """How many may go now, and up to when the rate is used with them."""
    rate = campaign.options.rate
    if rate is None:
        return room, now
    credit = int(max(0, now - campaign.fed) / SECOND * rate)
    number = max(0, min(room, credit))
    fed = campaign.fed + round(number / rate * SECOND)
    return number, fed if number == credit else max(fed, now - SECOND)


def _release(home: Home, campaign: Campaign, members: list[Member], now: int, fed: int) -> int:
    found = home.state_db.get([one.payload_id for one in members])
    released: list[tuple[int, Message]] = []
    skipped: list[Outcome] = []
    for member, text in zip(members, _inputs(home, members), strict=True):
        record = found.get(member.payload_id)
        if record is None or text is None:
            skipped.append(Outcome(member.number, _GONE))
        elif record.run != member.execution_id:
            skipped.append(Outcome(member.number, _MOVED))
        elif (why := _obstacle(home, campaign.options, record)) is not None:
            skipped.append(Outcome(member.number, f"{_CANNOT}: {why}", record.fingerprint))  # it still fails
        else:
            body = rerun_with(text, campaign.options, record.execution_id or "")
            message = Message(body, member.payload_id, campaign.options.priority, member.execution_id)
            released.append((member.number, message))
    if members:
        home.campaigns.settle(campaign.name, skipped)
        home.campaigns.release(campaign.name, released, now, fed)
    return len(members)


def _as_member(record: Record) -> Member:
    return Member(0, record.payload_id, record.run or "")


def _obstacle(home: Home, options: Options, record: Record) -> str | None:
    """Why the last execution of a record cannot go on at the step that failed, where that is asked of the engine."""
    if home.engine is None or not options.continue_failed or record.execution_id is None:
        return None
    return obstacle(home.engine.describe(home.arns.execution(parse(record.payload_id).workflow, record.execution_id)))


def _inputs(home: Home, members: Sequence[Member]) -> list[bytes | None]:
    """What the executions of members were given, None where it is not kept any more."""
    keys = [input_key(home.root, one.payload_id, unnumbered(one.execution_id)) for one in members]
    return home.payloads.get_many([home.payloads.url(key) for key in keys])
