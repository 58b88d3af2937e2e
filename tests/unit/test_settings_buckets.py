from __future__ import annotations

from pathlib import Path

import pytest

from cirrus.core.bucket import Bucket, Reference
from cirrus.errors import ConfigError
from cirrus.settings import load_project


def load(folder: Path, text: str) -> str:
    (folder / "cirrus.toml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_project(folder)
    return "\n".join(refused.value.problems)


def test_a_bucket_is_read_with_its_reference(tmp_path: Path) -> None:
    (tmp_path / "cirrus.toml").write_text(
        '[buckets.scenes]\nendpoint = "https://s3.example.org/"\nregion = "eu-1"\nsecret = "env:SCENES"\n'
        '[buckets.old]\nsecret = "secretsmanager"\n[buckets.mine]\nsecret = "keyring"\n'
        '[buckets."gs://open"]\nanonymous = true\n'
        '[tasks.one]\nhandler = "m:f"\nbuckets = ["scenes", "gs://open", "scenes"]\n'
    )
    project = load_project(tmp_path)
    assert project.buckets == {
        "scenes": Bucket("scenes", "https://s3.example.org", "eu-1", secret=Reference("env", "SCENES")),
        "old": Bucket("old", secret=Reference("secretsmanager", "cirrus-creds-old")),
        "mine": Bucket("mine", secret=Reference("keyring", "mine")),
        "gs://open": Bucket("gs://open", anonymous=True),
    }
    assert project.tasks["one"].buckets == ("scenes", "gs://open")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[buckets.a1]\nsecret = "canary-0001"', "buckets.a1.secret: a reference (env:PREFIX, file:PATH, "),
        ('[buckets.a1]\nsecret = "env"', "buckets.a1.secret: a reference"),
        ('[buckets.a1]\nsecret = "env:A-B"', "buckets.a1.secret: env: and the beginning of the names of variables"),
        ('[buckets.a1]\nsecret = "file:"', "buckets.a1.secret: a reference"),
        ('[buckets.a1]\naws_secret_access_key = "canary-0001"', "buckets.a1: no secret stands in this file"),
        ('[buckets.a1]\nendpoint = "https://me:canary-0001@example.org"', "buckets.a1.endpoint: an http or https URL"),
        ('[buckets.a1]\nendpoint = "https://example.org?key=canary-0001"', "buckets.a1.endpoint: an http or https URL"),
        ('[buckets.a1]\nanonymous = true\nsecret = "env:A"', "buckets.a1: either anonymous or secret is expected"),
        ('[buckets."a/b"]\n', "buckets.a/b: an S3 bucket's name is expected, or a store's URL"),
        ('[buckets."http://a"]\n', "buckets.http://a: an S3 bucket's name is expected"),
        ('[tasks.t]\nhandler = "m:f"\nbuckets = ["nope"]', "tasks.t.buckets: there is no [buckets.nope]"),
        ('[tasks.t]\nhandler = "m:f"\nbuckets = "nope"', "tasks.t.buckets: an array of names"),
        (
            '[buckets.a1]\n[tasks.t]\nhandler = "m:f"\ninline = true\nbuckets = ["a1"]',
            "tasks.t.buckets: an inline task",
        ),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_shown(tmp_path: Path, text: str, problem: str) -> None:
    told = load(tmp_path, text)
    assert problem in told
    assert "canary" not in told
