"""Failures of the same cause have one fingerprint; others have another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.failure_kind import FINGERPRINT, LONGEST, failure_kind, folded

UUID = "9784592a-4f57-598f-8bca-4a4ca2c7c413"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ValueError: too many values to unpack (expected 1)", "ValueError: too many values to unpack (expected <n>)"),
        ("KeyError: 'B04'", "KeyError: '<id>'"),
        ("OSError: no space: '/data/a b/out.tif'", "OSError: no space: '<path> <path>'"),
        ("OSError: cannot read ./in/x.tif", "OSError: cannot read <path>"),
        ("HTTPError: 503 for https://host/a?b=1 at 2024-01-02T03:04:05.678Z", "HTTPError: <n> for <url> at <time>"),
        (f"Runtime.ExitError: run {UUID} ended", "Runtime.ExitError: run <id> ended"),
        ("X: at 0x7f3a and -1.5e-3 of 12,000", "X: at <n> and <n> of <n>"),
        ("Boto3Error: throttled", "Boto3Error: throttled"),
        ("a\n  b\t c", "a b c"),
        ("no colon here", "no colon here"),
        ("", ""),
    ],
)
def test_what_differs_is_folded(text: str, expected: str) -> None:
    assert folded(text) == expected


def test_own_ids_are_folded_whatever_they_look_like() -> None:
    assert folded("E: Item spring-lake is broken", ["spring-lake"]) == "E: Item <id> is broken"
    assert folded("E: a is broken", ["a"]) == "E: a is broken"
    assert folded("E: no raster: '/data/in/spring-lake_B4.tif'", ["spring-lake"]) == "E: no raster: '<path>'"


def test_workflow_step_and_message_make_the_kind() -> None:
    one = failure_kind("cog", "read", "OSError: /a/1.tif")
    assert FINGERPRINT.fullmatch(one.fingerprint)
    assert failure_kind("cog", "read", "OSError: /b/2.tif") == one
    others = [("ndvi", "read", "OSError: /a/1.tif"), ("cog", "write", "OSError: /a/1.tif"), ("cog", None, "OSError: x")]
    assert len({failure_kind(*other).fingerprint for other in others} | {one.fingerprint}) == 4


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_numbers_make_no_difference(first: int, second: int) -> None:
    text = "Error: row {} of scene_{} in /data/{}/x.tif failed"
    assert folded(text.format(first, first, first)) == folded(text.format(second, second, second))


@given(st.text(max_size=5000))
def test_any_text_can_be_folded(text: str) -> None:
    once = folded(text)
    assert len(once) <= LONGEST + 1


@pytest.mark.parametrize("text", ["a/" * 50_000, "1" * 100_000, "-" * 100_000, "a.1" * 40_000, "http://" * 20_000])
def test_hostile_texts_take_no_time(text: str) -> None:
    assert len(folded(text)) <= LONGEST + 1
