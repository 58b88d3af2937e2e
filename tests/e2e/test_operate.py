"""What operators do, with the command line as it is."""

from __future__ import annotations

import csv
import io
import json

import pytest

import cirrus
from tests.e2e.conftest import Project, payload, task_state, until

TASK = """
from typing import Any

def same(payload: dict[str, Any]) -> dict[str, Any]:
    print("saw", payload["id"])
    if payload["features"][0]["id"].startswith("bad"):
        raise ValueError("no band 7")
    return payload

same.Parameters = {"properties": {"gain": {"type": "number"}}, "additionalProperties": False}
"""
M = ("manage", "local")


@pytest.fixture
def made(project: Project) -> Project:
    project.write("cirrus.toml", '[project]\nname = "t"\n[tasks.same]\nhandler = "tasks.t:same"\n')
    project.write("tasks/t.py", TASK)
    project.workflow("w", {"StartAt": "same", "States": {"same": task_state("same")}})
    return project


def test_from_submit_to_explain(made: Project) -> None:
    items = [{"type": "Feature", "id": name, "collection": "test"} for name in ("good-1", "good-2", "bad-1")]
    made.write("items.json", json.dumps({"type": "FeatureCollection", "features": items}))
    made.write("def.json", '{"workflow": "w", "tasks": {"same": {"gain": ${gain}}}}')
    words = (*M, "process", "items.json", "--process", "def.json")
    planned = made.cirrus(*words, "-x", "gain", "2", "--dry-run")
    assert planned.returncode == 0
    assert [json.loads(line)["result"] for line in planned.stdout.splitlines()] == ["new"] * 3
    assert b"nothing was queued; it would be: 3 new" in planned.stderr
    refused = made.cirrus(*words, "-x", "gain", '"x"')
    assert refused.returncode == 1
    assert b'process[0].tasks.same.gain: \\"x\\" is not of type \\"number\\"' in refused.stdout
    assert made.ok(*words, "-x", "gain", "2").count(b'"queued"') == 3
    bad = "test/workflow-w/bad-1"
    assert b"1 message" in made.ok(*M, "explain", "test/workflow-w/good-2")
    made.drain()

    assert [one["payload_id"] for one in made.lines(*M, "query", "--error-text", "band")] == [bad]
    assert len(made.lines(*M, "query", "--item", "good-*", "--state", "COMPLETED", "--state", "FAILED")) == 2
    assert made.lines(*M, "query", "--item", "good-*", "--since", "2000-01-01", "--until", "2000-01-02") == []
    told = made.json(*M, "query", "--format", "json", "--sort", "id", "--ascending")
    assert [one["itemids"] for one in told] == ["bad-1", "good-1", "good-2"]
    rows = list(csv.DictReader(io.StringIO(made.ok(*M, "query", "--format", "csv").decode())))
    assert {(row["itemids"], row["attempts"]) for row in rows} == {("good-1", "1"), ("good-2", "1"), ("bad-1", "1")}
    assert b"FAILED" in made.ok(*M, "query", "--format", "table", "--state", "failed")
    assert made.json(*M, "summary", "--item", "bad*")["workflows"] == {"test_w": {"FAILED": 1}}

    timeline = made.ok(*M, "timeline", bad).decode()
    assert "attempt 1: FAILED" in timeline
    assert "ValueError: no band 7" in timeline
    assert f"cirrus manage local get-logs --payload-id '{bad}' --attempt 1" in timeline
    explained = made.json(*M, "explain", bad, "--json")
    assert explained["queue_again"]["action"] == "rerun"
    assert "it failed at the step 'same', after 1 try" in explained["why"]
    stats = made.json(*M, "stats")["state_transitions"]["daily"][-1]["states"]
    assert {one["state"]: one["count"] for one in stats}["COMPLETED"] == 2
    again = made.cirrus(*M, "process", "items.json", "--workflow", "w", "--dry-run")
    assert [json.loads(line)["result"] for line in again.stdout.splitlines()] == ["skip", "skip", "rerun"]


def test_watch_follows(made: Project) -> None:
    watching = made.start(*M, "watch", "--interval", "0.05", "--state", "COMPLETED")
    made.submit(payload("w", "a"))
    made.drain()
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["payload_id"] == "test/workflow-w/a"
    counting = made.start(*M, "watch", "--summary", "--interval", "0.05")
    assert counting.stdout is not None
    assert json.loads(counting.stdout.readline())["workflows"] == {"test_w": {"COMPLETED": 1}}
    made.submit(payload("w", "b"))
    queued = (json.loads(line)["queued"] for line in counting.stdout)  # other changes are told as well
    assert next(number for number in queued if number) == 1


def test_functions_templates_and_programs(made: Project) -> None:
    made.write(
        "cirrus.toml",
        '[project]\nname = "t"\n[tasks.same]\nhandler = "tasks.t:same"\n'
        '[deployments.local]\nvariables = { SEASON = "winter" }\n',
    )
    assert {one["name"] for one in made.lines(*M, "list-lambdas")} >= {"same", "publish"}
    good = json.dumps({**payload("w", "x"), "id": "test/workflow-w/x"}).encode()
    called = made.cirrus(*M, "invoke-lambda", "same", stdin=good)
    assert (called.returncode, json.loads(called.stdout)) == (0, json.loads(good))
    assert b"saw test/workflow-w/x" in called.stderr
    failed = made.cirrus(*M, "invoke-lambda", "same", stdin=good.replace(b'"x"', b'"bad"'))
    assert (failed.returncode, failed.stdout) == (10, b"")
    assert b"no band 7" in failed.stderr
    assert made.cirrus(*M, "invoke-lambda", "nothing", stdin=b"{}").returncode == 3
    text = b'{"a": "${SEASON}", "b": "${B?2}", "path_template": "${id}"}'
    assert made.ok(*M, "template-payload", stdin=text) == b'{"a": "winter", "b": "2", "path_template": "${id}"}'
    for word in ("call", "exec"):
        done = made.cirrus(*M, word, "sh", "-c", "echo $SEASON $CIRRUS_DEPLOYMENT; exit 7")
        assert (done.returncode, done.stdout) == (7, b"winter local\n")
    assert made.cirrus(*M, "call", "no-such-program").returncode == 3
    assert made.states() == {}


def test_client(made: Project) -> None:
    client = cirrus.Client("local", made.folder)
    documents = [payload("w", f"i{n}") for n in range(5)]
    assert {one.result for one in client.submit(documents, rate=1000)} == {"queued"}
    assert client.summary().queued == 5
    made.drain()
    assert {one.action for one in client.plan(documents)} == {"skip"}
    assert [one.payload_id for one in client.query(item="i3")] == ["test/workflow-w/i3"]
    assert client.summary(workflow="w").total() == 5
    assert [one["features"][0]["id"] for one in client.payloads(item="i4", rerun=True)] == ["i4"]
    assert [item.id for item in client.output_items("test/workflow-w/i0")] == ["i0"]
    assert client.timeline("test/workflow-w/i0").runs[0].steps[0].status == "done"
    assert [str(event.type) for _, event in client.events("test/workflow-w/i0")][-1] == "SUCCEEDED"
    assert client.invoke("same", {**documents[0], "id": "a"}).error is None
    changes = client.watch(0.01)
    assert next(changes) is None
    assert client.record("test/workflow-w/i0").executions
    list(client.submit([documents[0]], replace=True))
    made.drain()
    assert until(lambda: next(changes)).payload_id == "test/workflow-w/i0"


def test_tables_have_columns_and_what_is_not_there_is_told(made: Project) -> None:
    made.submit(payload("w", "bad-1"), payload("w", "good-with-a-long-name"))
    made.drain()
    head, *rows = made.ok(*M, "query", "--format", "table").decode().splitlines()
    (failed,) = (row for row in rows if row.startswith("FAILED"))
    assert failed.index("ValueError") == head.index("LAST_ERROR")
    nothing = made.cirrus(*M, "query", "--item", "none-*")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, b"", b"no record matches\n")
    assert made.json(*M, "query", "--item", "none-*", "--format", "json") == []
    bad = "test/workflow-w/bad-1"
    made.ok(*M, "forget", bad, "--yes")
    assert b"it was deleted, after 1 execution" in made.ok(*M, "explain", bad)
    assert b"it was never claimed here" in made.ok(*M, "explain", f"{bad}00")
    refused = made.cirrus(*M, "rerun", "--priority", "urgent")
    assert refused.returncode == 2
    assert b"urgent" in refused.stderr
