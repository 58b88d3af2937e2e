"""Workflow events as metrics: printed in CloudWatch's embedded format, which costs no call, and read back by time.

Names and dimensions are those of existing deployments, so that their dashboards go on: `all_workflows_by_event` by
`event`, and `a_workflow_by_event` by `event` and `workflow`; what counts is the number of samples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.faults import reported
from cirrus.core.instant import SECOND, from_iso
from cirrus.core.jsontext import decode, encode
from cirrus.core.payload_id import parse
from cirrus.core.state import State
from cirrus.errors import InvalidPayload
from cirrus.ports.outbox import Delivery
from cirrus.ports.state_db import SLOT
from cirrus.ports.target import Failed, Target

ALL, ONE = "all_workflows_by_event", "a_workflow_by_event"
ENTERED: Mapping[str, State] = {
    "CLAIMED_PROCESSING": State.CLAIMED,
    "STARTED_PROCESSING": State.PROCESSING,
    "SUCCEEDED": State.COMPLETED,
    "FAILED": State.FAILED,
    "TIMED_OUT": State.FAILED,
    "INVALID": State.INVALID,
    "ABORTED": State.ABORTED,
}


class CountedTarget:
    """A target of events, or none, whose events are counted once they are sent."""

    def __init__(self, target: Target | None, namespace: str, write: Callable[[str], object] | None = None) -> None:
        self._target = target
        self._namespace = namespace
        self._write = write or _print

    def send(self, deliveries: Sequence[Delivery]) -> dict[int, Failed]:
        """Send deliveries in order; gives what failed, by its id."""
        failures = {} if self._target is None else self._target.send(deliveries)
        for delivery in deliveries:
            if delivery.id not in failures and delivery.kind == "event":
                self._write(sample(self._namespace, decode(delivery.body)))
        return failures


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def sample(namespace: str, event: Mapping[str, Any]) -> str:
    """The line that counts one event."""
    try:
        workflow = parse(str(event["payload_id"])).workflow
    except InvalidPayload:
        workflow = "unknown"
    directives = [
        {"Namespace": namespace, "Dimensions": [["event"]], "Metrics": [{"Name": ALL, "Unit": "Count"}]},
        {"Namespace": namespace, "Dimensions": [["event", "workflow"]], "Metrics": [{"Name": ONE, "Unit": "Count"}]},
    ]
    told = {
        "_aws": {"Timestamp": from_iso(event["isotimestamp"]) // 1000, "CloudWatchMetrics": directives},
        "event": event["event_type"],
        "workflow": workflow,
        ALL: 1,
        ONE: 1,
    }
    return encode(told).decode()


class CloudWatchMetrics:
    """Reads the counts of a namespace."""

    def __init__(self, clients: Clients, namespace: str) -> None:
        self._clients = clients
        self._namespace = namespace

    def transitions(self, since: int, until: int) -> dict[int, dict[State, int]]:
        """How many records entered each state between two instants, in slots of SLOT microseconds."""
        begin = since - since % SLOT
        queries = [self._query(n, event) for n, event in enumerate(ENTERED)]
        asked: dict[str, Any] = {
            "MetricDataQueries": queries,
            "StartTime": _moment(begin),
            "EndTime": _moment(max(until, begin + SLOT)),
            "ScanBy": "TimestampAscending",
        }
        counts: dict[int, dict[State, int]] = {}
        while True:
            with reported(f"read the metrics of {self._namespace}"):
                answer = self._clients("cloudwatch").get_metric_data(**asked)
            for result in answer["MetricDataResults"]:
                state = list(ENTERED.values())[int(result["Id"].removeprefix("e"))]
                for moment, number in zip(result["Timestamps"], result["Values"], strict=True):
                    slot = round(moment.timestamp() * SECOND)
                    states = counts.setdefault(slot - slot % SLOT, {})
                    states[state] = states.get(state, 0) + round(number)
            if not answer.get("NextToken"):
                return {slot: counts[slot] for slot in sorted(counts) if slot < until}
            asked["NextToken"] = answer["NextToken"]

    def _query(self, number: int, event: str) -> dict[str, Any]:
        dimensions = [{"Name": "event", "Value": event}]
        metric = {"Namespace": self._namespace, "MetricName": ALL, "Dimensions": dimensions}
        return {"Id": f"e{number}", "MetricStat": {"Metric": metric, "Period": SLOT // SECOND, "Stat": "SampleCount"}}


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / SECOND, UTC)
