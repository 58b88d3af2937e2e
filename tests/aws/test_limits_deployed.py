"""A limit from end to end on ministack: deployed from the project's template, kept by its functions, never exceeded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cirrus.adapters.aws.clients import Clients
from cirrus.adapters.aws.parameters import ParameterStore
from cirrus.adapters.aws.tables import outbox_schema, state_schema
from cirrus.testing.builders import document
from cirrus.variables import read_variables
from tests.aws.test_walk import Desk, call_function, until
from tests.aws.test_walk import ministack_with_dynamodb as ministack_with_dynamodb
from tests.deploying.projects import write

SETTINGS = """
[project]
name = "limited"

[workflows.nap]
max_running = 2

[deployments.prod]
home = "aws"
python = "3.11"
"""
NAP = {"StartAt": "Nap", "States": {"Nap": {"Type": "Wait", "Seconds": 2, "End": True}}}


@pytest.fixture
def desk(
    ministack_with_dynamodb: str,
    dynamodb_url: str,
    aws: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Desk:
    aws(ministack_with_dynamodb, dynamodb=dynamodb_url)
    return Desk(write(tmp_path / "project", SETTINGS, {"nap": NAP}), capsys)


def test_seven_payloads_two_at_a_time(desk: Desk) -> None:
    desk.lines("deploy", "prod")
    variables = read_variables(ParameterStore(Clients()).variables("prod"), "prod")
    for schema in (state_schema(variables.state_db), outbox_schema(str(variables.outbox_table))):
        Clients()("dynamodb").create_table(**schema)
    call_function(desk, "sweep")  # from here on the limit holds
    payloads = desk.folder.parent / "payloads.json"
    payloads.write_text("\n".join(json.dumps(document(name, process="nap")) for name in "abcdefg"))
    desk("process", str(payloads))
    most = 0

    def done() -> bool:
        nonlocal most
        states = [one["state"] for one in desk("query")]
        most = max(most, len(states) - states.count("COMPLETED"))
        return states == ["COMPLETED"] * 7

    until("all have had their turn", done)
    assert most == 2
    assert all(len(one["executions"]) == 1 for one in desk("query"))
