"""Signals as they come: one upon the other, in the middle of anything."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from contextlib import suppress

import pytest

from tests.e2e.conftest import Project, payload, task_state, until
from tests.e2e.test_faults import sound

SETTINGS = """
[project]
name = "test"
[deployments.local]
catalog = false
[tasks.same]
handler = "tasks.steps:same"
inline = {inline}
"""


def burst(process: subprocess.Popen[bytes], number: int) -> None:
    """So many SIGTERMs one after the other, without a pause."""
    with suppress(ProcessLookupError):
        for _ in range(number):
            os.kill(process.pid, signal.SIGTERM)


@pytest.mark.parametrize("inline", ["true", "false"])
def test_signals_back_to_back_end_it_at_once_wherever_they_hit(project: Project, inline: str) -> None:
    project.write("tasks/steps.py", "def same(payload):\n    return payload\n")
    project.write("cirrus.toml", SETTINGS.format(inline=inline))
    project.workflow("one", {"StartAt": "a", "States": {"a": task_state("same", Next="b"), "b": task_state("same")}})
    for number in (2, 400, 3, 400, 400, 400):
        project.submit(*(payload("one", f"n{number}-{n}") for n in range(30)))
        control = project.start("up")
        until(lambda: "COMPLETED" in project.states().values())
        burst(control, number)
        control.communicate(timeout=20)
        assert control.returncode in {0, -signal.SIGTERM}  # the last ones come once it no longer listens
    project.drain()
    assert set(project.states().values()) == {"COMPLETED"}
    kinds = Counter(one["event_type"] for one in project.lines("manage", "local", "events"))
    assert kinds["SUCCEEDED"] == len(project.states())
    sound(project)
