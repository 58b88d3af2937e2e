"""Tasks that are programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from worker_rig import eventually, message, running, unique

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import TaskSpec
from cirrus.testing.compute import attempt, finish


def command(*words: str) -> dict[str, TaskSpec]:
    return {"c": TaskSpec("c", command=words)}


def test_command_reads_and_writes_files(pools: Callable[..., LocalPool], project: Path) -> None:
    script = "import os,sys; open(sys.argv[2],'w').write(open(sys.argv[1]).read()); print(os.getcwd())"
    pool = pools(command("python", "-c", script, "{input}", "{output}", "{workdir}"))
    outcome = finish(pool, [attempt(1, "c", n=1)])["attempt-1"]
    assert outcome.output == b'{"n":1}'
    assert outcome.log.startswith(str(project).encode())


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (("sh", "-c", "echo why >&2; exit 4"), "CommandFailed", "'sh' ended with exit code 4: why"),
        (("sh", "-c", "echo odd data >&2; exit 65"), "InvalidInput", "exit code 65: odd data"),
        (("sh", "-c", "kill -9 $$"), "CommandFailed", "was killed by signal 9 (SIGKILL"),
        (("true",), "InvalidOutput", "wrote no file to {output}"),
        (("sh", "-c", "echo '{' > {output}"), "InvalidOutput", "its output is not JSON"),
        (
            ("sh", "-c", "echo '{\"features\":[1]}' > {output}"),
            "InvalidOutput",
            "output is no payload: features[0]: an Item",
        ),
        (("sh", "-c", "echo '[]' > {output}"), "InvalidOutput", "its output is a list; expected an object"),
        (("no-such-program-at-all",), "CommandFailed", "cannot run 'no-such-program-at-all'"),
    ],
)
def test_command_that_fails(pools: Callable[..., LocalPool], words: tuple[str, ...], error: str, text: str) -> None:
    outcome = finish(pools(command(*words)), [attempt(1, "c")])["attempt-1"]
    assert outcome.error == error
    assert text in message(outcome)


def test_command_whose_child_keeps_its_output_open(pools: Callable[..., LocalPool]) -> None:
    seconds = unique()
    pool = pools(command("sh", "-c", f"sleep {seconds} & echo '{{}}' > {{output}}"))
    assert finish(pool, [attempt(1, "c")])["attempt-1"].output == b"{}\n"
    pool.close()
    eventually(lambda: not running("sleep", seconds))


def test_command_over_its_time_limit(pools: Callable[..., LocalPool]) -> None:
    seconds = unique()
    tasks = {"c": TaskSpec("c", command=("sh", "-c", f"trap '' TERM; sleep {seconds}; sleep {seconds}"), timeout=0.3)}
    outcome = finish(pools(tasks, grace=0.2), [attempt(1, "c")])["attempt-1"]
    assert outcome.error == "Sandbox.Timedout"
    eventually(lambda: not running("sleep", seconds))
