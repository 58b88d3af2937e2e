"""The persistent map: every version is a map of its own, whoever went on from it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl.table import SMALL, Table

CHANGES = st.dictionaries(st.integers(0, 3 * SMALL), st.one_of(st.none(), st.integers(1, 9)), max_size=20)
MOVES = st.lists(st.tuples(st.floats(0, 1), CHANGES), max_size=40)


def plain(values: dict[int, int], changes: dict[int, int | None]) -> dict[int, int]:
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


@given(st.integers(0, 2 * SMALL), MOVES)
def test_versions_are_apart(size: int, moves: list[tuple[float, dict[int, int | None]]]) -> None:
    start = dict.fromkeys(range(size), 1)
    versions = [(Table(dict(start)), start)]
    for luck, changes in moves:
        table, values = versions[int(luck * (len(versions) - 1))]
        versions.append((table.update(changes), plain(values, changes)))
    for table, values in versions:
        assert table.count == len(values)
        assert [table.get(key) for key in range(3 * SMALL)] == [values.get(key) for key in range(3 * SMALL)]
    for table, values in versions:
        assert table.items() == sorted(values.items())
        assert list(table.values()) == [value for _, value in sorted(values.items())]
        assert table == Table(values)


def test_a_version_that_is_kept_costs_little() -> None:
    first = Table({1: 1})
    table = first
    for key in range(2, 5_000):
        table = table.set(key, key)
    assert (first.count, first.get(1), first.get(2), table.count) == (1, 1, None, 4_999)
    old = table
    for key in range(2, 4_000):
        table = table.drop(key)
    assert (old.count, old.get(2), table.get(2)) == (4_999, 2, None)
    assert old.set(2, 7).get(2) == 7
    assert len(old.items()) == 4_999


def test_threads_that_go_on_from_one_version() -> None:
    for _ in range(20):
        start = Table(dict.fromkeys(range(1, 1000), 1))

        def live(number: int, start: Table = start) -> bool:
            table = start
            for key in range(1, 300):
                table = table.update({key: number, 999 - key: None})
            return start.get(500) == 1 and table.get(17) == number and table.count == 999 - 299

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(live, range(2, 6)))
        assert start == Table(dict.fromkeys(range(1, 1000), 1))
