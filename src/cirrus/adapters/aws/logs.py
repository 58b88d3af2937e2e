"""What tasks printed, from CloudWatch Logs: found by the history of their execution.

A function's output is the part of its log stream between START and END of the invocation that says it works on this
payload; a Batch job's is the log stream that its description names. Only the part of the journal port that shows logs
is served: the history itself is kept by Step Functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import code, reported
from cirrus.core.instant import from_iso
from cirrus.core.jsontext import decode
from cirrus.errors import ConfigError, InvalidPayload, StoreError
from cirrus.ports.engine import Engine
from cirrus.ports.journal import AttemptLog

MARK = "cirrus-task"
BATCH_GROUP = "/aws/batch/job"
_MOST = 10_000
_SLACK = 5_000
Event = Mapping[str, Any]


class CloudWatchLogs:
    """The logs of executions; everything else of a journal is refused with ConfigError."""

    def __init__(self, clients: Clients, engine: Engine) -> None:
        self._clients = clients
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        raise ConfigError("AWS", [f"journal.{name}: the workflows of a deployment on AWS are run by Step Functions"])

    def logs(self, arn: str) -> list[AttemptLog]:
        """What each try at a function or a Batch job of an execution printed, oldest first."""
        return list(self._logs(self._engine.history(arn), arn))

    def _logs(self, events: list[dict[str, Any]], arn: str) -> Iterator[AttemptLog]:
        by_id = {event["id"]: event for event in events}
        tries: dict[str, int] = {}
        for event in events:
            ended = _end_of(event)
            if ended is None:
                continue
            scheduled = _before(by_id, event, "Scheduled")
            state = _state_of(by_id, event)
            task, text = self._printed(scheduled, event)
            tries[state] = tries.get(state, 0) + 1
            yield AttemptLog(
                execution_id=arn.rpartition(":")[2],
                ref=int(event["id"]),
                state=state,
                task=task,
                attempt=tries[state],
                started=_at(scheduled or event),
                ended=_at(event),
                error=ended.get("error"),
                text=text.encode(),
            )

    def _printed(self, scheduled: Event | None, event: Event) -> tuple[str, str]:
        name, arguments = _called(scheduled)
        stream = _log_stream(event)
        if stream is not None:
            return name, self._stream(*stream)
        begin, end = _at(scheduled or event) // 1000 - _SLACK, _at(event) // 1000 + _SLACK
        return name, self._invocation(f"/aws/lambda/{name}", arguments, begin, end) if name else ""

    def _invocation(self, group: str, about: str, begin: int, end: int) -> str:
        """The output of the invocation that says it is about this payload; nothing if none says so."""
        lines = self._filtered(group, begin, end)
        current: dict[str, list[str]] = {}
        for line in lines:
            stream, text = line["logStreamName"], str(line["message"])
            if text.startswith("START RequestId:"):
                current[stream] = []
            elif text.startswith("END RequestId:"):
                kept = "".join(current.pop(stream, []))
                if f"{MARK} {about}" in kept:
                    return kept
            elif stream in current:
                current[stream].append(text if text.endswith("\n") else f"{text}\n")
        return next((kept for kept in map("".join, current.values()) if f"{MARK} {about}" in kept), "")

    def _filtered(self, group: str, begin: int, end: int) -> list[dict[str, Any]]:
        asked: dict[str, Any] = {"logGroupName": group, "startTime": begin, "endTime": end}
        found: list[dict[str, Any]] = []
        while len(found) < _MOST:
            try:
                with reported(f"read the logs in {group}"):
                    answer = self._clients("logs").filter_log_events(**asked)
            except StoreError as error:
                if code(error.__cause__) == "ResourceNotFoundException":
                    return []
                raise
            found += answer.get("events", [])
            if not answer.get("nextToken"):
                break
            asked["nextToken"] = answer["nextToken"]
        return found

    def _stream(self, group: str, stream: str) -> str:
        try:
            with reported(f"read the logs in {group}"):
                answer = self._clients("logs").get_log_events(
                    logGroupName=group, logStreamName=stream, startFromHead=True, limit=_MOST
                )
        except StoreError as error:
            if code(error.__cause__) == "ResourceNotFoundException":
                return ""
            raise
        return "".join(f"{event['message']}\n" for event in answer.get("events", []))


def _end_of(event: Event) -> Mapping[str, Any] | None:
    kind = str(event["type"])
    if not kind.startswith(("LambdaFunction", "Task")) or not kind.endswith(("Succeeded", "Failed", "TimedOut")):
        return None
    details = event.get(f"{kind[0].lower()}{kind[1:]}EventDetails")
    return details if isinstance(details, Mapping) else {}


def _before(by_id: Mapping[int, Event], event: Event, end: str) -> Event | None:
    current: Event | None = event
    while current is not None:
        if str(current["type"]).endswith(end):
            return current
        current = by_id.get(current.get("previousEventId", 0))
    return None


def _state_of(by_id: Mapping[int, Event], event: Event) -> str:
    entered = _before(by_id, event, "StateEntered")
    return str(entered["stateEnteredEventDetails"]["name"]) if entered else "unknown"


def _called(scheduled: Event | None) -> tuple[str, str]:
    """The name of the function that was called, and the id of the payload that it was given."""
    if scheduled is None:
        return "", ""
    details = scheduled.get("lambdaFunctionScheduledEventDetails") or scheduled.get("taskScheduledEventDetails") or {}
    given = _json(details.get("input") or details.get("parameters"))
    resource = str(given.get("FunctionName") or details.get("resource", ""))
    payload = given.get("Payload", given)
    known = payload.get("id") if isinstance(payload, dict) else None
    name = resource.partition(":function:")[2] or resource.rpartition(":")[2] or resource
    return name.partition(":")[0], str(known or "")


def _log_stream(event: Event) -> tuple[str, str] | None:
    """The group and the stream that a job's description names, None where it is no job's."""
    details = _end_of(event) or {}
    container = _json(details.get("output") or details.get("cause")).get("Container")
    if not isinstance(container, dict) or not container.get("LogStreamName"):
        return None
    options = (container.get("LogConfiguration") or {}).get("Options") or {}
    return str(options.get("awslogs-group", BATCH_GROUP)), str(container["LogStreamName"])


def _json(text: Any) -> dict[str, Any]:
    try:
        value = decode(text) if isinstance(text, str) else text
    except InvalidPayload:
        return {}
    return value if isinstance(value, dict) else {}


def _at(event: Event) -> int:
    return from_iso(event["timestamp"])
