from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.core.event import EventType, WorkflowEvent
from cirrus.core.execution_id import next_execution_id
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.errors import NotFound, StoreError
from cirrus.flow.home import Home
from cirrus.flow.process import Begun, process
from cirrus.flow.submit import Submitted, submit
from cirrus.ports.queue import Message
from cirrus.testing.builders import AT, begin, document, finish
from cirrus.testing.home import Clock, make_home, task

P = "scenes/workflow-w/a"
WORKFLOWS = {"w": {"StartAt": "a", "States": {"a": task("t")}}, "x": {"StartAt": "a", "States": {"a": task("t")}}}
BROKEN = {"StartAt": "missing", "States": {"a": {"Type": "Odd"}}}
LEASE = 30


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(clock: Clock) -> Home:
    return make_home({**WORKFLOWS}, clock=clock)


def put(home: Home, *documents: Any) -> None:
    bodies = [one if isinstance(one, bytes) else encode(one) for one in documents]
    home.queue.put([Message(body) for body in bodies], home.clock())


def work(home: Home, owner: str = "o") -> list[Begun]:
    now = home.clock()
    return process(home, home.queue.take(100, owner=owner, now=now, until=now + LEASE * 1_000_000), owner, now)


def events(home: Home) -> list[WorkflowEvent]:
    return [event for _, event in home.state_db.events()]


def kinds(home: Home) -> list[EventType]:
    return [event.type for event in events(home)]


def one_submitted(home: Home, document: Any) -> Submitted:
    (result,) = submit(home, [document if isinstance(document, bytes) else encode(document)])
    return result


# -------------------------------------------------------------------- submit


def test_good_documents_are_queued_with_their_ids(home: Home) -> None:
    results = list(submit(home, (encode(document(f"s{n}")) for n in range(450))))
    assert [one.payload_id for one in results] == [f"scenes/workflow-w/s{n}" for n in range(450)]
    assert {one.result for one in results} == {"queued"}
    assert home.queue.depth() == 450
    assert home.queue.holds("scenes/workflow-w/s7")


def test_submit_is_lazy(home: Home) -> None:
    drawn: list[int] = []

    def endless() -> Any:
        n = 0
        while True:
            drawn.append(n)
            yield encode(document(f"s{n}"))
            n += 1

    next(submit(home, endless()))
    assert len(drawn) < 1000


def test_bad_document_is_kept_and_does_not_stop_the_rest(home: Home) -> None:
    results = list(submit(home, [encode(document("a")), b"{oops", encode({"id": "x"}), encode(document("b"))]))
    assert [one.result for one in results] == ["queued", "rejected", "rejected", "queued"]
    assert "line 1 column" in str(results[1].reason)
    assert "process: is missing" in str(results[2].reason)
    assert [(one.payload_id, one.kept is not None) for one in results[1:3]] == [(None, True), ("x", True)]
    kept = {one.name: one for one in home.queue.quarantined()}
    assert [kept[str(one.kept)].body for one in results[1:3]] == [b"{oops", b'{"id":"x"}']
    assert [kept[str(one.kept)].reason for one in results[1:3]] == [one.reason for one in results[1:3]]
    assert home.payloads.get(home.payloads.url(f"cirrus/tmp/invalid/{results[1].kept}.json")) == b"{oops"
    assert [(one.type, one.payload_id) for one in events(home)] == [
        (EventType.RECORD_EXTRACT_FAILED, "unknown"),
        (EventType.NOT_A_PROCESS_PAYLOAD, "x"),
    ]
    assert home.queue.depth() == 2


@pytest.mark.parametrize(
    ("process", "where"),
    [
        ([{"workflow": "nope"}], "process[0].workflow"),
        ([{"workflow": "w"}, {"workflow": "nope"}], "process[1].workflow"),
        ([{"workflow": "w"}, [{"workflow": "x"}, {"workflow": "nope"}]], "process[1][1].workflow"),
    ],
)
def test_unknown_workflow_is_refused_and_what_there_is_is_told(home: Home, process: Any, where: str) -> None:
    result = one_submitted(home, document("a", process=process))
    assert result.reason == f"{where}: there is no workflow 'nope'; there are: w, x"


def test_broken_definition_is_refused_with_its_findings() -> None:
    result = one_submitted(make_home({"w": BROKEN}), document("a"))
    assert result.result == "rejected"
    assert "process[0].workflow: the definition of 'w' is wrong" in str(result.reason)
    assert "missing" in str(result.reason)


def test_bare_process_is_queued_with_a_warning(home: Home) -> None:
    result = one_submitted(home, document("a", process={"workflow": "w"}))
    assert (result.result, len(result.warnings)) == ("queued", 1)


def test_url_payloads_are_fetched(home: Home) -> None:
    ours = home.payloads.put("cirrus/tmp/oversized/1.json", encode(document("ours")))
    home.objects.put("s3://b/theirs.json", encode(document("theirs")))
    assert one_submitted(home, {"url": ours}).payload_id == "scenes/workflow-w/ours"
    assert one_submitted(home, {"url": "s3://b/theirs.json"}).payload_id == "scenes/workflow-w/theirs"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no object 's3://b/k'"),
        (b"{oops", "no valid JSON"),
        (b'{"url":"s3://b/k"}', "another url"),
        (b"[]", "array"),
    ],
)
def test_url_that_leads_to_no_payload(home: Home, body: bytes | None, reason: str) -> None:
    if body is not None:
        home.objects.put("s3://b/k", body)
    result = one_submitted(home, {"url": "s3://b/k"})
    assert result.result == "rejected"
    assert reason in str(result.reason)


def test_submit_in_a_group_that_fails_queues_nothing(home: Home) -> None:
    with pytest.raises(KeyError), home.unit.group():  # noqa: PT012
        list(submit(home, [encode(document("a")), b"{oops"]))
        raise KeyError
    assert home.queue.depth() == 0
    assert home.queue.quarantined() == []
    assert events(home) == []


# -------------------------------------------------------------------- the table, end to end


def test_new_payload_runs(home: Home) -> None:
    put(home, document("a"))
    (begun,) = work(home)
    first = next_execution_id(P, ())
    assert (begun.execution_id, begun.payload_id, begun.workflow, begun.fault) == (first, P, "w", None)
    record = home.state_db.get([P])[P]
    assert (record.state, record.executions) == (State.PROCESSING, (first,))
    assert kinds(home) == [EventType.CLAIMED_PROCESSING, EventType.STARTED_PROCESSING]
    said = events(home)[0]
    assert said.input_payload_url == home.payloads.url(f"cirrus/executions/{P}/{first}/input.json")
    assert json.loads(home.payloads.get(str(said.input_payload_url)))["id"] == P
    assert str(said.execution).endswith(first)
    assert home.queue.depth() == 0


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("state", [State.FAILED, State.ABORTED, State.COMPLETED, State.INVALID])
def test_ended_payload(home: Home, state: State, replace: bool) -> None:
    before = finish(home.state_db, P, state, last_error="Bad: x", outputs=("file:///x",))
    put(home, document("a", process=[{"workflow": "w", "replace": replace}]))
    begun = work(home)
    record = home.state_db.get([P])[P]
    if replace or state in {State.FAILED, State.ABORTED}:
        assert [one.execution_id for one in begun] == [next_execution_id(P, before.executions)]
        assert record.executions == (*before.executions, begun[0].execution_id)
        assert (record.state, record.last_error, record.outputs) == (State.PROCESSING, None, ())
        assert kinds(home) == [EventType.CLAIMED_PROCESSING, EventType.STARTED_PROCESSING]
    else:
        assert begun == []
        assert record == before
        assert kinds(home) == [EventType(f"ALREADY_{state}")]
    assert home.queue.depth() == 0


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize(("owner", "event"), [(None, EventType.ALREADY_CLAIMED), ("p", EventType.ALREADY_PROCESSING)])
def test_running_payload_is_skipped(home: Home, replace: bool, owner: str | None, event: EventType) -> None:
    before = begin(home.state_db, P, owner=owner)
    put(home, document("a", process=[{"workflow": "w", "replace": replace}]))
    assert work(home) == []
    assert home.state_db.get([P])[P] == before
    assert kinds(home) == [event]
    assert str(events(home)[0].execution).endswith(before.executions[0])
    assert home.queue.depth() == 0


@pytest.mark.parametrize("replace", [False, True])
def test_claim_whose_lease_has_expired_is_resumed(home: Home, clock: Clock, replace: bool) -> None:
    failed = finish(home.state_db, P, State.FAILED)
    before = begin(home.state_db, P, input=encode(document("as-claimed")), definition=encode(WORKFLOWS["x"]))
    clock.advance(LEASE)
    put(home, document("a", process=[{"workflow": "w", "replace": replace}]))
    (begun,) = work(home)
    record = home.state_db.get([P])[P]
    assert (begun.execution_id, record.executions) == (before.executions[-1], before.executions)
    assert begun.execution_id not in failed.executions
    assert (record.state, record.claimed_at) == (State.PROCESSING, AT)
    assert (begun.input, begun.definition) == (encode(document("as-claimed")), encode(WORKFLOWS["x"]))
    assert kinds(home) == [EventType.STARTED_PROCESSING]
    assert home.queue.depth() == 0


def test_same_id_twice_in_one_batch(home: Home) -> None:
    put(home, document("a"), document("b"), document("a", process=[{"workflow": "w", "replace": True}]))
    assert [one.payload_id for one in work(home)] == [P, "scenes/workflow-w/b"]
    assert kinds(home).count(EventType.DUPLICATE_ID_ENCOUNTERED) == 1
    assert home.queue.depth() == 0


def test_payload_that_another_claims_in_between_is_skipped(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, document("a"))
    read = home.state_db.get

    def late(ids: Any) -> Any:
        answer = read(ids)
        monkeypatch.undo()
        begin(home.state_db, P, owner="other")
        return answer

    monkeypatch.setattr(home.state_db, "get", late)
    assert work(home) == []
    assert kinds(home) == [EventType.ALREADY_CLAIMED]
    assert home.queue.depth() == 0


def test_two_control_processes_run_it_once(home: Home) -> None:
    put(home, *[document("a")] * 5)
    taken = [home.queue.take(1, owner=f"o{n}", now=AT, until=AT + 9) for n in range(5)]
    begun = [one for n, messages in enumerate(taken) for one in process(home, messages, f"o{n}", AT)]
    assert len(begun) == 1
    assert kinds(home).count(EventType.ALREADY_PROCESSING) == 4


# -------------------------------------------------------------------- messages


def test_messages_that_are_no_payloads_are_kept_with_the_reason(home: Home) -> None:
    put(home, b"{oops", document("a"), {"id": "x"}, {"url": "s3://b/none"})
    assert [one.payload_id for one in work(home)] == [P]
    assert home.queue.depth() == 0
    reasons = sorted(kept.reason for kept in home.queue.quarantined())
    assert [reason[:9] for reason in reasons] == ["no object", "no valid ", "process: "]
    assert EventType.RECORD_EXTRACT_FAILED in kinds(home)
    assert EventType.NOT_A_PROCESS_PAYLOAD in kinds(home)


def test_url_that_cannot_be_read_now_is_tried_again_and_then_kept(home: Home, clock: Clock) -> None:
    class Down:
        def get(self, url: str) -> bytes:
            raise StoreError(f"cannot read {url}: HTTP 503")

    down = make_home(WORKFLOWS, store=home.unit, clock=clock, objects=Down())  # type: ignore[arg-type]
    put(home, {"url": "s3://b/k"})
    for attempt in range(1, home.limits.message_attempts):
        assert work(down) == []
        assert home.queue.depth() == 1
        assert home.queue.take(1, owner="o", now=clock(), until=clock()) == []
        clock.advance(5 * 2**attempt)
    assert home.queue.quarantined() == []
    work(down)
    assert home.queue.depth() == 0
    assert "HTTP 503" in home.queue.quarantined()[0].reason


def test_url_that_can_be_read_again_runs(home: Home, clock: Clock) -> None:
    put(home, {"url": "s3://b/k"})
    home.objects.put("s3://b/k", encode(document("a")))
    (begun,) = work(home)
    assert begun.payload_id == P
    assert json.loads(begun.input)["features"][0]["id"] == "a"


def test_payload_whose_workflow_has_gone_cannot_start(home: Home) -> None:
    put(home, document("a", process="gone"), document("b"))
    gone, good = work(home)
    assert isinstance(gone.fault, NotFound)
    assert good.fault is None
    assert kinds(home).count(EventType.STARTED_PROCESSING) == 1


def test_reads_fail_closed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home, document("a"))

    def broken(ids: Any) -> Any:
        raise StoreError("throttled")

    monkeypatch.setattr(home.state_db, "get", broken)
    with pytest.raises(StoreError), home.unit.group():
        work(home)
    assert (events(home), home.queue.depth(), home.journal.running()) == ([], 1, 0)
