from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus.adapters.memory.store import Store
from cirrus.core.event import EventType
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.errors import CirrusError, Fenced, NotFound, StoreError
from cirrus.flow import query
from cirrus.flow.abort import NotRunning, abort
from cirrus.flow.home import Home
from cirrus.flow.submit import submit
from cirrus.ports.outbox import Subscriptions
from cirrus.testing.builders import document, item
from cirrus.testing.home import FUNCTION, Clock, Control, machine, make_home, task

P = "scenes/workflow-w/a"
Payload = dict[str, Any]


class InvalidInput(Exception):
    pass


def echo(payload: Payload) -> Payload:
    return payload


def published(payload: Payload) -> Payload:
    for one in payload["features"]:
        one["links"] = [{"rel": "canonical", "href": f"s3://out/{one['id']}.json"}]
    return payload


def broken(payload: Payload) -> Payload:
    raise ValueError("no bands")


def invalid(payload: Payload) -> Payload:
    raise InvalidInput("never")


class Counted:
    """A task that counts its runs, and fails the first `failures` of them."""

    def __init__(self, failures: int = 0) -> None:
        self.runs = 0
        self.failures = failures

    def __call__(self, payload: Payload) -> Payload:
        self.runs += 1
        if self.runs <= self.failures:
            raise ValueError(f"run {self.runs}")
        return payload


def start(workflows: dict[str, Any], tasks: dict[str, Any], *documents: Any, **more: Any) -> Control:
    control = Control(make_home(workflows, clock=Clock(), **more), tasks)
    results = list(submit(control.home, [encode(one) for one in documents or (document("a"),)]))
    assert all(one.result == "queued" for one in results), results
    return control


def clock_of(home: Home) -> Clock:
    assert isinstance(home.clock, Clock)
    return home.clock


def state(home: Home, known: str = P) -> State:
    return query.record(home, known).state


def output(home: Home, known: str = P) -> Any:
    return json.loads(query.output_payload(home, query.record(home, known)))


def kinds(home: Home) -> list[EventType]:
    return [event.type for _, event in home.state_db.events()]


# -------------------------------------------------------------------- good ends


def test_run_to_the_end() -> None:
    control = start({"w": machine("one", "two")}, {"one": echo, "two": published})
    control.run()
    record = query.record(control.home, P)
    assert (record.state, record.outputs, record.last_error) == (State.COMPLETED, ("s3://out/a.json",), None)
    assert output(control.home)["features"][0]["id"] == "a"
    assert kinds(control.home) == ["CLAIMED_PROCESSING", "STARTED_PROCESSING", "SUCCEEDED"]
    last = control.home.state_db.events()[-1][1]
    assert control.home.payloads.get(str(last.output_payload_url)) == query.output_payload(control.home, record)
    assert len(control.driver) == 0
    found = query.execution(control.home, payload_id=P)
    assert query.describe(control.home, found)["status"] == "SUCCEEDED"
    history = [event["type"] for event in query.history(control.home, found)]
    assert (history[0], history[-1]) == ("ExecutionStarted", "ExecutionSucceeded")


def test_many_run_beside_each_other() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted}, *[document(f"s{n}") for n in range(300)])
    control.run()
    assert counted.runs == 300
    assert control.home.state_db.count() == {"scenes_w": {State.COMPLETED: 300}}


@pytest.mark.parametrize("size", [119_000, 121_000, 3_000_000])
def test_oversized_payloads_travel_by_url_and_tasks_see_payloads(size: int) -> None:
    seen: list[Payload] = []

    def grow(payload: Payload) -> Payload:
        seen.append(payload)
        return {**payload, "grown": "y" * size}

    control = start({"w": machine("one", "two")}, {"one": grow, "two": grow}, document("a", filler="x" * size))
    control.run()
    assert state(control.home) is State.COMPLETED
    assert [one["filler"] for one in seen] == ["x" * size] * 2
    assert output(control.home)["grown"] == "y" * size
    record = query.record(control.home, P)
    assert json.loads(query.input_payload(control.home, record))["filler"] == "x" * size
    entries = control.home.journal.read(record.executions[0])
    assert all(len(entry.event) < 300_000 for entry in entries)


def test_payload_of_thousands_of_items() -> None:
    control = start({"w": machine("t")}, {"t": published}, document(*[f"s{n:04}" for n in range(5000)]))
    control.run()
    (record,) = control.home.state_db.page(query.Query(), 9).records
    assert (record.state, len(record.outputs)) == (State.COMPLETED, 5000)


def test_parallel_runs_every_branch() -> None:
    def branch(name: str) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: task(name)}}

    first, second = Counted(), Counted()
    both = {"Type": "Parallel", "Branches": [branch("x"), branch("y")], "Next": "pick"}
    pick = {"Type": "Pass", "InputPath": "$[1]", "End": True}
    control = start({"w": machine(both=both, pick=pick)}, {"x": first, "y": second})
    turn = control.turn()
    assert len(turn.start) == 2
    control.run()
    assert (state(control.home), first.runs, second.runs) == (State.COMPLETED, 1, 1)


def wide(**fields: Any) -> dict[str, Any]:
    """A machine that maps a task over the numbers that another makes, and gives its own input on."""
    inner = {**task("t"), "End": True}
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": "I", "States": {"I": inner}}
    over = {"Type": "Map", "ItemsPath": "$.numbers", "ItemSelector": {"n.$": "$$.Map.Item.Value"}, "ResultPath": None}
    mapped = {**over, "ItemProcessor": processor, "Next": "last", **fields}
    return machine(numbers=task("numbers", Next="m"), m=mapped, last=task("last"))


def test_a_map_over_twenty_thousand_items() -> None:
    counted = Counted()
    control = start(
        {"w": wide()}, {"numbers": lambda given: {**given, "numbers": list(range(20_000))}, "t": counted, "last": echo}
    )
    most = 0
    while len(control.driver) or not counted.runs:
        most = max(most, len(control.turn().start))
    assert (state(control.home), counted.runs) == (State.COMPLETED, 20_000)
    assert most <= 1_000


def test_a_wide_map_that_fails_stops_all_its_tasks() -> None:
    control = start(
        {"w": wide(MaxConcurrency=10_000)},
        {"numbers": lambda given: {**given, "numbers": list(range(10_000))}, "t": broken, "last": echo},
    )
    control.run()
    assert query.record(control.home, P).last_error == (
        "States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded"
    )
    assert control.driver.size == 0


# -------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("function", "expected", "event", "message"),
    [
        (broken, State.FAILED, EventType.FAILED, "ValueError: no bands"),
        (invalid, State.INVALID, EventType.INVALID, "InvalidInput: never"),
        (lambda payload: None, State.FAILED, EventType.FAILED, "InvalidOutput: task 't' returned a NoneType"),
    ],
)
def test_task_that_fails(function: Any, expected: State, event: EventType, message: str) -> None:
    control = start({"w": machine("t")}, {"t": function})
    control.run()
    record = query.record(control.home, P)
    assert record.state is expected
    assert str(record.last_error).startswith(message)
    said = control.home.state_db.events()[-1][1]
    assert (said.type, said.error) == (event, record.last_error)
    assert control.home.queue.depth() == 0
    with pytest.raises(NotFound, match="output payload"):
        query.output_payload(control.home, record)


def test_retry_waits_for_its_time() -> None:
    counted = Counted(failures=2)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 10, "BackoffRate": 2, "MaxAttempts": 2}]
    control = start({"w": machine(t=task("t", Retry=retry))}, {"t": counted})
    clock = clock_of(control.home)
    for runs, wait in ((1, 10), (2, 20)):
        control.run()
        assert counted.runs == runs
        clock.advance(wait - 1)
        control.run()
        assert counted.runs == runs
        assert control.driver.next_timer() is not None
        clock.advance(1)
    control.run()
    assert (state(control.home), counted.runs) == (State.COMPLETED, 3)
    assert control.driver.next_timer() is None


def test_retries_that_are_used_up_fail() -> None:
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    control = start({"w": machine(t=task("t", Retry=retry))}, {"t": broken})
    control.run()
    clock_of(control.home).advance(1)
    control.run()
    assert state(control.home) is State.FAILED


def test_catch_goes_on_elsewhere() -> None:
    caught = [{"ErrorEquals": ["ValueError"], "ResultPath": "$.error", "Next": "mend"}]
    control = start({"w": machine(t=task("t", Catch=caught), mend=task("mend"))}, {"t": broken, "mend": echo})
    control.run()
    assert state(control.home) is State.COMPLETED
    assert output(control.home)["error"]["Error"] == "ValueError"


def test_wait_and_timeout_of_the_workflow() -> None:
    states = machine(wait={"Type": "Wait", "Seconds": 3600, "End": True})
    control = start({"w": {**states, "TimeoutSeconds": 60}}, {})
    control.run()
    assert state(control.home) is State.PROCESSING
    clock_of(control.home).advance(60)
    control.run()
    record = query.record(control.home, P)
    assert (record.state, kinds(control.home)[-1]) == (State.FAILED, EventType.TIMED_OUT)
    assert str(record.last_error).startswith("TimedOutError: ")


def test_workflow_that_has_gone_fails_its_payload_and_no_other() -> None:
    control = start({"w": machine("t"), "x": machine("t")}, {"t": echo}, document("a"), document("a", process="x"))
    home = make_home({"x": machine("t")}, store=control.home.unit, clock=control.home.clock)  # type: ignore[arg-type]
    Control(home, {"t": echo}).run()
    assert str(query.record(home, P).last_error).startswith("Cirrus.CannotStart: no workflow 'w'")
    assert state(home, "scenes/workflow-x/a") is State.COMPLETED


def test_unknown_function_fails_with_its_name() -> None:
    control = start({"w": machine("t")}, {})
    control.run()
    assert "the project has no task 't'" in str(query.record(control.home, P).last_error)


@pytest.mark.parametrize("result", [{"url": "cirrus://test/cirrus/tmp/oversized/gone.json"}, "text", [], 5, None])
def test_workflow_whose_output_is_no_payload(result: Any) -> None:
    states = machine(p={"Type": "Pass", "Result": result, "End": True})
    control = start({"w": states, "x": machine("t")}, {"t": echo}, document("a"), document("a", process="x"))
    control.run()
    assert state(control.home) in {State.COMPLETED, State.FAILED}
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED


# -------------------------------------------------------------------- chains


def test_chain_with_branches_runs_to_its_end() -> None:
    counted = {name: Counted() for name in "abcd"}

    def named(payload: Payload) -> Payload:
        for one in payload["features"]:
            one["collection"] = payload["process"][0]["workflow"]
        return payload

    tasks = {**counted, "named": named}
    workflows = {name: machine(name, "named") for name in "abcd"}
    process = [{"workflow": "a"}, [{"workflow": "b"}, {"workflow": "c"}], {"workflow": "d"}]
    control = start(workflows, tasks, document("s", process=process))
    control.run()
    assert {name: task.runs for name, task in counted.items()} == {"a": 1, "b": 1, "c": 1, "d": 2}
    assert set(control.home.state_db.count()) == {"scenes_a", "a_b", "a_c", "b_d", "c_d"}


def test_chain_that_is_filtered_empty_says_so() -> None:
    process = [{"workflow": "w"}, {"workflow": "x", "chain_filter": "@.id =~ 'none.*'"}]
    control = start({"w": machine("t"), "x": machine("t")}, {"t": echo}, document("a", process=process))
    control.run()
    assert kinds(control.home)[-2:] == [EventType.SUCCEEDED, EventType.CHAIN_ENDED]
    assert control.home.queue.depth() == 0
    assert "left no Items" in str(control.home.state_db.events()[-1][1].error)


def test_failed_workflow_ends_its_chain() -> None:
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start({"w": machine("t"), "x": machine("t")}, {"t": broken}, document("a", process=process))
    control.run()
    assert control.home.state_db.count() == {"scenes_w": {State.FAILED: 1}}


def test_output_without_its_process_still_chains() -> None:
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start(
        {"w": machine("bare"), "x": machine("t")},
        {"bare": lambda payload: {"features": payload["features"]}, "t": echo},
        document("a", process=process),
    )
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED


# -------------------------------------------------------------------- one transaction


def everything(store: Store) -> Any:
    with store.reading() as tables:
        return repr(tables)


def test_end_is_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    store, counted = Store(), Counted()
    process = [{"workflow": "w"}, {"workflow": "x"}]
    control = start(
        {"w": machine("t"), "x": machine("u")},
        {"t": counted, "u": echo},
        document("a", process=process),
        store=store,
        subscriptions=Subscriptions(events=("events",), items=("items",)),
    )
    control.turn()
    outcomes = control.compute.collect(0)
    before = everything(store)

    def fail(*_: Any) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(control.home.state_db, "_write_events", fail)
        with pytest.raises(StoreError), control.home.unit.group():
            control.driver.turn(control.home.clock(), outcomes=outcomes)
    assert everything(store) == before
    assert len(control.driver) == 1

    with control.home.unit.group():
        turn = control.driver.turn(control.home.clock(), outcomes=outcomes)
    control.driver.apply(turn, outcomes)
    assert counted.runs == 1
    assert state(control.home) is State.COMPLETED
    assert control.home.queue.depth() == 1
    assert control.home.outbox.waiting("items")[0] == 1
    assert control.home.outbox.waiting("events")[0] == 3
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED


def test_turn_that_does_not_commit_starts_nothing() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted})
    with pytest.raises(KeyError), control.home.unit.group():  # noqa: PT012
        taken = control.home.queue.take(9, owner="o", now=0, until=9)
        assert taken
        raise KeyError
    assert (counted.runs, control.compute.in_flight()) == (0, 0)
    control.run()
    assert counted.runs == 1


# -------------------------------------------------------------------- taking over


def test_new_control_process_goes_on_where_the_dead_one_was() -> None:
    store, clock = Store(), Clock()
    counted = {name: Counted() for name in ("one", "two", "three")}
    home = make_home({"w": machine(*counted)}, store=store, clock=clock)
    list(submit(home, [encode(document("a", filler="x" * 200_000))]))
    dead = Control(home, counted, "dead")
    dead.turn()
    dead.turn()
    assert {name: task.runs for name, task in counted.items()} == {"one": 1, "two": 0, "three": 0}

    heir = Control(make_home({"w": machine("three")}, store=store, clock=clock), counted, "heir")
    assert not heir.turn(adopt=True).staged
    clock.advance(31)
    assert heir.turn(adopt=True).staged
    heir.run()
    assert {name: task.runs for name, task in counted.items()} == {"one": 1, "two": 1, "three": 1}
    assert state(home) is State.COMPLETED
    assert len(query.record(home, P).executions) == 1

    late = dead.turn()
    assert late.lost == {query.record(home, P).executions[0]}
    assert len(dead.driver) == 0
    assert kinds(home).count(EventType.SUCCEEDED) == 1


def test_takeover_before_the_first_step() -> None:
    store, clock, counted = Store(), Clock(), Counted()
    home = make_home({"w": machine("t")}, store=store, clock=clock)
    list(submit(home, [encode(document("a"))]))
    from cirrus.flow.process import process

    process(home, home.queue.take(9, owner="dead", now=clock(), until=clock()), "dead", clock())
    heir = Control(home, {"t": counted}, "heir")
    heir.turn(adopt=True)
    heir.run()
    assert (state(home), counted.runs) == (State.COMPLETED, 1)


def test_takeover_keeps_timers() -> None:
    store, clock, counted = Store(), Clock(), Counted(failures=1)
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100}]
    home = make_home({"w": machine(t=task("t", Retry=retry))}, store=store, clock=clock)
    list(submit(home, [encode(document("a"))]))
    dead = Control(home, {"t": counted}, "dead")
    dead.run()
    clock.advance(50)
    heir = Control(home, {"t": counted}, "heir")
    heir.turn(adopt=True)
    heir.run()
    assert counted.runs == 1
    clock.advance(50)
    heir.run()
    assert (state(home), counted.runs) == (State.COMPLETED, 2)


# -------------------------------------------------------------------- abort


def test_abort_stops_the_execution_and_its_tasks() -> None:
    counted = Counted()
    control = start({"w": machine("t")}, {"t": counted})
    control.turn()
    record = abort(control.home, P, "wrong scene")
    assert (record.state, record.last_error) == (State.ABORTED, "Aborted: wrong scene")
    assert kinds(control.home)[-1] is EventType.ABORTED
    control.driver.drop(control.home.journal.cancelled(control.owner))
    assert len(control.driver) == 0
    control.run()
    assert counted.runs == 0
    assert state(control.home) is State.ABORTED
    list(submit(control.home, [encode(document("a"))]))
    control.run()
    assert (state(control.home), len(query.record(control.home, P).executions)) == (State.COMPLETED, 2)


def test_abort_wins_over_an_outcome_that_comes_late() -> None:
    control = start({"w": machine("t")}, {"t": echo})
    control.turn()
    abort(control.home, P)
    turn = control.turn()
    assert turn.lost
    assert state(control.home) is State.ABORTED


def test_abort_of_what_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    control = start({"w": machine("t")}, {"t": echo})
    with pytest.raises(NotFound):
        abort(control.home, P)
    control.turn()
    with monkeypatch.context() as patch:
        patch.setattr(control.home.state_db, "conclude", lambda ends: [False])
        with pytest.raises(Fenced):
            abort(control.home, P)
    assert [event.type for _, event in control.home.state_db.events()][-1] is EventType.WRITE_REFUSED
    control.run()
    with pytest.raises(NotRunning, match="is COMPLETED"):
        abort(control.home, P)


# -------------------------------------------------------------------- batch

BATCH = {
    "pre": task("pre-batch", Next="job"),
    "job": {
        "Type": "Task",
        "Resource": "arn:aws:states:::batch:submitJob.sync",
        "Parameters": {
            "JobName": "n",
            "JobQueue": "q",
            "JobDefinition": "arn:aws:batch:local:0:job-definition/heavy:3",
            "Parameters": {"url.$": "$.url", "url_out.$": "$.url_out"},
        },
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "post"}],
        "Next": "post",
    },
    "post": {"Type": "Task", "Resource": f"{FUNCTION}post-batch", "End": True},
}


@pytest.mark.parametrize("size", [0, 500_000])
def test_batch_job_reads_and_writes_payloads_by_url(size: int) -> None:
    seen: list[Payload] = []

    def heavy(payload: Payload) -> Payload:
        seen.append(payload)
        return {**payload, "heavy": True}

    control = start({"w": machine(**BATCH)}, {"heavy": heavy}, document("a", filler="x" * size))
    control.run()
    assert state(control.home) is State.COMPLETED, query.record(control.home, P).last_error
    assert (seen[0]["filler"], output(control.home)["heavy"]) == ("x" * size, True)


@pytest.mark.parametrize(
    ("function", "expected", "message"),
    [(broken, State.FAILED, "ValueError: no bands"), (invalid, State.INVALID, "InvalidInput: never")],
)
def test_batch_job_that_fails_keeps_its_error(function: Any, expected: State, message: str) -> None:
    control = start({"w": machine(**BATCH)}, {"heavy": function})
    control.run()
    record = query.record(control.home, P)
    assert (record.state, record.last_error) == (expected, message)


class Picky:
    """Objects that can be read and never written."""

    def __init__(self, error: CirrusError) -> None:
        self.error = error

    def get(self, url: str) -> bytes:
        return encode(document("a"))

    def put(self, url: str, data: bytes, content_type: str | None = None) -> None:
        raise self.error

    def exists(self, url: str) -> bool:
        return True


def test_batch_output_that_cannot_be_written_fails_its_payload_and_no_other() -> None:
    job = {**BATCH["job"], "End": True}
    del job["Next"], job["Catch"]
    places = {"url": "s3://b/in.json", "url_out": "s3://b/out.json"}
    job["Parameters"] = {"JobName": "n", "JobQueue": "q", "JobDefinition": "heavy", "Parameters": places}
    control = start(
        {"w": machine(job=job), "x": machine("t")},
        {"heavy": echo, "t": echo},
        document("a"),
        document("a", process="x"),
        objects=Picky(StoreError("cannot write s3://b/out.json: Access denied")),
    )
    control.run()
    assert state(control.home, "scenes/workflow-x/a") is State.COMPLETED
    record = query.record(control.home, P)
    assert record.state is State.FAILED
    assert "Access denied" in str(record.last_error)


def test_items_are_published_and_events_sent_with_the_end() -> None:
    control = start(
        {"w": machine("t")},
        {"t": published},
        document(item("a"), item("b")),
        subscriptions=Subscriptions(events=("events",), items=("items",)),
    )
    control.run()
    (one,) = control.home.outbox.take("items", 9, owner="d", now=control.home.clock(), until=control.home.clock() + 1)
    assert [found["id"] for found in json.loads(one.body)["features"]] == ["a", "b"]
    assert control.home.outbox.waiting("events")[0] == 3
