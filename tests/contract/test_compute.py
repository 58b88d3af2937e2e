from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cirrus.adapters.local.pool import LocalPool
from cirrus.adapters.memory.compute import MemoryCompute
from cirrus.ports.compute import Compute, TaskSpec
from cirrus.testing.compute import TASKS, ComputeContract


class TestMemory(ComputeContract):
    @pytest.fixture
    def compute(self) -> Compute:
        return MemoryCompute(TASKS)


class TestLocalPool(ComputeContract):
    @pytest.fixture
    def compute(self, tmp_path: Path) -> Iterator[Compute]:
        specs = {name: TaskSpec(name, f"cirrus.testing.compute:{name}") for name in TASKS}
        pool = LocalPool(specs, project=tmp_path, workers=2)
        yield pool
        pool.close()
