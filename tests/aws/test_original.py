"""What ours leaves behind is what cirrus-geo 2.0.0 left, scenario by scenario, but for what `differences` says.

What the original did was recorded by `python -m tests.aws.original.record`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.entry.cli.main import cirrus
from tests.aws.original.differences import EXPECTED, REASONS, differences, reason, table
from tests.aws.original.record import RECORDED, seen
from tests.aws.original.scenarios import SCENARIOS
from tests.aws.original.sides import Ours

PAGE = Path(__file__).parents[2] / "docs/reference/beside-cirrus-geo.md"
RECORD: dict[str, Any] = json.loads(RECORDED.read_text())
THEIRS: dict[str, Any] = RECORD["scenarios"]
# Options whose work is done otherwise: `get-logs` finds what tasks printed by itself.
OTHERWISE = {"manage get-batch-logs": "get-logs", "manage get-lambda-logs": "get-logs"}
OTHERWISE |= {"manage get-execution-events --with-log-metadata": "get-logs"}
OTHERWISE |= {"manage migrate --since-days": "histories are asked for however old they are"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_others_see_is_the_same(
    name: str, dynamodb_url: str, seaweed_url: str, ministack_url: str, aws: Callable[..., None], tmp_path: Path
) -> None:
    aws(ministack_url, dynamodb=dynamodb_url, s3=seaweed_url)
    for pointer in Clients()("ssm").get_parameters_by_path(Path="/cirrus/deployments", Recursive=True)["Parameters"]:
        Clients()("ssm").delete_parameter(Name=pointer["Name"])
    found = list(differences(name, THEIRS[name], json.loads(json.dumps(seen(name, Ours(), tmp_path)))))
    assert [str(one) for one in found if reason(one) is None] == []
    expected = [entry for entry in EXPECTED if entry.scenario == name]
    assert [str(entry) for entry in expected if not any(entry.covers(one) for one in found)] == []


def test_every_scenario_is_recorded_and_every_reason_is_told() -> None:
    assert sorted(THEIRS) == sorted(SCENARIOS)
    assert {entry.reason for entry in EXPECTED} == set(REASONS)
    assert table() in PAGE.read_text()


@pytest.mark.parametrize("words", RECORD["commands"])
def test_commands_have_their_names_and_options(words: str) -> None:
    if words in OTHERWISE:
        return
    command: click.Command = cirrus
    for word in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, f"there is no {words}"
        command = found
    known = {option for one in command.params for option in one.opts}
    missing = [one for one in RECORD["commands"][words] if one not in known and f"{words} {one}" not in OTHERWISE]
    assert missing == []
