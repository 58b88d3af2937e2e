"""What stands in for AWS: processes on the loopback interface, each with ports of its own, stopped by their pid."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / ".standins"
JAR = HERE / "dynamodb/node_modules/amplify-dynamodb-simulator/emulator"
RELAY = Path(__file__).with_name("relay.py")
REGION, ACCOUNT = "eu-central-1", "000000000000"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDTEST",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_PATIENCE = 60.0


class MissingStandIn(Exception):
    """Something is not installed here; the message says what."""


def missing() -> str | None:
    """Why the stand-ins cannot run here, None if they can."""
    if not (HERE / ".installed").is_file():
        return "the stand-ins for AWS are not installed: make standins"
    return None if shutil.which("java") else "DynamoDB Local needs Java 17"


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def dynamodb(folder: Path) -> Iterator[str]:
    """DynamoDB Local, in a network of its own since it listens on all interfaces."""
    (port,) = free_ports(1)
    door = folder / "dynamodb.sock"
    server = ["java", f"-Djava.library.path={JAR / 'DynamoDBLocal_lib'}", "-Xmx512m", "-jar"]
    server += [str(JAR / "DynamoDBLocal.jar"), "-inMemory", "-sharedDb", "-disableTelemetry", "-port", "8000"]
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    inside = [*unshare, sys.executable, str(RELAY), "inside", str(door), "8000", *server]
    with (
        _running(inside, folder, "dynamodb"),
        _running([sys.executable, str(RELAY), "outside", str(port), str(door)], folder, "relay"),
    ):
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(url), "DynamoDB Local")
        yield url


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """SeaweedFS as S3, which checks signatures and conditional puts."""
    ports = free_ports(10)
    identity = {
        "name": "test",
        "credentials": [{"accessKey": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secretKey": "secret"}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    data = folder / "seaweed"
    data.mkdir()
    names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"]
    names += ["s3.port", "s3.port.grpc", "s3.port.iceberg", "s3.port.lance"]
    options = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
    command = [str(HERE / "bin/weed"), "-logtostderr", "server", f"-dir={data}", "-s3", f"-s3.config={config}"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-volume.max=50"]
    command += ["-master.volumeSizeLimitMB=64", "-s3.iam=false", *options]
    with _running(command, folder, "seaweed"):
        url = f"http://127.0.0.1:{ports[6]}"
        _wait(lambda: _stores(url), "SeaweedFS")
        yield url


@contextmanager
def ministack(folder: Path, **environment: str) -> Iterator[str]:
    """ministack: SQS, SNS, Step Functions, EventBridge, Lambda, Batch, logs, parameters, CloudFormation."""
    (port,) = free_ports(1)
    more = {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "PERSIST_STATE": "0"}
    more |= {"MINISTACK_REGION": REGION, "MINISTACK_ACCOUNT_ID": ACCOUNT, **CREDENTIALS, **environment}
    with _running([str(HERE / "bin/ministack")], folder, "ministack", more):
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(url), "ministack")
        yield url


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """moto's server, for what ministack gets wrong."""
    (port,) = free_ports(1)
    config = folder / "moto.json"
    config.write_text('{"stepfunctions": {"execute_state_machine": true}}')
    command = [str(HERE / "bin/moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, folder, "moto", {**CREDENTIALS, "MOTO_ACCOUNT_ID": ACCOUNT}):
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: _answers(url), "moto")
        body = b'{"stepfunctions": {"execute_state_machine": true}}'
        request = urllib.request.Request(f"{url}/moto-api/config", data=body, method="POST")
        urllib.request.urlopen(request, timeout=10).close()
        yield url


@contextmanager
def _running(
    command: Sequence[str], folder: Path, name: str, environment: dict[str, str] | None = None
) -> Iterator[None]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CIRRUS_"))}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder, env={**kept, **(environment or {})}
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(ready: Callable[[], bool], name: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        if ready():
            return
        time.sleep(0.1)
    raise MissingStandIn(f"{name} did not answer within {_PATIENCE:g} s")


def _answers(url: str) -> bool:
    """Whether something speaks HTTP there, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def _stores(url: str) -> bool:
    """Whether an object can be written: the filer, the master and a volume have found each other."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5),
    )
    try:
        with suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="x", Body=b"x")
    except (BotoCoreError, ClientError):
        return False
    return True
