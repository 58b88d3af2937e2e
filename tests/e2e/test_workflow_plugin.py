"""The pytest plugin as a user of it would see it: pytest run in a project, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cirrus import scaffold

TESTS = """
def test_greets(cirrus_workflow):
    same = lambda payload: payload
    flow = cirrus_workflow("hello", mocks={"hello": same, "sign": same, "publish": {"features": [1]}})
    done = flow.run({"features": []})
    assert done.status == "SUCCEEDED"
    assert done.output == {"features": [1]}
    assert done.path == ["hello", "sign", "publish"]


def test_fails(cirrus_workflow):
    def broken(payload):
        raise KeyError("red")

    done = cirrus_workflow("workflows/hello.asl.yaml", mocks={"hello": broken}).run()
    assert (done.status, done.error) == ("FAILED", "KeyError")
"""
CASES = """
cases:
  good:
    mocks: { hello: { echo: true }, sign: { echo: true }, publish: { return: { features: [] } } }
    expect: { status: SUCCEEDED, path: [hello, sign, publish] }
  bad:
    mocks: { hello: { throw: { error: Bad } } }
    expect: { status: SUCCEEDED }
"""


def _pytest(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *words],
        cwd=folder,
        capture_output=True,
        env=environment,
        check=False,
    )
    return done.stdout.decode() + done.stderr.decode()


def test_fixture_and_collected_cases(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    scaffold.create(folder, "project")
    (folder / "test_flow.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "workflows" / "hello.test.yaml").write_text(CASES)
    assert "2 passed" in (quiet := _pytest(folder)), quiet
    (folder / "pytest.ini").write_text("[pytest]\ncirrus_workflows = true\n")
    told = _pytest(folder)
    assert "1 failed, 3 passed" in told, told
    assert "FAILED" in told
