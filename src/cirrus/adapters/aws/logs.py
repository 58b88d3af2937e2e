"""What tasks printed, from CloudWatch Logs: found by the history of their execution.

A function's output is the part of its log stream between START and END of the invocation that says it works on this
payload; a Batch job's is the log stream that its description names. Only the part of the journal port that shows logs
is served: the history itself is kept by Step Functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
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
_START = "START RequestId: "
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
        search = _Search(self._filtered, lambda: self._payload_of(arn))
        for event in events:
            ended = _end_of(event)
            if ended is None:
                continue
            scheduled = _before(by_id, event, "Scheduled")
            state = _state_of(by_id, event)
            task, text = self._printed(scheduled, event, search)
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

    def _payload_of(self, arn: str) -> str:
        found = self._engine.describe(arn)
        return found.payload_id if found is not None else ""

    def _printed(self, scheduled: Event | None, event: Event, search: _Search) -> tuple[str, str]:
        name, payload_id = _called(scheduled)
        stream = _log_stream(event)
        if stream is not None:
            return name, self._stream(*stream)
        if not name:
            return name, ""
        return name, search.printed(f"/aws/lambda/{name}", payload_id, _at(scheduled or event) // 1000, event)

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


@dataclass(slots=True)
class _Invocation:
    """One invocation in a log stream: when it began, in milliseconds, and what it printed."""

    request: str
    began: int
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self.lines)

    def is_about(self, payload_id: str) -> bool:
        """Whether it says that it works on a payload."""
        return f"{MARK} {payload_id}\n" in self.lines


class _Search:
    """Finds the invocations that the tries of one execution were, each once."""

    def __init__(self, read: Callable[[str, int, int], list[dict[str, Any]]], payload_id: Callable[[], str]) -> None:
        self._read = read
        self._payload_id = payload_id
        self._taken: set[str] = set()

    def printed(self, group: str, payload_id: str, scheduled: int, event: Event) -> str:
        """The output of the invocation for one try; nothing if none says that it is about the payload.

        Of several the one that the try names by its request counts, else the one that began nearest to it.
        """
        about = payload_id or self._payload_id()
        lines = self._read(group, scheduled - _SLACK, _at(event) // 1000 + _SLACK)
        found = [one for one in _invocations(lines) if one.is_about(about) and one.request not in self._taken]
        named = _request(event)
        best = min(found, key=lambda one: (one.request != named, abs(one.began - scheduled)), default=None)
        if best is None:
            return ""
        self._taken.add(best.request)
        return best.text


def _invocations(lines: list[dict[str, Any]]) -> list[_Invocation]:
    """What lies between START and END in each stream; the last one of a stream may still go on."""
    found: list[_Invocation] = []
    current: dict[str, _Invocation] = {}
    for line in lines:
        stream, text = line["logStreamName"], str(line["message"])
        if text.startswith(_START):
            current[stream] = _Invocation(text.removeprefix(_START).split()[0], int(line["timestamp"]))
            found.append(current[stream])
        elif text.startswith("END RequestId:"):
            current.pop(stream, None)
        elif stream in current:
            current[stream].lines += [f"{part}\n" for part in text.removesuffix("\n").split("\n")]
    return found


def _request(event: Event) -> str:
    """The request that a function's answer names, where it does."""
    told = _json((_end_of(event) or {}).get("output")).get("SdkResponseMetadata")
    return str(told.get("RequestId", "")) if isinstance(told, dict) else ""


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
