"""`cirrus workflow` through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Project, payload, task_state

TOML = (
    '[project]\nname = "test"\n[tasks.double]\nhandler = "tasks.mine:double"\n[tasks.bad]\nhandler = "tasks.mine:bad"\n'
)
TASKS = "def double(payload):\n    return payload\n\n\ndef bad(payload):\n    raise ValueError('no')\n"
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "failure"}]
FLOW = {
    "StartAt": "double",
    "States": {
        "double": task_state("double", Next="bad", Catch=CATCH),
        "bad": task_state("bad", Catch=CATCH),
        "failure": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"},
    },
}
CASES = """
cases:
  fine:
    mocks: { double: { return: { n: 2 } }, bad: { echo: true } }
    expect: { output: { n: 2 }, path: [double, bad] }
  wrong:
    mocks: { double: { throw: Busy } }
    expect: { output: { n: 2 } }
"""


@pytest.fixture
def flow(project: Project) -> Project:
    project.write("cirrus.toml", TOML)
    project.write("tasks/mine.py", TASKS)
    project.workflow("flow", FLOW)
    project.write("workflows/flow.test.yaml", CASES)
    return project


def test_validate(flow: Project, tmp_path: Path) -> None:
    done = flow.cirrus("workflow", "validate")
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"1 definition: 0 errors, 0 warnings" in done.stderr
    flow.write(
        "workflows/broken.asl.yaml",
        'StartAt: a\nStates:\n  a: { Type: Task, Resource: "${doubel}", Next: b }\n  c: { Type: Pass }\n',
    )
    done = flow.cirrus("workflow", "validate")
    assert done.returncode == 1
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(one["file"], one["line"], one["code"]) for one in told if one["severity"] == "error"} >= {
        ("workflows/broken.asl.yaml", 3, "UNKNOWN_TASK"),
        ("workflows/broken.asl.yaml", 3, "MISSING_TRANSITION_TARGET"),
        ("workflows/broken.asl.yaml", 4, "SCHEMA_VALIDATION_FAILED"),
    }
    unknown = next(one for one in told if one["code"] == "UNKNOWN_TASK")
    assert unknown["pointer"] == "/States/a/Resource"
    assert "did you mean 'double'" in unknown["message"]
    outside = tmp_path / "outside.asl.json"
    outside.write_text('{"StartAt": "a", "States": {"a": {"Type": "Task", "Resource": "${any}", "End": true}}}')
    assert flow.cirrus("workflow", "validate", str(outside)).returncode == 0
    assert flow.cirrus("workflow", "validate", "--strict", str(outside)).returncode == 1
    done = flow.cirrus("workflow", "validate", "-", "gone.json", stdin=b"StartAt: [")
    assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == ["<stdin>", "gone.json"]
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)


def test_test(flow: Project) -> None:
    done = flow.cirrus("workflow", "test", "flow")
    assert done.returncode == 1
    fine, wrong = (json.loads(line) for line in done.stdout.splitlines())
    assert (fine["case"], fine["result"], fine["path"]) == ("fine", "passed", ["double", "bad"])
    assert wrong["result"] == "failed"
    assert wrong["differences"][0] == {"of": "status", "expected": "SUCCEEDED", "found": "FAILED: Busy"}
    assert flow.cirrus("workflow", "test", "flow", "--case", "fine").returncode == 0
    assert flow.cirrus("workflow", "test", "workflows/flow.asl.json", "--case", "fine").returncode == 0


def test_step(flow: Project) -> None:
    words = ("workflow", "step", "flow", "double", "--input", "-", "--mock", '{"result": {"Payload": {"n": 2}}}')
    told = json.loads(flow.cirrus(*words, "--raw", stdin=b'{"n": 1}').stdout)
    assert (told["status"], told["output"], told["nextState"]) == ("SUCCEEDED", {"n": 2}, "bad")
    assert told["inspectionData"]["afterParameters"]["Payload"] == {"n": 1}
    failed = flow.cirrus("workflow", "step", "flow", "failure", "--inspection", "info")
    assert failed.returncode == 10
    assert json.loads(failed.stdout)["status"] == "FAILED"


def test_graph(flow: Project) -> None:
    assert flow.ok("workflow", "graph", "flow").startswith(b"flowchart TD\n")
    flow.ok("workflow", "graph", "flow", "--output", "flow.svg")
    assert (flow.folder / "flow.svg").read_text().startswith("<svg ")
    flow.submit(payload("flow", "item"))
    flow.drain()
    told = flow.ok("workflow", "graph", "flow", "--payload-id", "test/workflow-flow/item").decode()
    assert "class s0 done" in told
    assert "class s1 caught" in told
    assert "class s2 failed" in told


WRONG = [
    (("test", "nowhere"), 3, "there are: flow"),
    (("graph", "nowhere"), 3, "there are: flow"),
    (("step", "flow", "nowhere"), 3, "there are: double, bad, failure"),
    (("step", "flow", "double"), 2, "double calls double, and there is no mock"),
    (("step", "flow", "double", "--mock", "{"), 2, "line 1, column 2"),
    (("step", "flow", "double", "--mock", "{}"), 1, "errorOutput"),
    (("step", "flow", "double", "--input", "wrong.json"), 1, "line 2, column 1"),
    (("step", "flow", "double", "--input", "gone.json"), 2, "cannot be read"),
    (("step", "flow", "double", "--variables", "deep.json"), 1, "nested more than"),
    (("test", "flow", "--case", "x"), 3, "there are: fine, wrong"),
    (("test", "flow", "--mock", "wrong.json"), 1, "wrong.json: ERROR INVALID_TEST at line 2, column 1"),
    (("test", "flow", "--mock", "deep.json"), 1, "nested more than"),
    (("graph", "wrong.json"), 1, "line 2, column 1"),
    (("graph", "gone.json"), 3, "no file 'gone.json'"),
    (("graph", "flow", "--payload-id", "a/workflow-flow/b"), 3, "no payload"),
    (("graph", "flow", "--attempt", "1"), 2, "--payload-id"),
    (("graph", "flow", "--output", "gone/flow.svg"), 2, "cannot be written"),
]


def test_bad_input_is_told_and_never_a_traceback(flow: Project) -> None:
    flow.write("wrong.json", '{"a": \n')
    flow.write("deep.json", "[" * 10_000 + "]" * 10_000)
    for words, code, message in WRONG:
        done = flow.cirrus("workflow", *words)
        told = done.stderr.decode()
        assert (done.returncode, done.stdout, "Traceback" in told) == (code, b"", False), (words, told)
        assert message in told, (words, told)
