from __future__ import annotations

import configparser
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cirrus.adapters.local import granted
from cirrus.adapters.objects.store import ObjectStores
from cirrus.adapters.secrets.environment import EnvironmentSecrets
from cirrus.adapters.secrets.file import FileSecrets
from cirrus.core import bucket_options
from cirrus.core.bucket import Access, Bucket, Reference, bucket_of
from cirrus.core.grants import Grants
from cirrus.entry.bucket_access import guard, opener
from cirrus.entry.failure import TaskFailure
from cirrus.errors import ConfigError, MissingExtra, StoreError
from cirrus.flow.access import PATIENCE, Vault, grant, opened
from cirrus.ports.compute import TaskSpec
from cirrus.tasks import access

KEYS = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "a/SECRET+key=0001"}
SCENES = Access("scenes", "https://s3.example.org/base", "eu-1", requester_pays=True, path_style=True, keys=KEYS)
PRODUCTS = Access("products", region="eu-2", keys={**KEYS, "aws_session_token": "a-session-token"})
OPEN = Access("open", anonymous=True)
AMBIENT = Access("ambient")
ALL = {one.bucket: one for one in (SCENES, PRODUCTS, OPEN, AMBIENT)}
SECRET = Reference("file", "x.json")


def test_an_access_does_not_show_its_keys() -> None:
    assert "SECRET" not in f"{SCENES!r} {SCENES} {[SCENES]} {Grants({'scenes': SCENES}, {})!r}"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://scenes/a/b", "scenes"),
        ("s3a://scenes", "scenes"),
        ("gs://scenes/a", "gs://scenes"),
        ("az://box/a", "az://box"),
        ("file:///a/b", None),
        ("/a/b", None),
        ("https://example.org/a", None),
    ],
)
def test_bucket_of_a_url(url: str, name: str | None) -> None:
    assert bucket_of(url) == name


# ---------------------------------------------------------------- what a secret gives


def test_what_is_declared_goes_before_what_the_secret_says() -> None:
    keys = {**KEYS, "region_name": "eu-9", "endpoint_url": "https://other.example.org", "requester_pays": True}
    assert opened(Bucket("scenes", secret=SECRET), keys) == Access(
        "scenes", "https://other.example.org", "eu-9", requester_pays=True, path_style=True, keys=KEYS
    )
    declared = opened(Bucket("scenes", "https://s3.example.org", "eu-1", path_style=False, secret=SECRET), keys)
    assert (declared.endpoint, declared.region, declared.path_style) == ("https://s3.example.org", "eu-1", False)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({**KEYS, "profile_name": "canary-01"}, "profile_name: is unknown; known are aws_access_key_id, "),
        ({"aws_secret_access_key": "canary-01"}, "aws_access_key_id and aws_secret_access_key are expected together"),
        ({**KEYS, "aws_secret_access_key": 12345678}, "aws_secret_access_key: a string that is not empty is expected"),
        ({**KEYS, "aws_secret_access_key": ""}, "aws_secret_access_key: a string that is not empty is expected"),
        ({**KEYS, "aws_secret_access_key": "canary-01\n"}, "aws_secret_access_key: it holds a character that cannot"),
        ({**KEYS, "aws_secret_access_key": "canary"}, "a value is shorter than 8 characters"),
    ],
)
def test_a_secret_that_is_no_use_is_told_and_not_shown(keys: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        opened(Bucket("scenes", secret=SECRET), keys)
    assert problem in str(refused.value)
    assert "secret file:x.json" in str(refused.value)
    assert "canary" not in str(refused.value)


def vault(folder: Path, *buckets: Bucket) -> Vault:
    sources = {"env": EnvironmentSecrets({}), "file": FileSecrets(folder)}
    return Vault({bucket.name: bucket for bucket in buckets}, lambda source: sources[source], lambda: 0.0)


def test_a_secret_that_has_changed_is_read_again(tmp_path: Path) -> None:
    bucket = Bucket("a", secret=Reference("file", "a.json"))
    known, source = vault(tmp_path, bucket), FileSecrets(tmp_path)
    source.write("a.json", KEYS)
    first = known.access("a")
    assert first is not None
    assert known.access("a") is first
    assert known.changes() == 0
    (tmp_path / "a.json").write_text("no JSON")
    assert known.access("a") is first  # what is no use does not take the place of what is
    assert known.status("a").startswith("unusable: ")
    source.write("a.json", {**KEYS, "aws_secret_access_key": "another-one"})
    assert known.changes() == 1
    changed = known.access("a")
    assert changed is not None
    assert changed.keys["aws_secret_access_key"] == "another-one"
    source.write("a.json", {**KEYS, "aws_secret_access_key": "another-one"})
    assert known.changes() == 1  # written anew, but the same
    (tmp_path / "a.json").unlink()
    assert known.access("a") is changed
    assert known.status("a") == "missing"


class Keyring:
    """A source that must be read to know."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = dict(KEYS)
        self.reads = 0

    def read(self, name: str) -> dict[str, Any]:
        self.reads += 1
        return self.keys

    def stamp(self, name: str) -> None:
        return None

    def write(self, name: str, keys: Mapping[str, Any]) -> None:
        self.keys = dict(keys)


def test_where_only_reading_tells_a_secret_is_read_again_after_a_while() -> None:
    source, now = Keyring(), [0.0]
    known = Vault({"a": Bucket("a", secret=Reference("keyring", "a"))}, lambda kind: source, lambda: now[0])
    known.access("a")
    source.keys = {**KEYS, "aws_secret_access_key": "another-one"}
    now[0] = PATIENCE - 1
    assert (known.changes(), source.reads) == (0, 1)
    now[0] = PATIENCE
    assert (known.changes(), source.reads) == (1, 2)
    now[0] += 1
    assert (known.changes(), source.reads) == (1, 2)


def test_every_missing_secret_is_named_at_once(tmp_path: Path) -> None:
    buckets = (Bucket("a", secret=Reference("env", "A")), Bucket("b", secret=Reference("file", "b.json")), Bucket("c"))
    with pytest.raises(ConfigError) as refused:
        grant(vault(tmp_path, *buckets), [TaskSpec("one", "m:f", buckets=("a", "b", "c"))], [], "/data", [])
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["buckets.a", "buckets.b"]
    assert "set A_ACCESS_KEY_ID and A_SECRET_ACCESS_KEY" in refused.value.problems[0]


def test_a_secret_that_no_task_needs_may_be_missing(tmp_path: Path) -> None:
    found = grant(vault(tmp_path, Bucket("a", secret=Reference("env", "A"))), [TaskSpec("one", "m:f")], [], "/data", [])
    assert found.accesses == {}


def test_a_task_may_use_its_buckets_and_that_of_the_data_store(tmp_path: Path) -> None:
    specs = [TaskSpec("one", "m:f", buckets=("a",)), TaskSpec("two", "m:f")]
    internal = [TaskSpec("three", "m:f")]
    found = grant(vault(tmp_path, Bucket("a"), Bucket("b")), specs, internal, "s3://out/x", ["HIDDEN"])
    assert {name: found.names(name) for name in ("one", "two", "three", "four")} == {
        "one": "a out",
        "two": "out",
        "three": "* a b",
        "four": "",
    }


def test_nothing_can_be_set_for_a_bucket_that_says_not_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"buckets\.a: names no secret"):
        vault(tmp_path, Bucket("a")).write("a", KEYS)


def test_a_keyring_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from cirrus.adapters.secrets.keyring import KeyringSecrets

    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cirrus\[keyring\]'"):
        KeyringSecrets().read("scenes")


# ---------------------------------------------------------------- what a worker finds

ENVIRONMENT = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "ambient", "AWS_PROFILE": "me", "SCENES_SECRET_ACCESS_KEY": "s"}
GRANTS = Grants(ALL, {}, frozenset({"SCENES_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"}))


def test_what_opens_other_buckets_is_not_inherited() -> None:
    assert granted.inherited(ENVIRONMENT, GRANTS, "scenes").keys() == {"PATH"}
    assert granted.inherited(ENVIRONMENT, GRANTS, "").keys() == {"PATH"}
    opens = {"PATH", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"}
    assert granted.inherited(ENVIRONMENT, GRANTS, "ambient scenes").keys() == opens
    assert granted.inherited(ENVIRONMENT, GRANTS, "*").keys() == opens
    assert granted.inherited(ENVIRONMENT, None, "") == ENVIRONMENT


def test_one_bucket_is_in_the_usual_variables(tmp_path: Path) -> None:
    found = granted.variables(GRANTS, "scenes", tmp_path)
    wanted = {
        "AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
        "AWS_REGION": "eu-1",
        "AWS_DEFAULT_REGION": "eu-1",
        "AWS_ENDPOINT_URL_S3": "https://s3.example.org/base",
        "AWS_S3_ENDPOINT": "s3.example.org/base",
        "AWS_HTTPS": "YES",
        "AWS_VIRTUAL_HOSTING": "FALSE",
        "AWS_REQUEST_PAYER": "requester",
        "FSSPEC_S3_REQUESTER_PAYS": "true",
    }
    assert wanted.items() <= found.items()
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_several_buckets_are_in_files_and_profiles(tmp_path: Path) -> None:
    found = granted.variables(GRANTS, "open products scenes", tmp_path)
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"} & found.keys()
    credentials = configparser.RawConfigParser()
    credentials.read(found["AWS_SHARED_CREDENTIALS_FILE"])
    assert credentials.sections() == ["products", "scenes"]
    assert dict(credentials["products"]) == dict(PRODUCTS.keys)
    gdal = Path(found["GDAL_CONFIG_FILE"]).read_text().splitlines()
    assert [line for line in gdal if line.startswith("path=")] == [
        "path=/vsis3/open",
        "path=/vsis3/products",
        "path=/vsis3/scenes",
    ]
    assert [line for line in gdal if "NO_SIGN" in line or "PAYER" in line] == [
        "AWS_NO_SIGN_REQUEST=YES",
        "AWS_REQUEST_PAYER=requester",
    ]


def test_what_the_environment_opens_keeps_its_own_files(tmp_path: Path) -> None:
    found = granted.variables(GRANTS, "ambient scenes", tmp_path)
    assert found.keys() == {"CIRRUS_BUCKETS_FILE", "GDAL_CONFIG_FILE"}


def test_code_of_a_task_finds_its_buckets_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in granted.variables(GRANTS, "products scenes", tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CIRRUS_BUCKETS", "products scenes")
    monkeypatch.setenv("CIRRUS_TASK", "make-cog")
    assert access.buckets() == ["products", "scenes"]
    assert access.access("s3://scenes") == SCENES
    assert access.storage_options("products")["token"] == "a-session-token"
    assert access.boto3_session("products").region_name == "eu-2"
    assert access.s3_client("scenes").meta.endpoint_url == "https://s3.example.org/base"
    with pytest.raises(StoreError) as refused:
        access.store("open")
    assert str(refused.value) == (
        "this task may not use the bucket 'open' (it may use: products, scenes): declare [buckets.open] in cirrus.toml"
        " and name it in buckets of [tasks.make-cog]"
    )


def test_code_of_a_task_works_outside_of_cirrus() -> None:
    assert access.buckets() == []
    assert access.storage_options("scenes") == {}
    assert access.gdal_options("scenes") == {}


def test_a_store_says_that_a_task_may_not_use_it() -> None:
    stores = ObjectStores("/data", opener({"scenes": SCENES}, "scenes"))
    with pytest.raises(StoreError, match="may not use the bucket 'gs://other'"):
        stores.get("gs://other/a")
    with pytest.raises(StoreError, match="may not use the bucket 'other'"):
        stores.put("s3://other/a", b"")


@pytest.mark.parametrize(
    ("output", "place"),
    [
        (
            {"features": [{"properties": {"note": f"with {KEYS['aws_secret_access_key']}!"}}]},
            "features[0].properties.note",
        ),
        ({"a": {KEYS["aws_secret_access_key"]: 1}}, "a key of output.a"),
        ({"a": ["x", "https://x/?key=a%2FSECRET%2Bkey%3D0001"]}, "output.a[1]"),
    ],
)
def test_an_output_with_a_secret_is_refused(output: dict[str, Any], place: str) -> None:
    with pytest.raises(TaskFailure) as refused:
        guard([SCENES]).check("make-cog", json.dumps(output).encode())
    assert refused.value.error == "Cirrus.SecretInOutput"
    assert place in refused.value.message
    assert "SECRET" not in refused.value.message


def test_an_output_may_hold_the_name_of_a_key() -> None:
    signed = b'{"href": "https://x/?X-Amz-Credential=an-access-key&X-Amz-Signature=abc"}'
    assert guard([SCENES]).check("sign", signed) == signed


# ---------------------------------------------------------------- other stores


def test_keys_of_other_stores_are_given_on() -> None:
    azure = Access(
        "az://box", keys={"azure_storage_account_name": "me", "azure_storage_account_key": "c2VjcmV0LWtleQ=="}
    )
    assert bucket_options.obstore_options(azure) == dict(azure.keys)
    assert bucket_options.gdal_options(azure) == {
        "AZURE_STORAGE_ACCOUNT": "me",
        "AZURE_STORAGE_ACCESS_KEY": "c2VjcmV0LWtleQ==",
    }
    assert bucket_options.storage_options(azure) == {"account_name": "me", "account_key": "c2VjcmV0LWtleQ=="}
    assert azure.secrets() == {"c2VjcmV0LWtleQ=="}
    key = json.dumps({"private_key": "-----BEGIN\nabc\n", "client_email": "me@example.org"})
    google = Access("gs://box", keys={"google_service_account_key": key})
    assert bucket_options.gdal_path(google) == "/vsigs/box"
    assert bucket_options.gdal_options(google) == {
        "GS_OAUTH2_PRIVATE_KEY": "-----BEGIN\\nabc\\n",
        "GS_OAUTH2_CLIENT_EMAIL": "me@example.org",
    }
    assert bucket_options.storage_options(google)["token"]["client_email"] == "me@example.org"
    access.store_for(azure)
