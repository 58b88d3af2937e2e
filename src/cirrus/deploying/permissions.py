"""What each role may do: actions by what they act on, and no action that its function does not call.

`*` stands only where AWS knows no resource for an action.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from troposphere import Ref, Sub

from cirrus.deploying.places import Places

_READ_TABLE = ("BatchGetItem", "Query")
_WRITE_TABLE = ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete", "PutItem", "UpdateItem")
_OUTBOX = ("BatchGetItem", "BatchWriteItem", "Query", "PutItem", "DeleteItem", "UpdateItem", "ConditionCheckItem")
_RECEIVE = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility")
Statement = dict[str, Any]


def allow(service: str, actions: Iterable[str], resources: Sequence[Any]) -> list[Statement]:
    """One statement, or none where there is nothing to act on."""
    given = [f"{service}:{action}" for action in actions]
    return [{"Effect": "Allow", "Action": given, "Resource": list(resources)}] if resources else []


def policy(name: str, statements: Sequence[Statement]) -> Mapping[str, Any]:
    """The document of a policy."""
    return {"PolicyName": name, "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}


def trusted(service: str, **condition: Any) -> Mapping[str, Any]:
    """Who may assume a role: one service, for this account."""
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]}


class Permissions:
    """Statements for the roles of one deployment."""

    def __init__(self, places: Places) -> None:
        self._places = places

    def process(self) -> list[Statement]:
        """Takes payloads, claims, starts executions."""
        asked = allow("states", ["DescribeExecution", "RedriveExecution"], self._places.runs)
        return [*self._flow(), *allow("states", ["StartExecution"], self._places.machines), *asked]

    def update_state(self) -> list[Statement]:
        """Writes down ends, reads what events left out."""
        received = allow("sqs", _RECEIVE, [self._places.arn("UpdateQueue")])
        return [*self._flow(received=False), *received, *allow("states", ["DescribeExecution"], self._places.runs)]

    def sweep(self) -> list[Statement]:
        """Asks about executions, starts what was dropped, sends what waits."""
        started = allow("states", ["StartExecution"], self._places.machines)
        asked = allow("states", ["DescribeExecution", "StopExecution", "RedriveExecution"], self._places.runs)
        return [*self._flow(received=False, scan=True), *started, *asked]

    def batch(self) -> list[Statement]:
        """Keeps payloads for jobs, and reads what came of them."""
        return self._payloads("GetObject", "PutObject")

    def api(self) -> list[Statement]:
        """Reads records and metrics."""
        table = self._places.arn("StateTable")
        return [
            *allow("dynamodb", _READ_TABLE, [table, Sub("${StateTable.Arn}/index/*")]),
            *allow("dynamodb", ["Scan"], [table]),
            *allow("cloudwatch", ["GetMetricData"], ["*"]),  # knows no resources
        ]

    def task(self, name: str) -> list[Statement]:
        """Reads and writes data, reads and writes payloads that travel by URL, and the buckets granted to the task."""
        places = self._places
        granted = places.granted(name)
        return [
            *allow("s3", ["GetObject", "PutObject"], places.data_objects),
            *allow("s3", ["ListBucket"], [places.data_bucket_arn]),
            *self._payloads("GetObject", "PutObject"),
            *allow("s3", ["GetObject", "PutObject"], [places.objects(bucket) for bucket in granted]),
            *allow("s3", ["ListBucket"], [places.bucket_arn(bucket) for bucket in granted]),
            *allow("secretsmanager", ["GetSecretValue"], places.secrets(name)),
        ]

    def operator(self) -> list[Statement]:
        """What the command line does."""
        places = self._places
        queues = [places.arn(one) for one in ("ProcessQueue", "BulkQueue", "DeadQueue")]
        machines = ["StartExecution", "DescribeStateMachine"]
        runs = ["DescribeExecution", "GetExecutionHistory", "StopExecution"]
        tokens = ["SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat", "ListStateMachines"]
        pointers = [Sub(f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{one}")
                    for one in (places.pointer, f"{places.parameters}*")]  # fmt: skip
        return [
            *self._tables(scan=True),
            *allow("dynamodb", ["DescribeTable"], [places.arn("StateTable")]),
            *self._payloads("GetObject", "PutObject", "DeleteObject"),
            *allow("sqs", [*_RECEIVE, "SendMessage", "StartMessageMoveTask"], queues),
            *allow("states", machines, places.machines),
            *allow("states", runs, places.runs),
            *allow("states", tokens, ["*"]),  # a token is no resource, nor is a list
            *allow("cloudwatch", ["GetMetricData"], ["*"]),  # knows no resources
            *allow("logs", ["FilterLogEvents", "GetLogEvents"], places.log_groups),
            *allow("lambda", ["InvokeFunction"], places.functions),
            *allow("lambda", ["ListFunctions"], ["*"]),  # knows no resources
            *allow("ssm", ["GetParameter", "GetParametersByPath"], pointers),
        ]

    def _flow(self, *, received: bool = True, scan: bool = False) -> list[Statement]:
        places = self._places
        queues = [places.arn(one) for one in ("ProcessQueue", "BulkQueue")]
        return [
            *self._tables(scan=scan),
            *self._payloads("GetObject", "PutObject"),
            *(allow("s3", ["GetObject"], places.data_objects) if received else []),
            *allow("sqs", ["SendMessage"], [*queues, places.arn("DeadQueue")]),
            *(allow("sqs", _RECEIVE, queues) if received else []),
            *allow("sns", ["Publish"], [Ref("EventTopic"), Ref("PublishTopic")]),
        ]

    def _tables(self, *, scan: bool = False) -> list[Statement]:
        """What records and the outbox need; to list the groups of records, one row of each is scanned."""
        table, outbox = self._places.arn("StateTable"), self._places.arn("OutboxTable")
        statements = [one for one in _WRITE_TABLE if one.startswith("PartiQL")]
        listed = ["Scan"] if scan else []
        return [
            *allow("dynamodb", _READ_TABLE, [table, Sub("${StateTable.Arn}/index/*")]),
            *allow("dynamodb", [*_WRITE_TABLE, *listed], [table]),
            *allow("dynamodb", [*_OUTBOX, *statements, *listed], [outbox]),
        ]

    def _payloads(self, *actions: str) -> list[Statement]:
        return [
            *allow("s3", actions, [self._places.payload_objects]),
            *allow("s3", ["ListBucket"], [self._places.payload_bucket_arn]),  # else what is not there is 'denied'
        ]
