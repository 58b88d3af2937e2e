"""Tasks that run in the control process."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from worker_rig import Run, eventually, message, specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Attempt, TaskSpec
from cirrus.testing.compute import DEADLINE, attempt, finish, gather

Pools = Callable[..., LocalPool]


@pytest.fixture
def run(pools: Pools) -> Run:
    def one(task: str, **payload: object):  # type: ignore[no-untyped-def]
        return finish(pools(specs(task, inline=True)), [attempt(1, task, **payload)])["attempt-1"]

    return one


def test_runs_here_and_finds_its_context(pools: Pools, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pool = pools(specs("prints", inline=True))
    pool.submit([Attempt("a", "prints", b'{"words": "gr\\u00fcn"}', context={"payload_id": "p"})])
    outcome = gather(pool, 1)["a"]
    assert orjson.loads(outcome.output or b"") == {"pid": os.getpid(), "id": "p", "path": str(project / "data")}
    assert outcome.log.decode() == "grün\nand more\n"
    assert outcome.started <= outcome.ended
    assert capsys.readouterr() == ("", "")
    assert not {"CIRRUS_PAYLOAD_ID", "CIRRUS_TASK", "CIRRUS_DATA"} & os.environ.keys()
    assert str(project) not in sys.path


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        ("exits", "SystemExit", "sys.exit('enough')"),
        ("refuses", "InvalidInput", "no bands"),
        ("says_nothing", "InvalidOutput", "returned nothing (None)"),
        ("raises_odd", "Odd", "its message cannot be shown"),
        ("later", "Runtime.InvalidEntrypoint", "is an async function"),
        ("Plain", "Runtime.InvalidEntrypoint", "is a class"),
        ("no_such_name", "Runtime.HandlerNotFound", "tasks.bad has no 'no_such_name'"),
    ],
)
def test_what_fails_fails_alone(pools: Pools, task: str, error: str, words: str) -> None:
    pool = pools(specs(task, "echo", inline=True))
    outcomes = finish(pool, [attempt(1, task), attempt(2, "echo")])
    assert outcomes["attempt-1"].error == error
    assert words in message(outcomes["attempt-1"])
    assert outcomes["attempt-1"].log
    assert outcomes["attempt-2"].output == b"{}"


def test_failure_is_told_as_in_a_worker(pools: Pools) -> None:
    tasks = {**specs("raises_deep"), "here": TaskSpec("here", "tasks.bad:raises_deep", inline=True)}
    outcomes = finish(pools(tasks), [attempt(n, name, depth=2) for n, name in enumerate(tasks)])
    assert outcomes["attempt-0"].error == outcomes["attempt-1"].error == "ValueError"
    assert outcomes["attempt-0"].cause == outcomes["attempt-1"].cause
    assert outcomes["attempt-0"].log == outcomes["attempt-1"].log


def test_class_of_stactask_is_no_inline_task(pools: Pools, project: Path) -> None:
    (project / "tasks" / "stac.py").write_text("from stactask import Task\nclass T(Task):\n    name = 't'\n")
    pool = pools({"t": TaskSpec("t", "tasks.stac:T", inline=True)})
    outcome = finish(pool, [attempt(1, "t")])["attempt-1"]
    assert outcome.error == "Runtime.InvalidEntrypoint"
    assert "is a stactask.Task class; an inline task is a function" in message(outcome)


def test_output_that_a_task_closed_is_open_for_all_others(pools: Pools, capsys: pytest.CaptureFixture[str]) -> None:
    pool = pools(specs("closes_python_output", "prints", inline=True))
    outcomes = finish(pool, [attempt(1, "closes_python_output"), attempt(2, "prints", words="hear")])
    assert outcomes["attempt-1"].error is None
    assert outcomes["attempt-2"].log == b"hear\nand more\n"
    sys.stdout.write("still here\n")
    assert capsys.readouterr().out == "still here\n"


def test_output_of_other_threads_is_theirs(pools: Pools, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tasks" / "waits.py").write_text(
        "import builtins\ndef task(payload):\n    print('mine')\n    inside, done = builtins.cirrus_test_events\n"
        f"    inside.set()\n    assert done.wait({DEADLINE})\n    return {{}}\n"
    )
    inside, done = threading.Event(), threading.Event()
    builtins.cirrus_test_events = (inside, done)  # type: ignore[attr-defined]

    def speak() -> None:
        assert inside.wait(DEADLINE)
        sys.stdout.write("theirs\n")
        done.set()

    speaker = threading.Thread(target=speak)
    speaker.start()
    try:
        pool = pools({"waits": TaskSpec("waits", "tasks.waits:task", inline=True)})
        outcome = finish(pool, [attempt(1, "waits")])["attempt-1"]
    finally:
        speaker.join(DEADLINE)
        del builtins.cirrus_test_events  # type: ignore[attr-defined]
    assert (outcome.error, outcome.log) == (None, b"mine\n")
    assert capsys.readouterr().out == "theirs\n"


def test_changed_file_is_run_at_the_next_attempt(pools: Pools, project: Path) -> None:
    (project / "tasks" / "helper.py").write_text("value = 1\n")
    (project / "tasks" / "edited.py").write_text(
        "from tasks.helper import value\ndef task(payload):\n    return {'value': value}\n"
    )
    pool = pools({"edited": TaskSpec("edited", "tasks.edited:task", inline=True)})
    for n in range(1, 5):
        (project / "tasks" / "helper.py").write_text(f"value = {n}\n")
        assert finish(pool, [attempt(n, "edited")])[f"attempt-{n}"].output == b'{"value":%d}' % n
    assert not list(project.rglob("*.pyc"))
    pool.close()
    assert not {"tasks", "tasks.edited", "tasks.helper"} & sys.modules.keys()


def test_interrupt_is_the_operators_and_loses_nothing(pools: Pools) -> None:
    pool = pools(specs("interrupts", "echo", inline=True))
    pool.submit([attempt(1, "interrupts"), attempt(2, "echo")])
    with pytest.raises(KeyboardInterrupt):
        pool.collect(1)
    pool.cancel("attempt-1")
    outcomes = gather(pool, 2)
    assert outcomes["attempt-1"].error == "Cirrus.Cancelled"
    assert outcomes["attempt-2"].error is None


def test_workers_run_beside_inline_tasks(pools: Pools) -> None:
    tasks = {"here": TaskSpec("here", "tasks.bad:pid", inline=True), **specs("pid", "sleeps")}
    pool = pools(tasks, workers=2)
    pool.submit([attempt("long", "sleeps", seconds=600)])
    eventually(lambda: not pool.collect(0.01) and bool(pool.running_logs()))
    names = ["here" if n % 2 else "pid" for n in range(200)]
    outcomes = finish(pool, [attempt(n, name) for n, name in enumerate(names)])
    own = {orjson.loads(outcomes[f"attempt-{n}"].output or b"")["pid"] == os.getpid() for n in range(1, 200, 2)}
    others = {orjson.loads(outcomes[f"attempt-{n}"].output or b"")["pid"] == os.getpid() for n in range(0, 200, 2)}
    assert (own, others) == ({True}, {False})


def test_inline_tasks_alone_start_no_process(project: Path) -> None:
    script = textwrap.dedent(f"""
        import os
        from pathlib import Path
        from cirrus.adapters.local.pool import LocalPool
        from cirrus.ports.compute import Attempt, TaskSpec
        pool = LocalPool({{"t": TaskSpec("t", "tasks.bad:exits", inline=True)}}, project=Path({str(project)!r}))
        pool.submit([Attempt(str(n), "t", b"{{}}") for n in range(1000)])
        count = 0
        while pool.in_flight():
            count += len(pool.collect(1))
        print(count, Path(f"/proc/{{os.getpid()}}/task/{{os.getpid()}}/children").read_text().split())
        pool.close()
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=DEADLINE)
    assert done.stdout == "1000 []\n"
    assert done.stderr == ""
