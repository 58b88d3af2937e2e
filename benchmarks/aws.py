"""Calls of AWS per payload by operation, and what they cost, against the original's recorded count; handler times.

The functions run here, in this process, against stand-ins (`make standins`). Calls are counted by hooks of botocore.
Prices are those of us-east-1 for on-demand use since November 2024; DynamoDB's units follow by its published rules from
every row as it was before and after each write, which the tables' streams hold. What functions print, events as
metrics among it, is paid for by the byte. The functions' time is the processor's, at 512 MB. Step Functions'
transitions, and receiving from queues, come on top for everyone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field, replace
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from tests.aws import standins
from tests.aws.scene import Scene, end_event, make_scene

from benchmarks.figures import arguments, environment, show
from cirrus.adapters.aws.clients import Clients
from cirrus.core.execution_id import next_execution_id
from cirrus.entry.lambdas import process, update_state

BATCH = 10
FUNCTIONS = ("process", "update_state", "sweep", "api", "pre_batch", "post_batch", "task")
# US dollars for a million calls, units or, for logs, lines of 200 bytes; what is not listed costs nothing by the call.
USD = {
    "s3.PutObject": 5.0,
    "s3.GetObject": 0.4,
    "sns.PublishBatch": 0.5,
    "sqs.SendMessageBatch": 0.4,
    "logs.PutLogEvents": 0.1,
}
WRITE_UNIT, READ_UNIT = 0.625, 0.125  # for a million
LOG_BYTE = 0.5 / 1_000_000_000 * 1_000_000  # for a million
_LINE, _CALL = 26, 350  # bytes that CloudWatch adds to a line, and that Lambda prints of a call itself
LAMBDA_SECOND = 0.0000166667 / 2 * 1_000_000  # 512 MB for a second, a million times
# cirrus-geo 2.0.0 with events and metrics, happy path, batches of 10: a recorded run, counted in the same way.
ORIGINAL = {
    "dynamodb.BatchGetItem": 0.1,
    "dynamodb.UpdateItem": 3.0,
    "s3.PutObject": 2.0,
    "stepfunctions.StartExecution": 1.0,
    "sns.PublishBatch": 2.2,
    "logs.PutLogEvents": 3.0,
    "logs.CreateLogStream": 1.1,
}
ORIGINAL_CPU = 0.1  # seconds of its two handlers per payload, recorded with AWS answering at once


@dataclass
class Meter:
    """Counts calls by service and operation; given to Clients as `prepare`."""

    calls: Counter[str] = field(default_factory=Counter)

    def __call__(self, session: Any) -> None:
        """Register the hook."""
        session.register("before-call", self._called)

    def _called(self, event_name: str = "", **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        self.calls[f"{_SERVICES.get(service, service)}.{operation}"] += 1


def units(row: Mapping[str, Any]) -> int:
    """How many write units of 1 KB a row takes."""
    return -(-sum(len(name) + _size(value) for name, value in row.items()) // 1024)


def _size(value: Mapping[str, Any]) -> int:
    """About how many bytes a value counts."""
    ((kind, held),) = value.items()
    if kind == "L":
        return 3 + sum(1 + _size(one) for one in held)
    return len(held) if kind == "B" else len(str(held).encode())


class Streams:
    """The changes of tables, as their streams hold them."""

    def __init__(self, clients: Clients, tables: Iterable[str]) -> None:
        self._clients = clients
        self._arns = {}
        for table in tables:
            told = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
            answer = clients("dynamodb").update_table(TableName=table, StreamSpecification=told)
            self._arns[table] = answer["TableDescription"]["LatestStreamArn"]

    def changes(self, table: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Each row of a table before and after each change; empty where there was none."""
        client, arn = self._clients("dynamodbstreams"), self._arns[table]
        for shard in client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            at = client.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
                "ShardIterator"
            ]
            while at:
                answer = client.get_records(ShardIterator=at)
                for one in answer["Records"]:
                    yield one["dynamodb"].get("OldImage", {}), one["dynamodb"].get("NewImage", {})
                at = answer.get("NextShardIterator") if answer["Records"] else None

    def state_units(self, table: str) -> int:
        """The write units of a state table: ends are transactions, in which a row counts double; its indexes do not."""
        found = 0
        for old, new in self.changes(table):
            ended = new["state_updated"]["S"].startswith(("COMPLETED_", "SUCCEEDED_"))
            found += max(units(old), units(new)) * (2 if ended else 1)
            for index in ("state_updated", "updated"):  # a changed key is an entry removed and one put
                moved = bool(old) and old[index] != new[index]
                found += units(new) + (units(old) if moved else 0) if old != new else 0
        return found

    def outbox_units(self, table: str) -> int:
        """The write units of an outbox table: rows are put in transactions, and deleted by themselves."""
        return sum(units(new) * 2 if new else units(old) for old, new in self.changes(table))


_SERVICES = {"sfn": "stepfunctions"}


def main() -> None:
    """Run the happy path for some payloads and print what it took."""
    given = arguments(__doc__, ("payloads", 200, "how many payloads"))
    figures = measured(given.payloads)
    figures["import_ms"] = {name: round(import_ms(f"cirrus.entry.lambdas.{name}"), 1) for name in FUNCTIONS}
    figures["clients_ms"] = round(clients_ms(), 1)
    show(figures, given.json)


def measured(number: int) -> dict[str, Any]:
    """The figures of a run of so many payloads."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls: dict[str, str] = {}
        for name in ("dynamodb", "seaweed", "ministack"):
            (folder / name).mkdir()
            urls[name] = stack.enter_context(getattr(standins, name)(folder / name))
        os.environ |= standins.CREDENTIALS | {"AWS_ENDPOINT_URL": urls["ministack"]}
        os.environ |= {"AWS_ENDPOINT_URL_DYNAMODB": urls["dynamodb"], "AWS_ENDPOINT_URL_S3": urls["seaweed"]}
        os.environ["AWS_ENDPOINT_URL_DYNAMODB_STREAMS"] = urls["dynamodb"]
        meter = Meter()
        scene = make_scene(Clients())
        tables = (scene.where.variables.state_db, str(scene.where.variables.outbox_table))
        streams = Streams(scene.clients, tables)
        variables = replace(scene.where.variables, metric_namespace="benchmark", log_level="INFO")
        variables = replace(variables, vocabulary="COMPLETED")  # as the template says it
        where = replace(scene.where, clients=Clients(prepare=meter), variables=variables)
        names = [f"scene-{n}" for n in range(number)]
        begun = Timer(scene, meter)
        for start in range(0, number, BATCH):
            bodies = [scene.payload(name) for name in names[start : start + BATCH]]
            event = scene.sqs_event(*bodies)
            begun(partial(process.handle, where, event, "benchmark"))
        for name in names:
            scene.wait(_arn(scene, name))
        ended = Timer(scene, meter)
        for start in range(0, number, BATCH):
            event = scene.sqs_event(*(_end(scene, name) for name in names[start : start + BATCH]))
            ended(partial(update_state.handle, where, event, "benchmark"))
        states = scene.where.home().state_db.get([f"scenes/workflow-w/{name}" for name in names]).values()
        assert [str(one.state) for one in states] == ["COMPLETED"] * number
        table = where.variables.state_db
        key = {"collections_workflow": {"S": "scenes_w"}, "itemids": {"S": names[0]}}
        row = scene.clients("dynamodb").get_item(TableName=table, Key=key)["Item"]
        writes = (streams.state_units(tables[0]) / number, streams.outbox_units(tables[1]) / number)
        return _figures(meter, number, begun, ended, units(row), writes)


def _end(scene: Scene, name: str) -> dict[str, Any]:
    payload = json.dumps(scene.payload(name, id=f"scenes/workflow-w/{name}"))
    return end_event(scene, _arn(scene, name), input=payload, output=payload)


def _arn(scene: Scene, name: str) -> str:
    return scene.where.arns.execution("w", next_execution_id(f"scenes/workflow-w/{name}", ()))


class Timer:
    """Adds up what calls of a function take, by the clock and by the processor; the first, which is cold, apart."""

    def __init__(self, scene: Scene, meter: Meter) -> None:
        self.wall = self.cpu = 0.0
        self.number = self.printed = 0

    def __call__(self, work: Callable[[], Any]) -> None:
        """Time one call."""
        wall, cpu = time.perf_counter(), time.process_time()
        with redirect_stdout(StringIO()) as printed:
            answer = work()
        self.printed += sum(len(line) + _LINE for line in printed.getvalue().splitlines()) + _CALL
        assert answer["batchItemFailures"] == [], answer
        self.number += 1
        if self.number > 1:
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu

    def ms(self, which: float) -> float:
        """Milliseconds per payload, of calls that were not the first."""
        return round(1000 * which / max(1, self.number - 1) / BATCH, 2)


def _figures(
    meter: Meter, number: int, begun: Timer, ended: Timer, row: int, writes: tuple[float, float]
) -> dict[str, Any]:
    calls = {name: round(count / number, 3) for name, count in sorted(meter.calls.items()) if "Describe" not in name}
    # Theirs: a new row, and two changes of its state and time, each with both of the table's indexes.
    theirs_writes = 3 * row + 2 * 5 * row
    cpu = (begun.ms(begun.cpu) + ended.ms(ended.cpu)) / 1000
    printed = (begun.printed + ended.printed) / number
    ours = {
        **_usd(calls),
        "logs": printed * LOG_BYTE,
        "dynamodb": sum(writes) * WRITE_UNIT + row * READ_UNIT,
        "lambda": cpu * LAMBDA_SECOND,
    }
    theirs = {
        **_usd(ORIGINAL),
        "dynamodb": theirs_writes * WRITE_UNIT + row / 2 * READ_UNIT,
        "lambda": ORIGINAL_CPU * LAMBDA_SECOND,
    }
    return {
        "payloads": number,
        "calls_per_payload": calls,
        "calls": round(sum(calls.values()), 2),
        "write_units": {"records": round(writes[0], 2), "outbox": round(writes[1], 2)},
        "log_bytes": round(printed),
        "original_write_units": theirs_writes,
        "usd_per_million": round(sum(ours.values()), 2),
        "usd_by_service": {name: round(usd, 2) for name, usd in ours.items()},
        "original_calls_per_payload": ORIGINAL,
        "original_calls": round(sum(ORIGINAL.values()), 2),
        "original_usd_per_million": round(sum(theirs.values()), 2),
        "original_usd_by_service": {name: round(usd, 2) for name, usd in theirs.items()},
        "process_ms_per_payload": begun.ms(begun.wall),
        "process_cpu_ms_per_payload": begun.ms(begun.cpu),
        "update_state_ms_per_payload": ended.ms(ended.wall),
        "update_state_cpu_ms_per_payload": ended.ms(ended.cpu),
    }


def _usd(calls: Mapping[str, float]) -> dict[str, float]:
    """Dollars for a million payloads by service, of what is paid by the call."""
    found: dict[str, float] = {}
    for name, count in calls.items():
        if name in USD:
            service = name.partition(".")[0]
            found[service] = found.get(service, 0.0) + USD[name] * count
    return found


def import_ms(module: str) -> float:
    """The shortest of five imports in a fresh process, in milliseconds."""
    program = f"import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"
    return min(_run(program) for _ in range(5))


def clients_ms() -> float:
    """What making the clients of `process` takes in a fresh process, which its first call pays for."""
    program = (
        "import time; t = time.perf_counter()\n"
        "from cirrus.adapters.aws.clients import Clients\n"
        "made = Clients('eu-central-1')\n"
        "[made(name) for name in ('dynamodb', 's3', 'stepfunctions', 'sns')]\n"
        "print((time.perf_counter() - t) * 1000)"
    )
    return min(_run(program) for _ in range(5))


def _run(program: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
