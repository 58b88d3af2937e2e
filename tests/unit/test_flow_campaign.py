"""Campaigns in a home in memory, turn by turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cirrus.core.campaign import CampaignState, Change, Options, changes, rerun_with
from cirrus.core.jsontext import decode, encode
from cirrus.core.state import State
from cirrus.errors import NotFound, StoreError
from cirrus.flow.campaign import CannotMove, feed, move, preview, report, start
from cirrus.flow.home import Home
from cirrus.flow.submit import submit
from cirrus.ports.query import Query
from cirrus.testing.builders import document, payload_id
from cirrus.testing.home import Clock, Control, machine, make_home

FAILED = Query(states=(State.FAILED,))


class Scene:
    """A home whose task `work` fails until it is mended."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.good: Callable[[dict[str, Any]], bool] = lambda _: False
        self.ran: list[str] = []
        self.home: Home = make_home({"w": machine("first", "work")}, clock=self.clock)
        self.control = Control(self.home, {"first": self.first, "work": self.work})

    def first(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.ran.append(f"first {payload['features'][0]['id']}")
        return {**payload, "first": "done"}

    def work(self, payload: dict[str, Any]) -> dict[str, Any]:
        self.ran.append(f"work {payload['features'][0]['id']}")
        if not self.good(payload):
            raise ValueError(f"scene {payload['features'][0]['id']} is bad")
        return payload

    def fail(self, number: int, **process: Any) -> None:
        texts = [encode(document(f"s{n}", process=[{"workflow": "w", **process}])) for n in range(number)]
        assert {one.result for one in submit(self.home, texts)} == {"queued"}
        self.drain()
        self.ran.clear()

    def drain(self) -> None:
        while self.control.turn(limit=100).entries or self.home.queue.depth():
            pass

    def feed(self, seconds: float = 0.0) -> int:
        self.clock.advance(seconds)
        with self.home.unit.group():
            return feed(self.home, self.clock())

    def states(self) -> set[str]:
        return {str(one.state) for one in self.home.state_db.page(Query(), 1000).records}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_selection_is_frozen_and_each_runs_once(scene: Scene) -> None:
    scene.fail(3)
    assert start(scene.home, FAILED, Options(), name="one").campaign.total == 3
    scene.fail(4)  # s3 failed for the first time, s0 to s2 moved on
    scene.good = lambda _: True
    assert scene.feed() == 3
    scene.drain()
    scene.feed()
    found = report(scene.home, "one")
    assert (found.campaign.state, dict(found.counts)) == (CampaignState.DONE, {"moved on": 3})
    start(scene.home, FAILED, Options(), name="two")
    assert scene.feed() == 4
    assert scene.feed() == 0
    scene.drain()
    scene.feed()
    found = report(scene.home, "two")
    assert (found.over, found.good, found.failing) == (True, 4, ())
    assert scene.states() == {"COMPLETED"}


def test_what_still_fails_is_grouped(scene: Scene) -> None:
    scene.fail(3)
    scene.good = lambda payload: payload["features"][0]["id"] == "s1"
    start(scene.home, FAILED, Options(), name="one")
    scene.feed()
    scene.drain()
    scene.feed()
    found = report(scene.home, "one")
    assert dict(found.counts) == {"COMPLETED": 1, "FAILED": 2}
    (group,) = found.failing
    assert group.kind is not None
    assert (group.count, group.kind.step, group.kind.message) == (2, "work", "ValueError: scene <id> is bad")
    assert found.to_json()["failing"][0]["fingerprint"] == group.kind.fingerprint


def test_canaries_that_fail_stop_the_rest(scene: Scene) -> None:
    scene.fail(5)
    start(scene.home, FAILED, Options(canary=2), name="one")
    assert scene.feed() == 2
    assert scene.feed() == 0
    scene.drain()
    assert scene.feed() == 0
    found = report(scene.home, "one")
    assert found.campaign.state is CampaignState.STOPPED
    assert "2 of 2 canaries" in str(found.campaign.reason)
    scene.good = lambda _: True
    assert move(scene.home, "one", "resume").campaign.state is CampaignState.RUNNING
    assert scene.feed() == 3
    scene.drain()
    scene.feed()
    assert dict(report(scene.home, "one").counts) == {"FAILED": 2, "COMPLETED": 3}


def test_canaries_that_come_good_let_the_rest_go(scene: Scene) -> None:
    scene.fail(5)
    scene.good = lambda _: True
    start(scene.home, FAILED, Options(canary=2), name="one")
    assert scene.feed() == 2
    scene.drain()
    assert scene.feed() == 3
    scene.drain()
    scene.feed()
    assert report(scene.home, "one").campaign.state is CampaignState.DONE


def test_more_canaries_than_members(scene: Scene) -> None:
    scene.fail(2)
    scene.good = lambda _: True
    start(scene.home, FAILED, Options(canary=5), name="one")
    assert scene.feed() == 2
    scene.drain()
    scene.feed()
    assert report(scene.home, "one").campaign.state is CampaignState.DONE


def test_no_more_under_way_than_allowed(scene: Scene) -> None:
    scene.fail(5)
    start(scene.home, FAILED, Options(max_running=2), name="one")
    assert (scene.feed(), scene.feed()) == (2, 0)
    scene.drain()
    assert scene.feed() == 2


def test_no_faster_than_the_rate(scene: Scene) -> None:
    scene.fail(9)
    start(scene.home, FAILED, Options(rate=2.0), name="one")
    assert scene.feed() == 0
    assert [scene.feed(0.5) for _ in range(4)] == [1, 1, 1, 1]
    assert scene.feed(2.0) == 4
    assert scene.feed(0.25) == 0


def test_paused_and_cancelled(scene: Scene) -> None:
    scene.fail(3)
    start(scene.home, FAILED, Options(max_running=1), name="one")
    assert scene.feed() == 1
    assert move(scene.home, "one", "pause").campaign.state is CampaignState.PAUSED
    scene.drain()
    assert scene.feed() == 0
    with pytest.raises(CannotMove, match="'one' is PAUSED: it cannot pause"):
        move(scene.home, "one", "pause")
    move(scene.home, "one", "resume")
    assert scene.feed() == 1
    assert move(scene.home, "one", "cancel").campaign.state is CampaignState.CANCELLED
    assert not report(scene.home, "one").over
    scene.drain()
    assert scene.feed() == 0
    found = report(scene.home, "one")
    assert (found.over, dict(found.counts)) == (True, {"FAILED": 2, "waiting": 1})
    with pytest.raises(CannotMove):
        move(scene.home, "one", "resume")


def test_names(scene: Scene) -> None:
    with pytest.raises(NotFound, match="there are: none"):
        report(scene.home, "one")
    start(scene.home, FAILED, Options(), name="one")
    with pytest.raises(StoreError):
        start(scene.home, FAILED, Options(), name="one")
    assert scene.feed() == 0
    assert report(scene.home, "one").campaign.state is CampaignState.DONE


def test_a_member_whose_message_was_refused_is_not_waited_for(scene: Scene) -> None:
    scene.fail(1)
    start(scene.home, FAILED, Options(), name="one")
    scene.feed()
    (taken,) = scene.home.queue.take(5, owner="x", now=scene.clock(), until=scene.clock() + 1)
    scene.home.queue.settle([taken.receipt])
    assert report(scene.home, "one").counts == {"running": 1}
    scene.feed(6.0)
    assert report(scene.home, "one").counts == {"refused": 1}


def test_a_preview_changes_nothing(scene: Scene) -> None:
    scene.fail(3, tasks={"work": {"size": 1}})
    options = Options(parameters={"work": {"size": 2}, "first": {"deep": True}})
    found = preview(scene.home, FAILED, options, sample=2)
    assert found.to_json() == {
        "total": 3,
        "counts": {"FAILED": 3},
        "sample": list(found.sample),
        "changes": [
            {"task": "work", "name": "size", "old": 1, "new": 2},
            {"task": "first", "name": "deep", "old": None, "new": True},
        ],
    }
    assert len(found.sample) == 2
    assert scene.home.campaigns.all() == []


def test_parameters_are_changed_in_the_payload() -> None:
    text = encode(document("a", process=[{"workflow": "w", "tasks": {"t": {"x": 1, "y": 2}}}, {"workflow": "v"}]))
    options = Options(parameters={"t": {"x": 5}, "u": {"z": [1]}})
    assert list(changes(text, options)) == [Change("t", "x", 1, 5), Change("u", "z", None, [1])]
    first, second = decode(rerun_with(text, options, "e1"))["process"]
    assert first == {"workflow": "w", "replace": True, "tasks": {"t": {"x": 5, "y": 2}, "u": {"z": [1]}}}
    assert second == {"workflow": "v"}
    again = rerun_with(text, Options(continue_failed=True), "e1")
    assert decode(again)["process"][0]["continue_from"] == "e1"
    assert "continue_from" not in decode(rerun_with(again, Options(), "e2"))["process"][0]


def test_finished_steps_are_not_run_again(scene: Scene) -> None:
    scene.fail(2)
    scene.good = lambda payload: payload["first"] == "done" and payload["process"][0]["tasks"]["work"]["size"] == 9
    options = Options(parameters={"work": {"size": 9}}, continue_failed=True)
    start(scene.home, FAILED, options, name="one")
    scene.feed()
    scene.drain()
    scene.feed()
    assert report(scene.home, "one").good == 2
    assert sorted(scene.ran) == ["work s0", "work s1"]
    record = scene.home.state_db.get([payload_id("s0")])[payload_id("s0")]
    taken = next(log for log in scene.home.journal.logs(record.executions[-1]) if log.state == "first")
    assert b"not run again" in taken.text


def test_a_step_whose_own_parameters_changed_runs_again(scene: Scene) -> None:
    scene.fail(1)
    start(scene.home, FAILED, Options(parameters={"first": {"x": 1}}, continue_failed=True), name="one")
    scene.feed()
    scene.drain()
    assert scene.ran == ["first s0", "work s0"]


def test_continuing_what_is_not_there_is_a_clear_failure(scene: Scene) -> None:
    scene.fail(1)
    text = encode(document("s0", process=[{"workflow": "w", "replace": True, "continue_from": "nothing"}]))
    list(submit(scene.home, [text]))
    scene.drain()
    record = scene.home.state_db.get([payload_id("s0")])[payload_id("s0")]
    assert "continue_from: nothing is no execution of this payload" in str(record.last_error)


def test_a_mended_definition_continues_with_the_finished_steps(scene: Scene) -> None:
    scene.fail(1)
    mended = make_home({"w": machine("first", "other")}, clock=scene.clock, store=scene.home.unit)
    control = Control(mended, {"first": scene.first, "other": lambda payload: payload}, "o2")
    start(mended, FAILED, Options(continue_failed=True), name="one")
    with mended.unit.group():
        feed(mended, scene.clock())
    while control.turn(limit=100).entries or mended.queue.depth():
        pass
    assert scene.states() == {"COMPLETED"}
    assert scene.ran == []
