"""A project whose tasks do all that tasks can do wrong, and pools that are closed after the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from worker_rig import Run, specs

from cirrus.adapters.local.pool import LocalPool
from cirrus.ports.compute import Outcome, TaskSpec
from cirrus.testing.compute import attempt, finish


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "tasks").mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "tasks" / "bad.py", folder / "tasks")
    return folder


@pytest.fixture
def pools(project: Path) -> Iterator[Callable[..., LocalPool]]:
    made: list[LocalPool] = []

    def make(tasks: dict[str, TaskSpec], **options: object) -> LocalPool:
        made.append(LocalPool(tasks, project=project, **{"workers": 2, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for pool in made:
        pool.close()


@pytest.fixture
def run(pools: Callable[..., LocalPool]) -> Run:
    def one(task: str, timeout: float | None = None, grace: float = 0.3, **payload: object) -> Outcome:
        pool = pools(specs(task, timeout=timeout), workers=1, grace=grace)
        (outcome,) = finish(pool, [attempt(1, task, **payload)]).values()
        return outcome

    return one
