"""What a task finds around it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
from worker_rig import Run, specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Attempt, TaskSpec
from cirrus.testing.compute import attempt, finish, gather


def test_context_is_in_the_environment_of_its_attempt_only(pools: Callable[..., LocalPool]) -> None:
    pool = pools(specs("remembers"), workers=1)
    pool.submit([Attempt("a", "remembers", b"{}", context={"payload_id": "p", "attempt": "2"})])
    pool.submit([Attempt("b", "remembers", b"{}")])
    outcomes = gather(pool, 2)
    assert orjson.loads(outcomes["a"].output or b"") == {
        "CIRRUS_PAYLOAD_ID": "p",
        "CIRRUS_ATTEMPT": "2",
        "CIRRUS_TASK": "remembers",
    }
    assert orjson.loads(outcomes["b"].output or b"") == {"CIRRUS_TASK": "remembers"}


def test_project_folder_is_first_on_the_path_and_the_working_directory(run: Run, project: Path) -> None:
    assert orjson.loads(run("where").output or b"") == {
        "cwd": str(project),
        "path": str(project),
        "stdin": "",
    }


def test_env_is_set_before_the_project_is_imported(pools: Callable[..., LocalPool], project: Path) -> None:
    tasks = {
        name: TaskSpec(name, "tasks.bad:environment", env=env)
        for name, env in {"none": {}, "one": {"A": "1"}, "two": {"A": "2"}}.items()
    }
    pool = pools(tasks, workers=1, data="output")
    outcomes = finish(pool, [attempt(f"{name}-{n}", name) for n in range(5) for name in tasks])
    for n in range(5):
        for name, value in (("none", None), ("one", "1"), ("two", "2")):
            output = orjson.loads(outcomes[f"attempt-{name}-{n}"].output or b"")
            assert output == {"A": value, "at_import": value, "data": str(project / "output")}


def test_changed_file_is_run_at_the_next_attempt(pools: Callable[..., LocalPool], project: Path) -> None:
    (project / "tasks" / "helper.py").write_text("value = 1\n")
    (project / "tasks" / "edited.py").write_text(
        "from tasks.helper import value\ndef task(payload):\n    return {'value': value, 'line': 1}\n"
    )
    pool = pools({"edited": TaskSpec("edited", "tasks.edited:task")})

    def values() -> set[bytes]:
        return {o.output or b"" for o in finish(pool, [attempt(n, "edited") for n in range(10)]).values()}

    assert values() == {b'{"value":1,"line":1}'}
    for n in range(2, 9):
        (project / "tasks" / "helper.py").write_text(f"value = {n}\n")
        assert values() == {b'{"value":%d,"line":1}' % n}
    (project / "tasks" / "edited.py").write_text("def task(payload):\n    return oops\n")
    assert {o.error for o in finish(pool, [attempt(1, "edited")]).values()} == {"NameError"}
    (project / "tasks" / "edited.py").write_text("def task(payload):\n    return {}\n")
    assert values() == {b"{}"}
    assert not list(project.rglob("*.pyc"))


def test_missing_module_is_found_once_it_is_there(pools: Callable[..., LocalPool], project: Path) -> None:
    pool = pools({"new": TaskSpec("new", "tasks.new:task")}, workers=1)
    assert finish(pool, [attempt(1, "new")])["attempt-1"].error == "Runtime.ImportModuleError"
    (project / "tasks" / "new.py").write_text("def task(payload):\n    return {}\n")
    assert finish(pool, [attempt(2, "new")])["attempt-2"].output == b"{}"
