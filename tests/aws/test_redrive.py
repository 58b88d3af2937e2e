"""Going on at the step that failed: what Step Functions answers is written by hand from AWS's documentation.

No stand-in redrives executions. Everything but DescribeExecution and RedriveExecution is asked of stand-ins.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError

from cirrus.adapters.aws.clients import Clients
from cirrus.core.campaign import Options
from cirrus.core.jsontext import decode
from cirrus.core.record import Record
from cirrus.core.state import State
from cirrus.entry.lambdas import process, sweep, update_state
from cirrus.errors import ConfigError
from cirrus.flow import campaign
from cirrus.flow.process import process as decide
from cirrus.flow.start import start
from cirrus.flow.timeline import timeline
from cirrus.ports.query import Query
from cirrus.ports.state_db import Claim
from tests.aws.faults import answer
from tests.aws.scene import Scene, end_event, make_scene
from tests.aws.test_operating import end, id_of, queued, run

FAILED = Query(states=(State.FAILED,))
LATER = 200_000_000
Befall = Callable[[], Any]


class Redrives:
    """Executions as Step Functions tells of them: how often they were redriven, and why they cannot be."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.status: dict[str, str] = {}
        self.inputs: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.tokens: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.befall: Befall = lambda: None

    def __call__(self, session: Any) -> None:
        for operation, act in (
            ("StartExecution", self._started),
            ("DescribeExecution", self._described),
            ("RedriveExecution", self._redriven),
            ("GetExecutionHistory", self._listed),
        ):
            session.register(f"before-send.sfn.{operation}", act)

    def _started(self, request: AWSPreparedRequest, **_: Any) -> None:
        asked = json.loads(request.body)
        arn = f"{asked['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{asked['name']}"
        self.inputs[arn], self.status[arn] = asked["input"], "RUNNING"

    def _described(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        arn = json.loads(request.body)["executionArn"]
        if arn not in self.inputs:
            return answer(400, {"__type": "ExecutionDoesNotExist", "message": f"{arn} does not exist"}, request)
        status = self.status[arn]
        reason = self.reasons.get(arn)
        if status in {"RUNNING", "SUCCEEDED"}:
            reason = f"Execution is {status} and cannot be redriven"
        told = {
            "executionArn": arn,
            "stateMachineArn": arn.replace(":execution:", ":stateMachine:").rpartition(":")[0],
            "name": arn.rpartition(":")[2],
            "status": status,
            "startDate": 1_800_000_000.0,
            "input": self.inputs[arn],
            "redriveCount": self.counts.get(arn, 0),
            "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE",
            "redriveStatusReason": reason,
        }
        more = {"stopDate": 1_800_000_001.0, "error": "Oops", "cause": "it broke"} if status == "FAILED" else {}
        return answer(200, told | more, request)

    def _listed(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        return answer(200, {"events": self.history}, request)

    def _redriven(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        asked = json.loads(request.body)
        arn, token = asked["executionArn"], asked["clientToken"]
        if token not in self.tokens:
            if self.status[arn] != "FAILED" or arn in self.reasons:
                return answer(400, {"__type": "ExecutionNotRedrivable", "message": "not now"}, request)
            self.tokens.append(token)
            self.counts[arn] = self.counts.get(arn, 0) + 1
            self.status[arn] = "RUNNING"
        befallen = self.befall()
        return befallen or answer(200, {"redriveDate": 1_800_000_002.0}, request)


@pytest.fixture
def engine() -> Redrives:
    return Redrives()


@pytest.fixture
def scene(engine: Redrives, dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None]) -> Scene:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    return make_scene(Clients(prepare=engine))


def record_of(scene: Scene, name: str = "a") -> Record:
    return scene.where.home().state_db.get([id_of(name)])[id_of(name)]


def arn_of(scene: Scene, name: str = "a") -> str:
    return scene.where.arns.execution("w", record_of(scene, name).executions[-1])


def failed(scene: Scene, engine: Redrives, *names: str) -> None:
    run(scene, *names)
    engine.status |= {arn_of(scene, name): "FAILED" for name in names}


def feed(scene: Scene, name: str = "again") -> list[Any]:
    """What a campaign that goes on has queued."""
    campaign.start(scene.where.home(checked=True), FAILED, Options(continue_failed=True), name=name)
    sweep.handle(scene.where, 60, "s")
    return queued(scene)


def ending(scene: Scene, count: int, status: str = "SUCCEEDED", name: str = "a") -> dict[str, Any]:
    text = json.dumps(scene.payload(name, id=id_of(name)))
    told = {"output": text} if status == "SUCCEEDED" else {"error": "Oops", "cause": "it broke"}
    return end_event(scene, arn_of(scene, name), status, input=text, redriveCount=count, **told)


def test_execution_goes_on_and_ends_well(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    first = record_of(scene)
    home = scene.where.home()
    url = f"s3://payloads/{scene.root}/executions/{id_of('a')}/{first.executions[0]}/input.json"
    kept = home.payloads.get(url)
    messages = feed(scene)
    assert decode(messages[0]["body"])["process"][0]["continue_from"] == first.executions[0]
    scene.told()
    assert process.handle(scene.where, {"Records": messages}, "o")["started"] == 1
    running = record_of(scene)
    assert (running.state, running.executions, running.redrives) == (State.PROCESSING, first.executions, 1)
    assert running.last_error is None
    assert running.to_json()["redrives"] == 1
    assert engine.counts == {arn_of(scene): 1}
    assert scene.event_types() == ["CLAIMED_PROCESSING", "STARTED_PROCESSING"]
    assert home.payloads.get(url) == kept
    assert update_state.handle(scene.where, ending(scene, 1), "o")["written"] == 1
    assert record_of(scene).state is State.COMPLETED
    assert scene.event_types() == ["SUCCEEDED"]
    sweep.handle(scene.where, 60, "s")
    sweep.handle(scene.where, 60, "s")
    assert campaign.report(home, "again").counts == {"COMPLETED": 1}


def test_timeline_tells_tries_before_and_after(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    process.handle(scene.where, {"Records": feed(scene)}, "o")
    engine.status[arn_of(scene)] = "SUCCEEDED"
    entered = {"stateEnteredEventDetails": {"name": "cut"}}
    wrong = {"error": "Oops", "cause": "it broke"}
    told: list[tuple[str, dict[str, Any]]] = [
        ("ExecutionStarted", {}),
        ("TaskStateEntered", entered),
        ("TaskScheduled", {}),
        ("TaskFailed", {"taskFailedEventDetails": {"resourceType": "lambda", "resource": "invoke", **wrong}}),
        ("ExecutionFailed", {"executionFailedEventDetails": wrong}),
        ("ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": 1}}),
        ("TaskScheduled", {}),
        ("TaskSucceeded", {}),
        ("TaskStateExited", {"stateExitedEventDetails": {"name": "cut"}}),
        ("FailStateEntered", {"stateEnteredEventDetails": {"name": "no"}}),
        ("ExecutionFailed", {"executionFailedEventDetails": wrong}),
        ("ExecutionRedriven", {"executionRedrivenEventDetails": {"redriveCount": 2}}),
        ("FailStateEntered", {"stateEnteredEventDetails": {"name": "no"}}),
    ]
    engine.history = [
        {"id": n, "previousEventId": n - 1, "timestamp": 1_800_000_000.0 + n, "type": kind, **details}
        for n, (kind, details) in enumerate(told, 1)
    ]
    (run_,) = timeline(scene.where.home(checked=True), id_of("a")).runs
    first = run_.steps[0]
    assert (first.name, first.status, first.depth) == ("cut", "done", 0)
    assert [(one.number, one.error) for one in first.tries] == [(1, "Oops: it broke"), (2, None)]
    assert [(one.name, one.depth) for one in run_.steps[1:]] == [("no", 0), ("no", 0)]


def test_first_end_that_is_told_again_is_not_the_second(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    first_end = ending(scene, 0, "FAILED")
    process.handle(scene.where, {"Records": feed(scene)}, "o")
    assert update_state.handle(scene.where, first_end, "o")["written"] == 0
    assert record_of(scene).state is State.PROCESSING
    assert update_state.handle(scene.where, ending(scene, 1, "FAILED"), "o")["written"] == 1
    assert record_of(scene).state is State.FAILED
    assert update_state.handle(scene.where, ending(scene, 1, "FAILED"), "o")["written"] == 0


def test_end_that_does_not_say_how_often_it_had_gone_on_is_asked_for(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    text = json.dumps(scene.payload("a", id=id_of("a")))
    event = end_event(scene, arn_of(scene), "FAILED", input=text, error="Oops", cause="it broke")
    assert "redriveCount" not in event["detail"]
    process.handle(scene.where, {"Records": feed(scene)}, "o")
    assert update_state.handle(scene.where, event, "o")["written"] == 0  # the first one, for the execution runs
    assert record_of(scene).state is State.PROCESSING
    engine.status[arn_of(scene)] = "FAILED"
    assert update_state.handle(scene.where, event, "o")["written"] == 1
    assert update_state.handle(scene.where, event, "o")["written"] == 0
    assert record_of(scene).state is State.FAILED


def test_execution_goes_on_as_often_as_it_fails(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    for number in (1, 2):
        process.handle(scene.where, {"Records": feed(scene, f"c{number}")}, "o")
        assert record_of(scene).redrives == number
        engine.status[arn_of(scene)] = "FAILED"
        update_state.handle(scene.where, ending(scene, number, "FAILED"), "o")
    assert len(record_of(scene).executions) == 1
    process.handle(scene.where, scene.sqs_event(scene.payload()), "o")  # and from the start, under another name
    again = record_of(scene)
    assert (len(again.executions), again.redrives, again.state) == (2, 0, State.PROCESSING)
    assert update_state.handle(scene.where, ending(scene, 0), "o")["written"] == 1


def test_message_that_comes_twice_goes_on_once(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    messages = feed(scene)
    for _ in range(2):
        process.handle(scene.where, {"Records": messages}, "o")
        engine.status[arn_of(scene)] = "FAILED"
        update_state.handle(scene.where, ending(scene, 1, "FAILED"), "o")
    assert engine.counts == {arn_of(scene): 1}
    assert "DUPLICATE_ID_ENCOUNTERED" in scene.event_types()


def test_of_two_who_read_the_same_one_wins(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    read = record_of(scene)
    state_db, now = scene.where.home().state_db, scene.where.clock()
    wish = Claim(read.payload_id, read.executions[-1], read, now, b"", redrive=1)
    assert [state_db.claim([wish]), state_db.claim([wish])] == [[True], [False]]
    update_state.handle(scene.where, ending(scene, 1, "FAILED"), "o")
    assert state_db.claim([wish]) == [False]  # it has gone on and failed since
    assert state_db.claim([replace(wish, redrive=2)]) == [False]
    assert state_db.claim([replace(wish, redrive=2, previous=record_of(scene))]) == [True]


def test_lost_reply_is_made_good_by_the_sweep(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    messages = feed(scene)

    def lose() -> None:
        raise ReadTimeoutError(endpoint_url="stepfunctions")

    engine.befall = lose
    process.handle(scene.where, {"Records": messages}, "o")
    assert record_of(scene).state is State.CLAIMED
    engine.befall = lambda: None
    clock = scene.where.clock
    sweep.handle(replace(scene.where, clock=lambda: clock() + LATER), 60, "s")
    assert (record_of(scene).state, engine.counts) == (State.PROCESSING, {arn_of(scene): 1})
    assert update_state.handle(scene.where, ending(scene, 1), "o")["written"] == 1


def test_end_that_comes_before_the_start_was_written_counts(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    messages = feed(scene)
    home = scene.where.home(event={"Records": messages})

    (begun,) = decide(home, home.queue.given, None, home.clock())  # type: ignore[attr-defined]  # AWS alone
    assert begun.redrive == 1
    engine.counts[arn_of(scene)], engine.status[arn_of(scene)] = 1, "FAILED"  # and the function has died
    assert update_state.handle(scene.where, ending(scene, 1, "FAILED"), "o")["written"] == 1
    assert record_of(scene).state is State.FAILED


def test_sweep_finds_the_end_of_which_nobody_told(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    process.handle(scene.where, {"Records": feed(scene)}, "o")
    clock = scene.where.clock
    later = replace(scene.where, clock=lambda: clock() + 601_000_000)
    arn = arn_of(scene)
    engine.status[arn], engine.counts[arn] = "FAILED", 0  # it does not tell yet that it goes on
    sweep.handle(later, 60, "s")
    assert record_of(scene).state is State.PROCESSING
    engine.counts[arn] = 1
    sweep.handle(later, 60, "s")
    assert record_of(scene).state is State.FAILED


@pytest.mark.parametrize("reason", ["Execution redrivable period exceeded", "Execution history event limit exceeded"])
def test_what_cannot_go_on_is_told_and_stays_as_it_is(scene: Scene, engine: Redrives, reason: str) -> None:
    failed(scene, engine, "a", "b")
    engine.reasons[arn_of(scene, "a")] = f"{reason}."
    del engine.inputs[arn_of(scene, "b")]
    before = record_of(scene)
    home = scene.where.home(checked=True)
    asked = campaign.preview(home, FAILED, Options(continue_failed=True)).to_json()
    assert asked["cannot_go_on"][id_of("a")] == reason
    assert set(asked["cannot_go_on"]) == {id_of("a"), id_of("b")}
    assert "cannot_go_on" not in campaign.preview(home, FAILED, Options()).to_json()
    assert feed(scene) == []
    sweep.handle(scene.where, 60, "s")
    report = campaign.report(scene.where.home(), "again")
    counts = report.counts
    (failing,) = report.failing
    assert failing.kind is not None
    assert (failing.count, failing.kind.message) == (2, "Oops: it broke")
    assert counts[f"cannot go on: {reason}"] == 1
    assert sum(n for what, n in counts.items() if "express" in what and "too old" in what) == 1
    assert record_of(scene) == before


def test_payload_that_cannot_go_on_waits_in_quarantine(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    known = record_of(scene).executions[0]

    def asking(execution: str, **more: Any) -> dict[str, Any]:
        first = {"workflow": "w", "replace": True, "continue_from": execution}
        return scene.payload(workflow=[first], id=id_of("a")) | more

    before = record_of(scene)
    for wrong in (asking("other"), asking(known, extra=1)):
        assert process.handle(scene.where, scene.sqs_event(wrong), "o")["started"] == 0
    engine.status[arn_of(scene)] = "RUNNING"  # somebody else has let it go on
    process.handle(scene.where, scene.sqs_event(asking(known)), "o")
    assert record_of(scene) == before
    reasons = sorted(one.reason for one in scene.where.home().queue.quarantined())
    assert [part in reason for part, reason in zip(
        ("cannot go on: Execution is RUNNING", "this one differs", "other is not the last execution"), reasons,
        strict=True)] == [True] * 3  # fmt: skip


def test_no_parameter_can_be_set_for_what_goes_on(scene: Scene) -> None:
    options = Options(parameters={"cut": {"size": 3}}, continue_failed=True)
    with pytest.raises(ConfigError, match="no parameter can be set"):
        campaign.start(scene.where.home(checked=True), FAILED, options, name="again")


def test_what_is_refused_after_the_claim_ends_with_the_reason(scene: Scene, engine: Redrives) -> None:
    failed(scene, engine, "a")
    messages = feed(scene)
    home = scene.where.home(event={"Records": messages})

    begun = decide(home, home.queue.given, None, home.clock())  # type: ignore[attr-defined]  # AWS alone
    engine.reasons[arn_of(scene)] = "Execution redrivable period exceeded."
    assert start(home, begun, home.clock()) == 0
    record = record_of(scene)
    assert (record.state, record.redrives) == (State.FAILED, 1)
    assert "cannot go on: Execution redrivable period exceeded" in str(record.last_error)
    end(scene, "a", "FAILED")
