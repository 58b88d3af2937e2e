"""A small chaos run; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run


@pytest.mark.parametrize(("controls", "seed"), [(2, 11)])
def test_nothing_is_lost_doubled_or_stuck_under_kill(tmp_path: Path, controls: int, seed: int) -> None:
    verdict, figures, said = run(
        tmp_path / "project", number=60, seconds=10.0, controls=controls, seed=seed, pause=0.5, lease=1.0
    )
    assert verdict.good, (verdict, said[-3000:])
    assert figures["kills"] >= 5
    assert figures["payloads"] > 60
