"""The JSON Schema of cirrus.toml lets pass what the settings accept, and knows the type of every key."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from cirrus.settings import SECTIONS
from cirrus.settings.schema import project_schema, shape

ROOT = Path(__file__).parents[2]
SCHEMA = jsonschema_rs.validator_for(project_schema())
FILES = [
    *(ROOT / "src").rglob("cirrus.toml"),
    *(ROOT / "examples").rglob("cirrus.toml"),
]
VALUES: list[Any] = [
    *(
        "text",
        "15m",
        "2GB",
        "10/s",
        "module:Name",
        "local",
        "aws",
        "https://example.com/a",
        "s3://bucket/prefix",
        "3.13",
    ),
    *("env:NAME", "file:a/b", "keyring:x", "secretsmanager", "iam", "x86_64", "COMPLETED", "a@b.example", "x/y:1", ""),
    *("arn:aws:iam::123456789012:policy/p", "arn:aws:sns:eu-central-1:123456789012:t"),
    *(1, 30, 0, -1, 2_000_000, 0.5, True, False, [], ["a"], [1], ["p", "{input}", "{output}"], ["subnet-0a1b2c3d"]),
    *({}, {"a": "b"}, {"a": 1}, {"FAILED": "30d"}, ["sg-0a1b2c3d"], ["arn:aws:iam::aws:policy/p"]),
]
SETTINGS = [(section, one) for section, settings in SECTIONS.items() for one in settings]


@pytest.mark.parametrize(("section", "setting"), SETTINGS, ids=lambda value: getattr(value, "name", value))
def test_what_a_setting_accepts_its_schema_accepts(section: str, setting: Any) -> None:
    schema, accepted = jsonschema_rs.validator_for(shape(setting)), 0
    for value in VALUES:
        try:
            setting.read(value)
        except ValueError:
            continue
        accepted += 1
        assert schema.is_valid(value), value
    assert accepted, "no value tried is one: the test says nothing"
    assert not all(schema.is_valid(value) for value in VALUES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_projects_that_we_ship_are_valid(file: Path) -> None:
    document = tomllib.loads(file.read_text())
    assert [str(error) for error in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    "text",
    [
        "[projct]",
        "[tasks.a]\ntimeuot = '1m'\nhandler = 'a:B'",
        "[tasks.a]",
        "[tasks.a]\nhandler = 'a:B'\ncommand = ['{input}', '{output}']",
        "[deployments.x]\nworkers = '2'",
        "[deployments.x]\nhome = 'moon'",
        "[deployments.x.retention]\nlogs = true",
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    assert not SCHEMA.is_valid(tomllib.loads(text))


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(project_schema())
