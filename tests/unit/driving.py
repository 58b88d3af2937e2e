"""Tasks that do what their name says, a control process with payloads in its queue, and what came of them."""

from __future__ import annotations

import json
from typing import Any

from cirrus.core.event import EventType
from cirrus.core.jsontext import encode
from cirrus.core.state import State
from cirrus.flow import query
from cirrus.flow.home import Home
from cirrus.flow.submit import submit
from cirrus.testing.builders import document
from cirrus.testing.home import Clock, Control, make_home

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
