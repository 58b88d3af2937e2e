"""`cirrus secrets`, in this process, with Secrets Manager as moto plays it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws

from cirrus import app
from cirrus.core.bucket import Access
from cirrus.entry.cli.main import cirrus
from cirrus.errors import CirrusError

KEYS = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "canary/SECRET+key=0001"}
CONFIG = """
[buckets.scenes]
secret = "secretsmanager"

[buckets.products]
endpoint = "http://127.0.0.1:9"
secret = "file:products.json"

[tasks.cog]
handler = "tasks:cog"
buckets = ["scenes"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    (tmp_path / "cirrus.toml").write_text(CONFIG)
    with mock_aws():
        yield tmp_path


def run(folder: Path, *words: str, stdin: str = "") -> Result:
    done = CliRunner().invoke(cirrus, ["-p", str(folder), "secrets", *words], input=stdin)
    assert "canary" not in f"{done.output} {done.exception}"
    return done


def statuses(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in run(folder, "list").stdout.splitlines()]
    return {row["bucket"]: row["status"] for row in rows}


def test_a_secret_of_the_system_before_opens_its_bucket(folder: Path) -> None:
    assert statuses(folder) == {"scenes": "missing", "products": "missing"}
    before = json.dumps({**KEYS, "region_name": "us-west-2", "requester_pays": True})
    boto3.client("secretsmanager").create_secret(Name="cirrus-creds-scenes", SecretString=before)
    assert statuses(folder)["scenes"] == "found"
    project = app.open_project(folder)
    grants = app.open_grants(project, app.deployment(project, "local"), app.open_vault(project))
    assert grants is not None
    assert grants.names("cog") == "scenes"
    assert grants.accesses == {"scenes": Access("scenes", region="us-west-2", requester_pays=True, keys=KEYS)}


def test_set_keeps_what_it_is_given_where_the_bucket_says(folder: Path) -> None:
    done = run(folder, "set", "scenes", stdin=json.dumps(KEYS))
    assert done.stderr == "the credentials of scenes are kept in secretsmanager:cirrus-creds-scenes\n"
    assert done.stdout == ""
    kept = boto3.client("secretsmanager").get_secret_value(SecretId="cirrus-creds-scenes")["SecretString"]
    assert json.loads(kept) == KEYS
    run(folder, "set", "products", stdin=json.dumps(KEYS))
    assert json.loads((folder / "products.json").read_text()) == KEYS
    assert statuses(folder) == {"scenes": "found", "products": "found"}


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (("set", "nope"), json.dumps(KEYS), "no bucket 'nope': declared are: products, scenes"),
        (("set", "scenes"), "canary", "stdin: a JSON object of keys such as aws_access_key_id is expected"),
        (("set", "scenes"), "{}", "stdin: a JSON object of keys such as aws_access_key_id is expected"),
        (("set", "scenes"), '{"password": "canary-0001"}', "password: is unknown; known are aws_access_key_id"),
        (("check", "nope"), "", "no bucket 'nope': declared are: products, scenes"),
        (("check", "scenes"), "", "no secret 'secretsmanager:cirrus-creds-scenes': make it with `cirrus secrets set`"),
    ],
)
def test_what_cannot_be_done_is_told(folder: Path, words: tuple[str, ...], stdin: str, told: str) -> None:
    done = run(folder, *words, stdin=stdin)
    assert isinstance(done.exception, CirrusError)
    assert told in str(done.exception)
    assert statuses(folder) == {"scenes": "missing", "products": "missing"}


def test_check_says_that_nobody_answers(folder: Path) -> None:
    run(folder, "set", "products", stdin=json.dumps(KEYS))
    done = run(folder, "check", "products")
    assert str(done.exception).startswith("cannot list s3://products: ")


def test_a_file_that_others_can_read_is_told(folder: Path) -> None:
    run(folder, "set", "products", stdin=json.dumps(KEYS))
    (folder / "products.json").chmod(0o644)
    assert statuses(folder)["products"].startswith("unusable: ")
    assert "chmod 600" in statuses(folder)["products"]
