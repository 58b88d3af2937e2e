"""A small chaos run; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.run import run


@pytest.mark.parametrize(("seed", "jumps"), [(11, False), (6, True)])
def test_nothing_is_lost_doubled_or_stuck_under_kill(tmp_path: Path, seed: int, jumps: bool) -> None:
    """With `jumps` the clock of all these processes is set back and forth by seconds, minutes and hours."""
    verdict, figures, said = run(
        tmp_path / "project", number=60, seconds=12.0, controls=2, seed=seed, pause=0.4, lease=1.0, jumps=jumps
    )
    assert verdict.good, (verdict, said[-3000:])
    assert figures["kills"] >= 5
    assert not jumps or figures["by_kind"]["clock"] >= 3
    assert figures["payloads"] > 60
