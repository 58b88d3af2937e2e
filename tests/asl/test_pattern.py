"""The engine that follows all ways gives what Python's gives, but for matches beside an empty one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.asl.pattern import Pattern
from cirrus.asl.pike import TooCostly, compile_program

ATOMS = [
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    r"\w",
    r"\d",
    r"\s",
    "(a|b)",
    "(a+)",
    "(?:ab)+",
    "a{1,3}",
    "b+?",
    "^",
    "$",
    r"\b",
    r"\B",
    "(b|ab)+",
    "(a)(b)?c",
    "|a",
]


@given(st.lists(st.sampled_from(ATOMS), min_size=1, max_size=5), st.text("ab1 \nc", min_size=1, max_size=9))
def test_first_match_is_pythons(atoms: list[str], text: str) -> None:
    pattern = "".join(atoms)
    compiled = re.compile(pattern)
    expected, found = compiled.search(text), next(compile_program(pattern, compiled.flags).finditer(text), None)
    assert (found is None) is (expected is None)
    if expected is not None and found is not None:
        assert (found.start(), found.end(), found.groups()) == (*expected.span(), expected.groups())


@pytest.mark.parametrize("pattern", ["a+", "(a|b)+c", r"\d+", "x*"])
def test_both_engines_replace_and_split_alike(pattern: str) -> None:
    text = "aab12xacb3"
    quick = Pattern(pattern, 0)
    slow = Pattern(pattern, 0)
    slow.degree = None
    assert quick.engine(text) is not slow.engine(text)
    if pattern != "x*":
        assert quick.sub(r"<\g<0>>", text) == slow.sub(r"<\g<0>>", text) == re.sub(pattern, r"<\g<0>>", text)
        assert quick.split(text) == slow.split(text)
    assert slow.sub("-", text, 1) == re.sub(pattern, "-", text, count=1)


def test_ignoring_case_and_lines() -> None:
    assert Pattern("a[b-d]", re.IGNORECASE).search("xAC").group() == "AC"
    found = compile_program("^b$", re.MULTILINE).finditer("a\nb\nc")
    assert [one.start() for one in found] == [2]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(a|a)*b", "a*a*a*a*b", "(?:a?){50}a{50}", r"(\w+\s?)*$"])
def test_hostile_patterns_end(pattern: str) -> None:
    Pattern(pattern, 0).search("a" * 3_000 + "!")


@pytest.mark.parametrize("pattern", [r"(a+)+\1", "(?=(a+)+)b", "(a{1000}){1000}"])
def test_what_would_cost_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(TooCostly):
        Pattern(pattern, 0).search("a" * 100_000)
