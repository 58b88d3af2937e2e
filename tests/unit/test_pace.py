"""How much work a pool lets in."""

from __future__ import annotations

import pytest

from cirrus.adapters.local.backlog import TaskQueue
from cirrus.adapters.local.pace import Pace
from cirrus.ports.compute import TaskSpec


def queue(seconds: float | None) -> TaskQueue:
    return TaskQueue(TaskSpec("t", "m:t"), frozenset(), seconds=seconds)


@pytest.mark.parametrize(
    ("usual", "busy", "waiting", "room"),
    [
        (None, 0, [], 4),
        (None, 2, [], 2),
        (None, 2, [(None, 2)], 0),
        (60.0, 0, [], 2),
        (60.0, 1, [], 1),
        (60.0, 2, [], 0),
        (60.0, 1, [(60.0, 1)], 0),
        (0.5, 2, [], 4),
        (0.5, 2, [(0.5, 3)], 1),
        (0.001, 2, [(0.001, 500)], 1500),
        (0.001, 2, [(None, 2)], 0),
        (0.0, 2, [], 1_000_000),
    ],
)
def test_room(usual: float | None, busy: int, waiting: list[tuple[float | None, int]], room: int) -> None:
    pace = Pace(2)
    if usual is not None:
        pace.note(usual)
    assert pace.room(busy, [(queue(seconds), number) for seconds, number in waiting]) == room


def test_pace_follows_what_attempts_take() -> None:
    pace = Pace(2)
    pace.note(10.0)
    for _ in range(100):
        pace.note(0.001)
    assert pace.room(0, []) > 500
