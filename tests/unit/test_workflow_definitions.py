"""What is found in a definition stands where the user wrote it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from cirrus.errors import InvalidDefinition, NotFound
from cirrus.workflows import FUNCTION, ProjectWorkflows, read_workflow

GOOD = """\
Comment: a comment may mention ${nobody}
StartAt: a
States:
  a:
    Type: Task
    Resource: "${resize}"
    Catch: [{ ErrorEquals: [States.ALL], ResultPath: $.error, Next: b }]
    Next: b
  b: { Type: Succeed }
"""
BROKEN = """\
# a comment first
StartAt: a
States:
  a:
    Type: Task
    Resource: arn:aws:states:::lambda:invoke
    Parameters: { FunctionName: "${resise}", Payload.$: $ }
    Nxt: b
  b:
    Type: Task
    Resource: arn:aws:states:::glue:startJobRun
    End: true
"""


def found(text: str, tasks: set[str] | None = None) -> dict[str, tuple[str, int]]:
    workflow = read_workflow(text.encode(), "flow.asl.yaml", tasks)
    return {one.location: (one.code, one.line) for one in workflow.errors}


def test_tasks_are_filled_in() -> None:
    workflow = read_workflow(GOOD.encode(), "flow", {"resize"})
    assert workflow.errors == ()
    assert workflow.definition()["States"]["a"]["Resource"] == f"{FUNCTION}resize"


def test_every_error_at_once_at_its_line() -> None:
    told = found(BROKEN, {"resize", "publish"})
    assert told["/States/a/Parameters/FunctionName"] == ("UNKNOWN_TASK", 7)
    assert told["/States/a/Nxt"] == ("SCHEMA_VALIDATION_FAILED", 8)
    assert told["/States/b/Resource"] == ("UNSUPPORTED_RESOURCE", 11)
    workflow = read_workflow(BROKEN.encode(), "flow", {"resize", "publish"})
    assert "did you mean 'resize'? There are: publish, resize" in str([one.message for one in workflow.errors])
    assert [one.line for one in workflow.errors] == sorted(one.line for one in workflow.errors)
    assert {one.severity for one in workflow.warnings} == {"WARNING"}


def test_outside_of_a_project_names_are_left_alone_and_aws_may_run_what_we_cannot() -> None:
    told = found(BROKEN)
    assert "/States/a/Parameters/FunctionName" not in told
    assert "/States/b/Resource" not in told


def test_json_indented_by_tabs_has_lines() -> None:
    text = '{\n\t"StartAt": "a",\n\t"States": {\n\t\t"a": {"Type": "Pass", "Next": "b"}\n\t}\n}'
    assert found(text)["/States/a/Next"][1] == 4


@pytest.mark.parametrize(
    ("text", "line"),
    [(b'{"a": \n', 2), (b"a: [", 1), (b"\xff\xfe", 0), (b"", 1), (b"3", 1), (b"[" * 100_000, 0), (b"- 1\n- 2", 1)],
)
def test_what_is_no_definition_is_one_finding(text: bytes, line: int) -> None:
    (finding,) = read_workflow(text, "flow", set()).errors
    assert finding.line == line
    assert len(str(finding)) < 400


def test_a_huge_file_is_refused() -> None:
    (finding,) = read_workflow(b" " * 5_000_000, "flow", set()).errors
    assert "larger than" in finding.message


def test_a_project_reads_a_file_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "flow.asl.yaml"
    file.write_text(BROKEN)
    workflows = ProjectWorkflows({"flow": file, "gone": tmp_path / "gone"}, {"resize"})
    with pytest.raises(InvalidDefinition) as caught:
        workflows.definition("flow")
    assert "flow.asl.yaml: ERROR UNKNOWN_TASK at /States/a/Parameters/FunctionName (line 7)" in str(caught.value)
    assert all(one.severity == "ERROR" for one in caught.value.diagnostics)
    file.write_text(GOOD)
    os.utime(file, (1, 1))
    assert json.loads(workflows.definition("flow"))["StartAt"] == "a"
    assert workflows.workflow("flow").warnings == ()
    with pytest.raises(InvalidDefinition, match="UNREADABLE"):
        workflows.definition("gone")
    with pytest.raises(NotFound, match="there are: flow, gone"):
        workflows.definition("nobody")
