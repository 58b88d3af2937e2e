from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.instant import from_iso, iso, parse_duration, parse_since

HOUR = 3_600_000_000
INSTANT = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)


@given(INSTANT)
def test_iso_there_and_back(at: int) -> None:
    text = iso(at)
    assert from_iso(text) == at
    assert len(text) == 32
    assert text.endswith("+00:00")


@given(INSTANT, INSTANT)
def test_text_sorts_as_time(one: int, other: int) -> None:
    assert (iso(one) < iso(other)) == (one < other)


@given(st.datetimes(timezones=st.builds(lambda m: timezone(timedelta(minutes=m)), st.integers(-720, 720))))
def test_other_offsets(moment: datetime) -> None:
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert from_iso(moment.isoformat()) == whole


def test_examples() -> None:
    assert iso(0) == "1970-01-01T00:00:00.000000+00:00"
    assert from_iso("2026-11-23T08:00:00Z") == from_iso("2026-11-23T08:00:00") == from_iso("2026-11-23T10:00:00+02:00")
    with pytest.raises(ValueError):
        from_iso("yesterday")


@pytest.mark.parametrize(
    ("text", "span"),
    [("10h", 10 * HOUR), ("10 h", 10 * HOUR), (" 3d ", 72 * HOUR), ("15m", HOUR // 4), ("0m", 0), ("1  d", 24 * HOUR)],
)
def test_since(text: str, span: int) -> None:
    assert parse_since(text) == span


@pytest.mark.parametrize(
    "text", ["", "h", "10", "10s", "10H", "-1h", "1.5h", "1h30m", "10 hours", "99999999999d", "h10"]
)
def test_what_is_no_since(text: str) -> None:
    with pytest.raises(ValueError, match="an integer and d, h or m is expected"):
        parse_since(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("15m", 900), ("1.5 h", 5400), ("30s", 30), ("250ms", 0.25), ("1d", 86400), (" 2 s ", 2)]
)
def test_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "1,5h", "-1s", "1w", "1h30m", "1.h", "inf s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is expected, such as 15m"):
        parse_duration(text)
