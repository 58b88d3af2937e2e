"""Campaigns: which records are to be run again, how far that has come, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cirrus.core.campaign import CampaignState, Options
from cirrus.core.failure_kind import FailureKind
from cirrus.ports.queue import Message


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign; `about` says how its members were chosen, `reason` why it is in its state.

    `fed` is the instant up to which its rate has been used; `proven` says that its canaries came good, or that an
    operator went on without. Instants are microseconds since the epoch.
    """

    name: str
    state: CampaignState
    created: int
    options: Options
    about: str = ""
    reason: str | None = None
    total: int = 0
    fed: int = 0
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """A record of a campaign, by its number in it; `execution_id` is its `run` of when it was chosen."""

    number: int
    payload_id: str
    execution_id: str
    released: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a member: the state of its record, or why it was not run; of what fails also its kind."""

    number: int
    what: str
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Failing:
    """How many members of a campaign fail in one way, and one of them; no `kind` where it is not known."""

    kind: FailureKind | None
    count: int
    sample: str


class Campaigns(Protocol):
    """Campaigns by name, each with its members in the order in which they were added."""

    def begin(self, campaign: Campaign) -> None:
        """Add a campaign. StoreError if there is one of that name."""

    def add(self, name: str, members: Sequence[tuple[str, str]]) -> None:
        """Add members, as payload id and execution id, to a campaign; they count in its total."""

    def get(self, name: str) -> Campaign | None:
        """One campaign."""

    def all(self, limit: int = 100) -> list[Campaign]:
        """The campaigns, newest first."""

    def active(self) -> list[Campaign]:
        """The campaigns that are RUNNING or have members under way, oldest first."""

    def move(self, name: str, before: Sequence[CampaignState], after: CampaignState, reason: str | None = None) -> bool:
        """Change a campaign's state, if it is one of these; whether it was."""

    def prove(self, name: str) -> None:
        """The canaries of a campaign came good, or it goes on without."""

    def waiting(self, name: str, limit: int) -> list[Member]:
        """The next members that were not released and have no outcome."""

    def open(self, name: str, limit: int) -> list[Member]:
        """The members that were released and have no outcome yet, in order."""

    def release(self, name: str, released: Sequence[tuple[int, Message]], at: int, fed: int) -> None:
        """Queue members, each by its message, at an instant; the campaign's rate is used up to `fed`."""

    def settle(self, name: str, outcomes: Sequence[Outcome]) -> None:
        """Write down what became of members."""

    def counts(self, name: str) -> Mapping[str, int]:
        """How many members have which outcome; `waiting` and `running` count those that have none."""

    def failing(self, name: str) -> list[Failing]:
        """The members that failed, or still do, by the kind of failure, the most frequent first."""
