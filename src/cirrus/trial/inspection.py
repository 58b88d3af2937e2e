"""Run one state and look into it, as Step Functions' TestState does.

The engine runs the state itself, inside a machine of its own in which every way out of the state ends the execution.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cirrus import asl
from cirrus.asl import data
from cirrus.asl.clock import read_time, show_time
from cirrus.asl.definition import MapState, Scope, State, TaskState
from cirrus.asl.execution import RUNNING, Branch, Execution, Outstanding, Run, Variables, whole
from cirrus.asl.run import ARN
from cirrus.asl.table import Table
from cirrus.errors import NotFound
from cirrus.trial.answers import Answer, Mock
from cirrus.trial.play import BEGIN, Call, Player
from cirrus.trial.spies import (
    NOTHING,
    BadMock,
    Mocked,
    Notes,
    all_states,
    find_state,
    redirected,
    spied,
    ways,
)

ROOT, BRANCH, TIMER = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Inspected:
    """What became of a state: SUCCEEDED, CAUGHT_ERROR, RETRIABLE or FAILED, and each stage of its data.

    `stages` has the names of TestState's inspectionData; `request` and `response` are those of the state's task.
    """

    status: str
    output: Any
    error: str | None
    cause: str | None
    next_state: str | None
    stages: Mapping[str, Any]
    request: Any = None
    response: Any = None

    def body(self, level: str) -> dict[str, Any]:
        """As TestState answers at an inspection level; values stand as JSON, not as texts of it."""
        shown: dict[str, Any] = {} if self.output is NOTHING else {"output": self.output}
        ending = {"error": self.error, "cause": self.cause}
        shown |= {key: value for key, value in ending.items() if value is not None}
        if level != "INFO":
            shown["inspectionData"] = dict(self.stages)
        if level == "TRACE" and self.request is not None:
            shown["inspectionData"] |= {"request": self.request, "response": self.response}
        if self.next_state is not None:
            shown["nextState"] = self.next_state
        return {**shown, "status": self.status}


def inspect(
    machine: asl.Machine,
    name: str,
    given: Any = None,
    *,
    mock: Mocked | None = None,
    items: Any = NOTHING,
    variables: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    retries: int = 0,
) -> Inspected:
    """Run the state of a name with an input.

    `mock` answers for its task, or for the whole of a Map or Parallel; `items` is what a Map's ItemReader reads;
    `retries` is how often the state was tried before. NotFound, BadMock; Unanswered names a call without a mock.
    """
    state = find_state(machine.scope, name)
    if state is None:
        there = ", ".join(one.name for one in all_states(machine.scope))
        raise NotFound("state", name, f"there are: {there}")
    return _Inspection(machine, state, mock, items).run(
        {} if given is None else given, variables or {}, context or {}, retries
    )


def read_mock(value: Any) -> Mocked:
    """A mock as TestState takes it, `{"result": ...}` or `{"errorOutput": {"error", "cause"}}`; BadMock."""
    if not isinstance(value, dict) or value.keys() - {"fieldValidationMode"} not in ({"result"}, {"errorOutput"}):
        raise BadMock('a mock is {"result": ...} or {"errorOutput": {"error": NAME, "cause": TEXT}}')
    if "result" in value:
        return Mocked(_decoded(value["result"]))
    error = value["errorOutput"]
    texts = isinstance(error, dict) and all(isinstance(one, str) for one in error.values())
    if not texts or not {"error"} <= error.keys() <= {"error", "cause"}:
        raise BadMock("errorOutput holds error, the error's name, and may hold cause, a text")
    return Mocked(error=error["error"], cause=error.get("cause"))


def _decoded(value: Any) -> Any:
    """TestState takes a result as a text of JSON; so it may be here."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


class _Inspection:
    def __init__(self, machine: asl.Machine, state: State, mock: Mocked | None, items: Any) -> None:
        self.machine = machine
        self.notes = Notes()
        self.mock = mock
        self.original = state
        whole, self.answer = _answer(state, mock)
        self.state = redirected(spied(state, self.notes, mock, whole), _away)
        self.whole = whole
        self.items = items

    def run(self, given: Any, variables: Mapping[str, Any], context: Mapping[str, Any], retries: int) -> Inspected:
        scope = Scope(self.state.name, {**ways(self.state), self.state.name: self.state})
        machine = replace(self.machine, scope=scope, timeout=None)
        player = Player(machine, self.mocks(), now=_begin(context))
        player.state = _at_rest(machine, scope, data.take(given)[0], variables, context, player.now)
        player.post(player.now, asl.TimerFired(player.now, player.seed(), TIMER))
        waiting = None
        while player.end is None and waiting is None:
            player.go_on()
            waiting = self.retry(player, retries)
        self.check()
        stages = self.stages(given, player, variables)
        if waiting is not None:
            index, seconds = waiting
            stages["errorDetails"] = {"retryIndex": index, "retryBackoffIntervalSeconds": seconds}
            error, cause = self.error(player)
            return self.told("RETRIABLE", NOTHING, error, cause, None, stages, player)
        assert player.end is not None
        return self.ended(player, player.end, stages)

    def mocks(self) -> dict[str, Mock]:
        found: dict[str, Mock] = {}
        if self.answer is not None:
            found[self.state.name] = (self.answer,)
        elif self.items is not NOTHING:
            found[self.state.name] = (Answer(self.items),)
        return found

    def retry(self, player: Player, retries: int) -> tuple[int, float] | None:
        """The index of the Retry and the seconds of its timer, once the state was tried often enough."""
        assert player.state is not None
        state = whole(player.state)
        branch = state.nodes.get(BRANCH)
        if branch is None or sum(branch.tries) <= retries:
            return None
        for found in state.refs.values():
            if found.branch == BRANCH and found.role == "retry":
                error, _ = self.error(player)
                return _retrier(self.original, error, branch.tries), found.command.at - player.now
        return None

    def error(self, player: Player) -> tuple[str | None, str | None]:
        """The error that the state failed with last."""
        if self.mock is not None and self.mock.error is not None:
            return self.mock.error, self.mock.cause
        for event in reversed(player.events):
            for details in event.values():
                if isinstance(details, dict) and "error" in details:
                    return details["error"], details.get("cause")
        return None, None

    def stages(self, given: Any, player: Player, variables: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"input": given, **self.notes.stages}
        if "afterParameters" not in found and "result" in found and self.state.type == "Pass":
            found["afterParameters"] = found.get("afterInputPath", given)
        if isinstance(self.original, MapState) and self.original.batcher is not None:
            found["afterItemBatcher"] = [value for _, value in sorted(self.notes.children.items())]
        assigned = {}
        for event in player.events:
            details = event.get("stateExitedEventDetails", {})
            if details.get("name") == self.state.name:
                assigned = {name: json.loads(text) for name, text in details.get("assignedVariables", {}).items()}
        if variables or assigned:
            found["variables"] = {**variables, **assigned}
        return found

    def check(self) -> None:
        """The mocked result of a Map or Parallel has as many elements as there are children."""
        result = NOTHING if self.mock is None else self.mock.result
        if self.original.type not in ("Map", "Parallel") or not isinstance(result, list):
            return
        if len(result) != len(self.notes.children):
            raise BadMock(
                f"the mocked result has {len(result)} elements, but the state {len(self.notes.children)} children"
            )

    def ended(self, player: Player, end: asl.End, stages: dict[str, Any]) -> Inspected:
        if end.status != "SUCCEEDED":
            return self.told("FAILED", NOTHING, end.error, end.cause, None, stages, player)
        entered = [event["stateEnteredEventDetails"]["name"] for event in player.events if _is_entered(event)]
        last = entered[-1] if entered[-1] in ways(self.state) else ""
        kind, _, target = last.removeprefix("\0").partition(":")
        if not kind:
            return self.told("SUCCEEDED", end.output, None, None, target or None, stages, player)
        stages["errorDetails"] = {"catchIndex": int(kind)}
        return self.told("CAUGHT_ERROR", end.output, self.notes.error, self.notes.cause, target, stages, player)

    def told(
        self,
        status: str,
        output: Any,
        error: str | None,
        cause: str | None,
        target: str | None,
        stages: dict[str, Any],
        player: Player,
    ) -> Inspected:
        request, response = None, None
        own = [call for call in player.calls if call.state == self.state.name]
        if own and isinstance(self.original, TaskState):
            request, response = self.trace(own[-1])
        return Inspected(status, output, error, cause, target, stages, request, response)

    def trace(self, call: Call) -> tuple[Any, Any]:
        assert isinstance(self.original, TaskState)
        stage = "afterArguments" if self.original.jsonata else "afterParameters"
        request = {"resource": self.original.resource, "parameters": self.notes.stages.get(stage, call.input)}
        if self.mock is None or self.mock.error is None:
            return request, self.notes.stages.get("result")
        return request, {"error": self.mock.error, "cause": self.mock.cause}


def _answer(state: State, mock: Mocked | None) -> tuple[Any, Answer | None]:
    """What takes the place of the state's result, and what the task or the results' writer answers."""
    if mock is None or state.type not in ("Task", "Map", "Parallel"):
        if mock is not None:
            raise BadMock(f"a {state.type} state calls nothing that could be mocked")
        return NOTHING, None
    if not isinstance(state, TaskState):
        written = isinstance(state, MapState) and state.writer is not None and bool(state.writer.kind)
        if written and isinstance(mock.result, dict):
            return mock.result, None
        if mock.error is None and not isinstance(mock.result, list):
            raise BadMock(f"the result of a {state.type} state is a list, one element for each of its children")
        return NOTHING, None
    if mock.error is not None:
        return NOTHING, Answer(error=mock.error, cause=mock.cause)
    if state.kind != "lambda:invoke":
        return NOTHING, Answer(mock.result)
    if not isinstance(mock.result, dict) or "Payload" not in mock.result:
        raise BadMock('lambda:invoke answers an object: {"result": {"Payload": ...}}')
    return mock.result, Answer(mock.result["Payload"])


def _away(kind: str, target: str) -> str:
    return f"\0{kind}:{target}"


def _is_entered(event: Mapping[str, Any]) -> bool:
    return "stateEnteredEventDetails" in event


def _begin(context: Mapping[str, Any]) -> float:
    state = context.get("State")
    return (read_time(state.get("EnteredTime")) if isinstance(state, dict) else None) or BEGIN


def _retrier(state: State, error: str | None, tries: tuple[int, ...]) -> int:
    from cirrus.asl.retry import matches

    fitting = (at for at, one in enumerate(state.retry) if tries[at] and (error is None or matches(one.errors, error)))
    return next(fitting, 0)


def _at_rest(
    machine: asl.Machine,
    scope: Scope,
    given: Any,
    variables: Mapping[str, Any],
    context: Mapping[str, Any],
    at: float,
) -> Execution:
    """An execution that is about to enter the scope's first state when its timer fires."""
    execution = {
        "Id": f"{ARN}:execution:workflow:step",
        "Input": given,
        "StartTime": show_time(at),
        "Name": "step",
        "RoleArn": "arn:aws:iam::111111111111:role/local",
        "RedriveCount": 0,
        **_part(context, "Execution"),
    }
    about = {"Id": f"{ARN}:stateMachine:workflow", "Name": "workflow", **_part(context, "StateMachine")}
    item = _part(context, "Map").get("Item")
    known = Variables(dict(variables), {name: data.size(value) for name, value in variables.items()})
    branch = Branch(
        id=BRANCH,
        run=ROOT,
        parent=0,
        index=0,
        scope=scope,
        state=scope.start,
        input=given,
        variables=known,
        item=item,
        attempt=int(_part(context, "State").get("RetryCount", 0)),
        last=1,
    )
    run = Run(id=ROOT, events=1, execution=execution, machine=about, express=machine.express, leader=BRANCH)
    nodes = Table().set(ROOT, run).set(BRANCH, branch)
    refs = Table().set(TIMER, Outstanding(0, "slice", asl.SetTimer(TIMER, at)))
    return Execution(RUNNING, TIMER, nodes, refs, (("enter", BRANCH),))


def _part(context: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = context.get(name)
    return found if isinstance(found, dict) else {}
