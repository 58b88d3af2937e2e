"""Inserting many rows: what comes out is what went in, wherever values are missing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus.adapters.sqlite.database import Database

VALUE = st.one_of(st.none(), st.integers(0, 9), st.sampled_from(["", "a"]), st.sampled_from([b"", b"b"]))
MISSING = st.tuples(st.none(), st.none(), st.none())
ROW = st.one_of(st.tuples(VALUE, VALUE, VALUE), MISSING)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, max_size=90), st.integers(0, 3))
def test_rows_are_there_as_they_were_given(rows: list[tuple[object, ...]], empty: int) -> None:
    """With a column or two that no row has, as most rows have it; and bytes either way."""
    rows = [tuple(None if column < empty - 1 else value for column, value in enumerate(row)) for row in rows]
    as_arrays = [tuple(bytearray(value) if isinstance(value, bytes) else value for value in row) for row in rows]
    with TemporaryDirectory() as folder:
        database = Database(Path(folder) / "cirrus.db")
        with database.group():
            database.run("CREATE TABLE some (id INTEGER PRIMARY KEY, a, b, c)")
            assert database.insert("INSERT INTO some (a, b, c)", rows) == len(rows)
            assert database.insert("INSERT INTO some (a, b, c)", as_arrays) == len(rows)
        found = database.rows("SELECT a, b, c FROM some ORDER BY id")
        database.close()
    assert found == [*rows, *rows]
