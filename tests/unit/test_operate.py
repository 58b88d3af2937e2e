"""What an operator asks of a deployment: summaries, timelines, explanations, plans, statistics."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cirrus.client.item import Item
from cirrus.client.throttle import throttled
from cirrus.core.instant import SECOND
from cirrus.core.state import State
from cirrus.core.throttle import Limit, Pause, Throttle, parse_rate
from cirrus.errors import InvalidPayload, NotFound
from cirrus.flow.explain import explain
from cirrus.flow.home import Home
from cirrus.flow.plan import plan
from cirrus.flow.select import select
from cirrus.flow.stats import stats
from cirrus.flow.submit import submit
from cirrus.flow.summary import summary
from cirrus.flow.timeline import folded, timeline
from cirrus.testing.builders import AT, document, payload_id
from cirrus.testing.home import Clock, Control, machine, make_home, task

RETRY = [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 3}]


class Flaky(Exception):
    pass


def texts(*documents: dict[str, Any]) -> list[bytes]:
    return [json.dumps(one).encode() for one in documents]


@pytest.fixture
def control() -> Control:
    calls = []

    def sometimes(payload: Any) -> Any:
        calls.append(payload)
        if len(calls) < 3:
            raise Flaky(f"call {len(calls)}")
        return payload

    def broken(payload: Any) -> Any:
        raise ValueError("no such band")

    workflows = {
        "w": machine(first=task("same", Next="second"), second=task("sometimes", Retry=RETRY)),
        "bad": machine("broken"),
        "caught": machine(
            work=task("broken", Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "failure"}]),
            failure={"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
        ),
    }
    home = make_home(workflows, clock=Clock())
    return Control(home, {"same": lambda payload: payload, "sometimes": sometimes, "broken": broken})


def queue(home: Home, *documents: dict[str, Any], **more: Any) -> None:
    assert [one.result for one in submit(home, texts(*documents), **more)] == ["queued"] * len(documents)


def settle(control: Control) -> None:
    control.run()
    for _ in range(20):
        control.home.clock.advance(5)
        control.run()


def test_summary_counts_what_is_meant(control: Control) -> None:
    queue(control.home, document("a"), document("b"), document("c", process="bad"))
    settle(control)
    queue(control.home, document("d"))
    found = summary(control.home, select(control.home))
    assert found.counts == {"scenes_bad": {State.FAILED: 1}, "scenes_w": {State.COMPLETED: 2}}
    assert (found.total(), found.total(State.FAILED), found.queued) == (3, 1, 1)
    assert repr(found) == "<Summary of test: 2 COMPLETED, 1 FAILED, 1 queued>"
    assert '<td style="text-align: right">2</td>' in found._repr_html_()
    assert summary(control.home, select(control.home, workflow="w")).counts == {"scenes_w": {State.COMPLETED: 2}}
    assert summary(control.home, select(control.home, state="failed", item="a")).counts == {}


def test_timeline_shows_steps_and_tries(control: Control) -> None:
    queue(control.home, document("a"))
    settle(control)
    (run,) = timeline(control.home, payload_id("a")).runs
    assert [(step.name, step.kind, step.status, len(step.tries)) for step in run.steps] == [
        ("first", "Task", "done", 1),
        ("second", "Task", "done", 3),
    ]
    errors = [one.error for one in run.steps[1].tries]
    assert errors == ["Flaky: call 1", "Flaky: call 2", None]
    assert all(one.ended is not None for step in run.steps for one in step.tries)
    assert run.current is None


def test_the_step_to_blame_is_the_one_whose_error_was_caught(control: Control) -> None:
    queue(control.home, document("a", process="caught"))
    settle(control)
    (run,) = timeline(control.home, payload_id("a", workflow="caught")).runs
    assert [(step.name, step.status) for step in run.steps] == [("work", "caught"), ("failure", "failed")]
    assert "it failed at the step 'work', after 1 try" in explain(control.home, payload_id("a", workflow="caught")).why


def test_timeline_of_a_failure_says_where(control: Control) -> None:
    queue(control.home, document("a", process="bad"))
    settle(control)
    queue(control.home, document("a", process="bad"))
    settle(control)
    found = timeline(control.home, payload_id("a", workflow="bad"))
    assert [run.attempt for run in found.runs] == [1, 2]
    assert [(step.name, step.status) for step in found.runs[1].steps] == [("broken", "failed")]
    assert found.runs[1].steps[0].error == "ValueError: no such band"
    assert found.to_json()["executions"][0]["steps"][0]["tries"][0]["error"] == "ValueError: no such band"
    with pytest.raises(NotFound):
        timeline(control.home, payload_id("other"))


def test_many_visits_of_a_state_are_folded(control: Control) -> None:
    each = {"Type": "Map", "End": True, "ItemsPath": "$.features", "Iterator": machine("same")}
    home = make_home({"w": machine(each=each)})
    other = Control(home, {"same": lambda payload: payload})
    queue(home, document(*"abcdefgh"))
    other.run()
    (run,) = timeline(home, payload_id("a/b/c/d/e/f/g/h")).runs
    assert [(step.name, step.depth) for step in run.steps] == [("each", 0), *[("same", 1)] * 8]
    assert {step.status for step in run.steps} == {"done"}
    assert [len(group) for group in folded(run.steps)] == [1, 8]


def test_explain_knows_the_queue(control: Control) -> None:
    queue(control.home, document("x"), document("a"))
    found = explain(control.home, payload_id("a"))
    assert (found.state, found.again.action, found.replaced.action) == (None, "new", "new")
    assert "1 message before it, by age" in found.queue[0]
    settle(control)
    found = explain(control.home, payload_id("a"))
    assert (found.state, found.queue) == (State.COMPLETED, ())
    assert (found.again.action, found.replaced.action) == ("skip", "rerun")
    assert "ALREADY_COMPLETED" in found.again.reason
    assert [str(event.type) for event in found.events][-1] == "SUCCEEDED"


def test_explain_says_what_failed_and_who_works(control: Control) -> None:
    queue(control.home, document("a", process="bad"))
    settle(control)
    found = explain(control.home, payload_id("a", workflow="bad"))
    assert "it failed at the step 'broken', after 1 try" in found.why
    assert "its last error is ValueError: no such band" in found.why
    assert (found.again.action, found.replaced.action) == ("rerun", "rerun")
    queue(control.home, document("b"))
    control.turn()
    control.home.journal.beat("o", control.home.steady() + 30 * SECOND, "pid 7 on ana")
    found = explain(control.home, payload_id("b"))
    assert found.state is State.PROCESSING
    assert "it is at the step 'first', try 1" in found.why[1]
    assert found.why[-1] == "a control process works on it (pid 7 on ana)"
    assert found.again.action == found.replaced.action == "skip"
    control.home.clock.advance(20_000)
    assert "has not been heard of for" in explain(control.home, payload_id("b")).why[-1]


def test_explain_knows_pauses_and_limits(control: Control) -> None:
    limits = Throttle({"w": Limit(1, parse_rate("10/s"))}, {"scenes": Limit(5)})
    home = replace(control.home, throttle=limits)
    queue(home, document("first"))
    control.turn()
    queue(home, document("a"))
    home.queue.pause(Pause("workflow", "w", AT, "a bad release"))
    told = explain(home, payload_id("a")).queue
    assert told[1:] == (
        "the workflow w is paused since 2027-01-15T08:00:00.000000+00:00 (a bad release): nothing of it begins until"
        " it is resumed",
        "workflow w: 1 of at most 1 run: it waits for one to end",
        "workflow w: at most 10/s begin",
        "collections scenes: 1 of at most 5 run: there is room",
    )
    home.queue.pause(Pause("deployment", "", AT))
    assert "the deployment is paused since" in " ".join(explain(home, payload_id("a")).queue)


def test_plan_says_what_would_become_of_each(control: Control) -> None:
    options = {"upload_options": {"path_template": "${collection}/${year}/${id}"}}
    queue(control.home, document("done"), document("failed", process="bad"))
    settle(control)
    given = texts(
        document("new", process=[{"workflow": "w", **options}]),
        document("new", process=[{"workflow": "w"}]),
        document("done"),
        document("failed", process="bad"),
        document("x", process="no-such"),
    )
    found = list(plan(control.home, [*given, b"{"], data="/data"))
    actions = [(one.action, one.state) for one in found]
    assert actions == [
        ("new", None),
        ("skip", None),
        ("skip", State.COMPLETED),
        ("rerun", State.FAILED),
        ("invalid", None),
        ("invalid", None),
    ]
    assert found[0].places[0].item == "/data/scenes/2026/new/new.json"
    assert "no workflow 'no-such'" in found[4].reason
    assert control.home.queue.depth() == 0
    assert [one.action for one in plan(control.home, texts(document("done")), replace=True)] == ["rerun"]
    assert control.home.queue.quarantined() == []


def test_submit_with_replace_runs_again(control: Control) -> None:
    for _ in range(2):
        queue(control.home, document("a"), replace=True)
        settle(control)
    assert len(timeline(control.home, payload_id("a")).runs) == 2


def test_stats_add_up(control: Control) -> None:
    queue(control.home, document("a"), document("b", process="bad"))
    settle(control)
    found = stats(control.home)
    assert (len(found.daily), len(found.hourly), len(found.hourly_rolling)) == (60, 37, 36)
    wanted = {State.CLAIMED: 2, State.PROCESSING: 2, State.COMPLETED: 1, State.FAILED: 1}
    assert found.daily[-1].states == found.hourly[-1].states == found.hourly_rolling[-1].states == wanted
    told = found.to_json()["state_transitions"]["hourly"][-1]
    assert told["states"][0] == {"state": "CLAIMED", "count": 2}
    control.home.clock.advance(40 * 3600)
    later = stats(control.home)
    assert not any(one.states for one in later.hourly)
    assert sum(one.states.get(State.CLAIMED, 0) for one in later.daily) == 2


def test_select_reads_what_people_write(control: Control) -> None:
    home = control.home
    assert select(home, state=["FAILED", "succeeded"]).states == (State.FAILED, State.COMPLETED)
    assert select(home, since="2 d").since == AT - 2 * 86_400 * SECOND
    assert select(home, since="2027-01-15T08:00:00Z", until="2027-01-15T08:00:01").until == AT
    with pytest.raises(ValueError, match="no time"):
        select(home, since="yesterday")
    with pytest.raises(ValueError, match="no state"):
        select(home, state="DONE")


def test_item_shows_itself() -> None:
    members = {"id": "<a>", "collection": "c", "properties": {"start_datetime": "2020"}, "assets": {"b": {"href": "x"}}}
    found = Item(members)
    assert (found.id, found.collection, found.datetime, found.hrefs) == ("<a>", "c", "2020/..", {"b": "x"})
    assert dict(found) == members == found.to_dict()
    assert "&lt;a&gt;" in found._repr_html_()


def test_throttled_gives_everything() -> None:
    assert list(throttled(range(5), None)) == list(throttled(range(5), 1e9)) == [0, 1, 2, 3, 4]


def test_path_templates_are_the_items() -> None:
    from cirrus.core.substitute import substitute_payload

    text = '{"a": "${x?1}", "upload_options": {"path_template": "${root?r}/${collection}/${x}"}}'
    assert substitute_payload(text, {"x": "2"}) == (
        '{"a": "2", "upload_options": {"path_template": "r/${collection}/2"}}'
    )
    with pytest.raises(InvalidPayload, match="no value for y"):
        substitute_payload('{"a": ${y}, "path_template": "${z}"}', {})
