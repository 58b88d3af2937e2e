"""What every backend of the port Campaigns does: inherit `CampaignsContract` and give it a fixture `connect`."""

from __future__ import annotations

import pytest

from cirrus.core.campaign import CampaignState, Options
from cirrus.core.failure_kind import FailureKind
from cirrus.core.state import State
from cirrus.errors import StoreError
from cirrus.ports.campaigns import Campaign, Failing, Member, Outcome
from cirrus.ports.queue import Message
from cirrus.testing.builders import AT, finish, payload_id
from cirrus.testing.ports import Connect, Ports, PortsContract

OPTIONS = Options(parameters={"to-cog": {"blocksize": 256}}, canary=2, rate=1.5, max_running=10, continue_failed=True)
ONE = Campaign("one", CampaignState.RUNNING, AT, OPTIONS, "--state FAILED", fed=AT)
IDS = [f"9784592a-4f57-598f-8bca-4a4ca2c7c41{n}" for n in range(4)]
PAIRS = [(payload_id(n), known) for n, known in enumerate(IDS)]
KIND = FailureKind("w", "to-cog", "KeyError: '<id>'")


class CampaignsContract(PortsContract):
    """The promises of the port."""

    def queued(self, ports: Ports) -> list[bytes]:
        """The bodies of what is queued."""
        self.forward(ports)
        return [one.body for one in ports.queue.take(99, owner="o", now=AT + 9, until=AT + 99)]

    def test_nothing_is_there_at_first(self, ports: Ports) -> None:
        assert ports.campaigns.get("one") is None
        assert ports.campaigns.all() == ports.campaigns.active() == []

    def test_a_campaign_is_kept_as_it_is(self, ports: Ports) -> None:
        ports.campaigns.begin(ONE)
        assert ports.campaigns.get("one") == ONE
        with pytest.raises(StoreError):
            ports.campaigns.begin(ONE)

    def test_members_in_their_order(self, ports: Ports) -> None:
        ports.campaigns.begin(ONE)
        ports.campaigns.add("one", PAIRS[:3])
        ports.campaigns.add("one", PAIRS[3:])
        found = ports.campaigns.get("one")
        assert found is not None
        assert found.total == 4
        assert ports.campaigns.waiting("one", 10) == [Member(n, *pair) for n, pair in enumerate(PAIRS)]
        assert len(ports.campaigns.waiting("one", 3)) == 3
        assert ports.campaigns.open("one", 10) == []
        assert ports.campaigns.counts("one") == {"waiting": 4}

    def test_from_release_to_outcome(self, ports: Ports) -> None:
        finish(ports.state_db, PAIRS[2][0], State.FAILED, kind=KIND)
        ports.campaigns.begin(ONE)
        ports.campaigns.add("one", PAIRS)
        ports.campaigns.release("one", _messages(0, 1, 2), AT + 5, AT + 7)
        assert [one.number for one in ports.campaigns.waiting("one", 10)] == [3]
        assert self.queued(ports) == [b"0", b"1", b"2"]
        assert ports.campaigns.open("one", 2) == [Member(n, *PAIRS[n], AT + 5) for n in range(2)]
        outcomes = [Outcome(0, "COMPLETED"), Outcome(2, "FAILED", KIND.fingerprint), Outcome(3, "gone")]
        ports.campaigns.settle("one", outcomes)
        assert [one.number for one in ports.campaigns.open("one", 10)] == [1]
        assert ports.campaigns.waiting("one", 10) == []
        assert ports.campaigns.counts("one") == {"COMPLETED": 1, "FAILED": 1, "gone": 1, "running": 1}
        assert ports.campaigns.failing("one") == [Failing(KIND, 1, PAIRS[2][0])]
        found = ports.campaigns.get("one")
        assert found is not None
        assert found.fed == AT + 7

    def test_member_that_was_not_run_and_still_fails_is_failing(self, ports: Ports) -> None:
        finish(ports.state_db, PAIRS[0][0], State.FAILED, kind=KIND)
        ports.campaigns.begin(ONE)
        ports.campaigns.add("one", PAIRS[:2])
        ports.campaigns.settle("one", [Outcome(0, "cannot go on: too old", KIND.fingerprint), Outcome(1, "moved on")])
        assert ports.campaigns.counts("one") == {"cannot go on: too old": 1, "moved on": 1}
        assert ports.campaigns.failing("one") == [Failing(KIND, 1, PAIRS[0][0])]

    def test_a_state_changes_from_those_that_are_named_only(self, ports: Ports) -> None:
        ports.campaigns.begin(ONE)
        paused = CampaignState.PAUSED
        assert not ports.campaigns.move("one", [paused], CampaignState.RUNNING)
        assert not ports.campaigns.move("no-such", [CampaignState.RUNNING], paused)
        assert ports.campaigns.active() == [ONE]
        assert ports.campaigns.move("one", [CampaignState.RUNNING], paused, "for lunch")
        found = ports.campaigns.get("one")
        assert found is not None
        assert (found.state, found.reason, found.proven) == (paused, "for lunch", False)
        assert ports.campaigns.active() == []
        ports.campaigns.add("one", PAIRS)
        ports.campaigns.release("one", _messages(0), AT, AT)
        assert [one.name for one in ports.campaigns.active()] == ["one"]
        ports.campaigns.settle("one", [Outcome(0, "COMPLETED")])
        assert ports.campaigns.active() == []
        ports.campaigns.prove("one")
        found = ports.campaigns.get("one")
        assert found is not None
        assert found.proven

    def test_newest_first_and_oldest_first(self, ports: Ports) -> None:
        for n in range(3):
            ports.campaigns.begin(Campaign(f"c{n}", CampaignState.RUNNING, AT + n, Options(), fed=AT))
        assert [one.name for one in ports.campaigns.all(2)] == ["c2", "c1"]
        assert [one.name for one in ports.campaigns.active()] == ["c0", "c1", "c2"]

    def test_others_see_it(self, connect: Connect) -> None:
        here, there = connect(), connect()
        here.campaigns.begin(ONE)
        here.campaigns.add("one", PAIRS)
        assert there.campaigns.counts("one") == {"waiting": 4}


def _messages(*numbers: int) -> list[tuple[int, Message]]:
    return [(n, Message(b"%d" % n, PAIRS[n][0], after=PAIRS[n][1])) for n in numbers]
