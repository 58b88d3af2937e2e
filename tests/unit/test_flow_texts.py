"""Payloads pass through as the text that they came as: nobody decodes what no state looks inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cirrus import asl
from cirrus.asl import data
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.errors import InvalidPayload
from cirrus.flow import query
from cirrus.flow.call import result
from cirrus.flow.result import Result, Wanted, as_text, as_value, carried, inline, referred, text_of
from cirrus.flow.submit import submit
from cirrus.ports.compute import Attempt, Outcome
from cirrus.testing.builders import document
from cirrus.testing.home import FUNCTION, Control, machine, make_home, task

P = "scenes/workflow-w/a"
INVOKE = "arn:aws:states:::lambda:invoke"
FILLER = "x" * 1000


def spaced(payload: dict[str, Any]) -> Any:
    return payload


class Raw(Control):
    """A control process whose tasks answer with bytes of their own: what they were given, spaced out."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.seen: list[bytes] = []
        run = self.compute._run

        def answered(attempt: Attempt) -> Outcome:
            outcome = run(attempt)
            self.seen.append(attempt.payload)
            if outcome.output is None:
                return outcome
            return Outcome(**{**_fields(outcome), "output": json.dumps(json.loads(outcome.output), indent=1).encode()})

        self.compute._run = answered  # type: ignore[method-assign]


def _fields(outcome: Outcome) -> dict[str, Any]:
    return {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}


def start(states: dict[str, Any], **more: Any) -> Raw:
    control = Raw(make_home({"w": states, **more}), {"t": spaced, "u": spaced})
    list(submit(control.home, [encode(document("a", filler=FILLER))]))
    return control


def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine open no text."""

    def refuse(text: bytes) -> Any:
        raise AssertionError("a text was opened")

    monkeypatch.setattr(data, "read", refuse)


WRAPPED = {"Parameters": {"FunctionName": f"{FUNCTION}u", "Payload.$": "$"}, "OutputPath": "$.Payload"}
CLOSED = {
    "functions": machine("t", "u"),
    "invocations": machine(t=task("t", Next="u"), u={**task("u"), "Resource": INVOKE, **WRAPPED}),
    "others between": machine(t=task("t", Next="p"), p={"Type": "Pass", "Next": "z"}, z={"Type": "Succeed"}),
}


@pytest.mark.parametrize("states", CLOSED.values(), ids=CLOSED)
def test_what_nobody_looks_inside_stays_as_it_is(states: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    control = start(states)
    shut(monkeypatch)
    control.run()
    record = query.record(control.home, P)
    assert record.state is State.COMPLETED, record.last_error
    assert control.seen[0] == query.input_payload(control.home, record)
    output = query.output_payload(control.home, record)
    assert output.startswith(b"{\n ")
    assert control.seen[1:] in ([], [output])
    entries = control.home.journal.read(record.executions[0])
    assert all(len(entry.event) < 500 for entry in entries)
    assert [entry.body for entry in entries[1:]] == [output] * (len(entries) - 1)


@pytest.mark.parametrize("states", CLOSED.values(), ids=CLOSED)
def test_a_replay_takes_the_same_texts(states: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    control = start(states)
    control.turn()
    control.turn()
    shut(monkeypatch)
    control.home.journal.retire("o")
    other = Control(control.home, {"t": spaced, "u": spaced}, owner="p")
    other.turn(adopt=True)
    other.run()
    record = query.record(control.home, P)
    assert record.state is State.COMPLETED, record.last_error


def test_a_state_that_looks_sees_values() -> None:
    control = start(machine(t=task("t", ResultPath="$.r", Next="u"), u=task("u", InputPath="$.r")))
    control.run()
    assert json.loads(control.seen[1])["filler"] == FILLER
    assert query.record(control.home, P).state is State.COMPLETED


@pytest.mark.parametrize("kind", ["sync", "sync:2"])
def test_started_executions_give_their_texts_as_values(kind: str) -> None:
    started = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::states:startExecution.{kind}",
        "Parameters": {"StateMachineArn": "arn:aws:states:local:0:stateMachine:x", "Input.$": "$"},
        "OutputPath": "$.Output",
        "End": True,
    }
    control = start(machine(s=started), x=machine("t", "u"))
    control.turn()
    control.turn()
    control.home.journal.retire("o")
    other = Control(control.home, {"t": spaced, "u": spaced}, owner="p")
    other.turn(adopt=True)
    other.run()
    record = query.record(control.home, P)
    assert record.state is State.COMPLETED, record.last_error
    output = json.loads(query.output_payload(control.home, record))
    assert (json.loads(output) if kind == "sync" else output)["filler"] == FILLER
    bodies = [entry.body for entry in control.home.journal.read(record.executions[0])[2:]]
    assert [body is not None and FILLER.encode() in body for body in bodies][:2] == [True, True]
    history = query.history(control.home, query.execution(control.home, payload_id=P))
    assert history[-1]["type"] == "ExecutionSucceeded"


TEXTS = [
    (b'{"url": "u"}', "u"),
    (b' {\n "url" : "u" } ', "u"),
    (b'{"\\u0075rl": "u"}', "u"),
    (b'{"url": "u", "b": 1}', None),
    (b'{"b": 1, "url": "u"}', None),
    (b'{"url": 1}', None),
    (b'{"b": "url"}', None),
    (b"{}", None),
    (b"[]", None),
    (b"{", None),
    (b'{"b":' + b"x" * 9000, None),
]


@pytest.mark.parametrize(("text", "url"), TEXTS)
def test_references_are_known_by_how_they_begin(text: bytes, url: str | None) -> None:
    assert referred(asl.Text(text)) == url


def test_texts_and_values() -> None:
    home = make_home({})
    small, large = b'{"a": 1}', encode({"a": FILLER})
    assert (carried(small), carried(large)) == ({"a": 1}, asl.Text(large))
    assert inline(home, large) == asl.Text(large)
    huge = encode({"a": "x" * 130_000})
    assert text_of(home, inline(home, huge)) == huge
    assert text_of(home, asl.Text(encode(inline(home, huge)))) == huge
    assert (as_text({"a": 1}), as_text(asl.Text(small))) == (b'{"a":1}', small)
    assert (as_value([1]), as_value(asl.Text(small))) == ([1], {"a": 1})
    with pytest.raises(InvalidPayload):
        as_value(asl.Text(b"{"))


def test_an_output_that_is_no_json_fails_its_task() -> None:
    made = result(make_home({}), Wanted("t", b""), b'{"a": NaN}', None, None)
    assert isinstance(made, Result)
    assert made.error == "InvalidOutput"
    assert "task 't'" in str(made.cause)
