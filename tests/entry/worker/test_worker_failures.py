"""How failures are told."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from worker_rig import Run, message, specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import TaskSpec
from cirrus.testing.compute import attempt, finish, told


def test_import_error_names_task_handler_and_reason(project: Path, pools: Callable[..., LocalPool]) -> None:
    (project / "tasks" / "lame.py").write_text("import no_such_module_at_all\n")
    (project / "tasks" / "typo.py").write_text("def task(payload:\n    pass\n")
    tasks = {
        "lame": TaskSpec("lame", "tasks.lame:task"),
        "typo": TaskSpec("typo", "tasks.typo:task"),
        "gone": TaskSpec("gone", "tasks.gone:task"),
        "unnamed": TaskSpec("unnamed", "tasks.bad:nothing_of_the_kind"),
        **specs("later", "Plain", "value", "echo"),
    }
    outcomes = finish(pools(tasks), [attempt(name, name) for name in tasks])
    expected = {
        "lame": (
            "Runtime.ImportModuleError",
            "No module named 'no_such_module_at_all' (tasks/lame.py, line 1)",
        ),
        "typo": ("Runtime.UserCodeSyntaxError", "(tasks/typo.py, line 1)"),
        "gone": ("Runtime.ImportModuleError", "No module named 'tasks.gone'"),
        "unnamed": ("Runtime.HandlerNotFound", "tasks.bad has no 'nothing_of_the_kind'; it has Plain, "),
        "later": ("Runtime.InvalidEntrypoint", "is an async function"),
        "Plain": ("Runtime.InvalidEntrypoint", "is a class, but not a subclass of stactask.Task"),
        "value": ("Runtime.InvalidEntrypoint", "is a int"),
    }
    for name, (error, words) in expected.items():
        outcome = outcomes[f"attempt-{name}"]
        assert outcome.error == error
        assert words in message(outcome)
        assert f"task {name!r}" in message(outcome)
        assert repr(tasks[name].handler) in message(outcome)
    assert outcomes["attempt-echo"].error is None


@pytest.mark.parametrize(
    "line",
    [
        "import os; os._exit(5)",
        "import ctypes; ctypes.string_at(0)",
        "raise SystemExit(2)",
        "raise KeyboardInterrupt",
    ],
)
def test_module_that_ends_its_process_costs_only_who_needs_it(
    project: Path, pools: Callable[..., LocalPool], line: str
) -> None:
    (project / "tasks" / "deadly.py").write_text(line + "\n")
    pool = pools({"deadly": TaskSpec("deadly", "tasks.deadly:task"), **specs("echo")})
    outcomes = finish(pool, [attempt(1, "echo"), attempt(2, "deadly"), attempt(3, "echo")])
    assert outcomes["attempt-1"].error is None
    assert outcomes["attempt-2"].error is not None
    assert outcomes["attempt-3"].error is None


def test_module_that_hangs_costs_only_who_needs_it(
    project: Path, pools: Callable[..., LocalPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cirrus.adapters.local.crew.PRELOAD_SECONDS", 0.5)
    (project / "tasks" / "stuck.py").write_text("import time\ntime.sleep(600)\n")
    pool = pools({"stuck": TaskSpec("stuck", "tasks.stuck:task", timeout=0.2), **specs("echo")}, grace=0.2)
    outcomes = finish(pool, [attempt(1, "echo"), attempt(2, "stuck"), attempt(3, "echo")])
    assert outcomes["attempt-2"].error == "Sandbox.Timedout"
    assert (outcomes["attempt-1"].error, outcomes["attempt-3"].error) == (None, None)


def test_worker_that_cannot_start_fails_its_attempts(
    pools: Callable[..., LocalPool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    outcome = finish(pools(specs("echo")), [attempt(1, "echo")])["attempt-1"]
    assert outcome.error == "Runtime.ExitError"
    assert "no worker process could be started" in message(outcome)


def test_threads_started_by_an_import_work_in_workers(project: Path, pools: Callable[..., LocalPool]) -> None:
    (project / "tasks" / "threaded.py").write_text(
        textwrap.dedent("""
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        pool.submit(int).result()
        def task(payload):
            return {"answer": pool.submit(lambda: 42).result(20)}
        """)
    )
    outcome = finish(pools({"t": TaskSpec("t", "tasks.threaded:task")}), [attempt(1, "t")])["attempt-1"]
    assert outcome.output == b'{"answer":42}'


def test_keyboard_interrupt_is_a_failure(run: Run) -> None:
    assert run("raises_keyboard_interrupt").error == "KeyboardInterrupt"


def test_exception_that_cannot_be_shown(run: Run) -> None:
    outcome = run("raises_odd")
    assert outcome.error == "Odd"
    assert "cannot be shown" in message(outcome)


def test_cause_is_bounded_and_shows_the_users_frames(run: Run) -> None:
    outcome = run("raises_deep", depth=300)
    assert len((outcome.cause or "").encode()) <= 32768
    trace = told(outcome)["stackTrace"]
    assert "raise ValueError" in trace[-1]
    assert "cirrus/entry" not in "".join(trace)


def test_what_is_not_json_is_found(run: Run) -> None:
    outcome = run("foreign")
    assert outcome.error == "InvalidOutput"
    assert "output.a[0].when is a datetime.datetime" in message(outcome)


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (5, "features: an array of Items is expected, not a number"),
        ([{"id": "a"}, "b"], "features[1]: an Item (an object) is expected, not a string"),
        ([{"collection": "c"}, {}], "features[0].id: a string that is not empty is expected (and 1 more)"),
        ([{"id": "a", "properties": 5}], "features[0].properties: an object is expected, not a number"),
    ],
)
def test_items_that_are_none_are_told(run: Run, items: object, words: str) -> None:
    outcome = run("no_items", items=items)
    assert outcome.error == "InvalidOutput"
    assert message(outcome) == f"task 'no_items' returned no payload: {words}"


def test_output_is_json_as_lambda_makes_it(run: Run) -> None:
    assert orjson.loads((run("numbers").output or b"").replace(b"1208925819614629174706176", b"0")) == {
        "1": [1, 2],
        "big": 0,
    }
