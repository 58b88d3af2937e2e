"""The engine port on Step Functions.

An execution's name is its id, which is the same for the same attempt at the same payload: Step Functions refuses a
name that it knows, so a second start is never a second run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.core.execution_id import Arns
from cirrus.core.instant import iso
from cirrus.core.jsontext import decode, encode, fits_inline
from cirrus.core.keys import input_key
from cirrus.core.payload import reference
from cirrus.errors import InvalidPayload, NotFound, StoreError
from cirrus.ports.engine import UNKNOWN, Begin, Described
from cirrus.ports.payloads import Payloads

_KNOWN = "ExecutionAlreadyExists"
_NO_MACHINE = frozenset({"StateMachineDoesNotExist", "StateMachineDeleting"})
_NEVER = frozenset({"InvalidExecutionInput", "InvalidName"})
_NO_EXECUTION = frozenset({"ExecutionDoesNotExist", "InvalidArn"})
_FIXED = "ExecutionNotRedrivable"
_BAD = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})
_PAGE = 1000
_REFERENCE = re.compile(rb'\s*\{\s*"(?:url"|[^"]*\\)')


class StepFunctions:
    """Executions of the deployment's state machines; payloads too large to pass inline are passed by URL."""

    def __init__(self, clients: Clients, arns: Arns, payloads: Payloads, root: str = "cirrus") -> None:
        self._clients = clients
        self._arns = arns
        self._payloads = payloads
        self._root = root

    def start(self, begin: Begin) -> None:
        """Start an execution; one of that id that runs or ran is left as it is.

        InvalidPayload if Step Functions will never take the input. What does not fit inline travels as the URL of the
        input that the claim has kept.
        """
        text = begin.input
        if not fits_inline(text):
            key = input_key(self._root, begin.payload_id, begin.execution_id)
            text = encode({"url": self._payloads.url(key)})
        arn = self._arns.state_machine(begin.workflow)
        try:
            with reported(f"start {begin.workflow} for {begin.payload_id}"):
                self._clients("stepfunctions").start_execution(
                    stateMachineArn=arn, name=begin.execution_id, input=text.decode()
                )
        except StoreError as error:
            why = code(error.__cause__)
            if why in _NO_MACHINE:
                raise NotFound("state machine", arn, "deploy the workflow") from None
            if why in _NEVER:
                raise InvalidPayload(f"Step Functions does not take it: {error}") from None
            if why != _KNOWN:
                raise

    def redrive(self, arn: str, number: int) -> None:
        """Let an execution go on at the step that failed, for the `number`th time; asked twice, it goes on once.

        InvalidPayload in the words of Step Functions if it cannot: it is too old, of another kind, or has not failed.
        """
        told = self._asked(arn)
        if told is not None and told.get("redriveCount", 0) >= number:
            return
        why = _fixed(told)
        if why is not None:
            raise InvalidPayload(f"{arn} cannot go on: {why}")
        try:
            with reported(f"redrive {arn}"):
                token = f"{arn.rpartition(':')[2][-60:]}-{number}"
                self._clients("stepfunctions").redrive_execution(executionArn=arn, clientToken=token)
        except StoreError as error:
            if code(error.__cause__) not in {_FIXED, *_NO_EXECUTION}:
                raise
            told = self._asked(arn)  # somebody else may have been faster
            if told is None or told.get("redriveCount", 0) < number:
                raise InvalidPayload(f"{arn} cannot go on: {error}") from None

    def describe(self, arn: str) -> Described | None:
        """An execution, None if Step Functions knows none of that ARN (any more)."""
        told = self._asked(arn)
        if told is None:
            return None
        given = self._body(told.get("input"))
        output = self._body(told["output"]) if told.get("output") is not None else None
        return Described(
            execution_id=told["name"],
            workflow=self.workflow(told["stateMachineArn"]),
            payload_id=payload_id_of(given) or "",
            status=told["status"],
            started=_instant(told["startDate"]),
            stopped=_instant(told["stopDate"]) if told.get("stopDate") else None,
            error=told.get("error"),
            cause=told.get("cause"),
            input=given,
            output=output,
            redrives=told.get("redriveCount", 0),
            fixed=_fixed(told),
        )

    def _asked(self, arn: str) -> dict[str, Any] | None:
        try:
            with reported(f"describe {arn}"):
                found: dict[str, Any] = self._clients("stepfunctions").describe_execution(executionArn=arn)
                return found
        except StoreError as error:
            if code(error.__cause__) in _NO_EXECUTION:
                return None
            raise

    def _body(self, text: str | None) -> bytes:
        """The payload of an execution's input or output, fetched where it is only pointed to."""
        body = (text or "{}").encode()
        url = pointed(body)
        return self._payloads.get(url) if url is not None and self._payloads.owns(url) else body

    def workflow(self, arn: str) -> str:
        """The workflow of a state machine's ARN."""
        name = arn.removeprefix(self._arns.base)
        return name if name != arn else arn.rpartition(":")[2]

    def stop(self, arn: str, error: str, cause: str) -> None:
        """Stop an execution; one that has ended or is unknown is left as it is."""
        try:
            with reported(f"stop {arn}"):
                self._clients("stepfunctions").stop_execution(executionArn=arn, error=error[:256], cause=cause[:32768])
        except StoreError as failure:
            if code(failure.__cause__) not in _NO_EXECUTION:
                raise

    def history(self, arn: str) -> list[dict[str, Any]]:
        """What happened in an execution, as Step Functions lists it, oldest first. NotFound if it is unknown."""
        asked: dict[str, Any] = {"executionArn": arn, "maxResults": _PAGE, "includeExecutionData": True}
        events: list[dict[str, Any]] = []
        while True:
            try:
                with reported(f"read the history of {arn}"):
                    answer = self._clients("stepfunctions").get_execution_history(**asked)
            except StoreError as error:
                if code(error.__cause__) in _NO_EXECUTION:
                    raise NotFound("execution", arn) from None
                raise
            events += map(_told, answer["events"])
            if not answer.get("nextToken"):
                return events
            asked["nextToken"] = answer["nextToken"]

    def definition(self, workflow: str) -> bytes:
        """The state machine of a workflow as JSON text. NotFound if there is none."""
        arn = self._arns.state_machine(workflow)
        try:
            with reported(f"describe {arn}"):
                told = self._clients("stepfunctions").describe_state_machine(stateMachineArn=arn)
        except StoreError as error:
            if code(error.__cause__) in _NO_MACHINE:
                raise NotFound("workflow", workflow) from None
            raise
        return str(told["definition"]).encode()

    def workflows(self) -> Sequence[str]:
        """The names of the workflows that have a state machine, sorted."""
        found: list[str] = []
        asked: dict[str, Any] = {"maxResults": _PAGE}
        while True:
            with reported("list state machines"):
                answer = self._clients("stepfunctions").list_state_machines(**asked)
            arns = [one["stateMachineArn"] for one in answer["stateMachines"]]
            found += [arn.removeprefix(self._arns.base) for arn in arns if arn.startswith(self._arns.base)]
            if not answer.get("nextToken"):
                return sorted(found)
            asked["nextToken"] = answer["nextToken"]


class DeployedWorkflows:
    """The workflows that a deployment runs, asked for once each; what is deployed counts, not what the project says."""

    def __init__(self, engine: StepFunctions, names: Callable[[], Sequence[str]] | None = None) -> None:
        self._engine = engine
        self._names = names
        self._known: dict[str, bytes] = {}

    def names(self) -> list[str]:
        """Their names, sorted."""
        return list(self._engine.workflows() if self._names is None else self._names())

    def definition(self, name: str) -> bytes:
        """A state machine as JSON text. NotFound if there is none."""
        if name not in self._known:
            self._known[name] = self._engine.definition(name)
        return self._known[name]


def _fixed(told: Mapping[str, Any] | None) -> str | None:
    """Why an execution cannot go on at the step that failed, in the words of Step Functions; None if it can."""
    if told is None:
        return UNKNOWN
    if told.get("redriveStatus", "REDRIVABLE") != "REDRIVABLE":
        return str(told.get("redriveStatusReason") or told["redriveStatus"]).rstrip(".")
    return None if told["status"] in _BAD else f"Execution is {told['status']} and cannot be redriven"


def pointed(text: bytes) -> str | None:
    """The URL of an input or output that only points to the real payload; only what begins like one is read."""
    try:
        return reference(decode(text)) if _REFERENCE.match(text) else None
    except InvalidPayload:
        return None


def payload_id_of(text: bytes) -> str | None:
    """The id that a payload gives itself, None if it is none."""
    try:
        value = decode(text)
    except InvalidPayload:
        return None
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _told(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event of a history; one that does not say what it follows is taken to follow the one before it."""
    return {"previousEventId": event["id"] - 1, **event, "timestamp": iso(_instant(event["timestamp"]))}


def _instant(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
