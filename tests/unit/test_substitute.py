from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus.core.substitute import parse_variables, substitute, substitute_payload
from cirrus.errors import InvalidPayload

NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]*", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "1"),
        ("${A}${A}-${B}", "11-two words"),
        ("${A?x}", "1"),
        ("${C?x}", "x"),
        ("${C?}", ""),
        ("${C?s3://b/k?q}", "s3://b/k?q"),
        ("${D.e-f}", "dotted"),
        ("$A {A} $ {A} ${} ${1}", "$A {A} $ {A} ${} ${1}"),
        ("", ""),
        ("${R}", "${A}"),
    ],
)
def test_substitute(text: str, filled: str) -> None:
    assert substitute(text, {"A": "1", "B": "two words", "D.e-f": "dotted", "R": "${A}"}) == filled


def test_what_has_no_value_is_named_once() -> None:
    with pytest.raises(InvalidPayload, match=r"^no value for X, Y: give -x NAME VALUE, or \$\{NAME\?default\}$"):
        substitute("${Y} ${X} ${Y} ${Z?d} ${A}", {"A": "1"})


@given(st.dictionaries(NAME, st.text(), min_size=1))
def test_every_variable_is_filled_in(variables: dict[str, str]) -> None:
    text = "|".join(f"${{{name}}}" for name in variables)
    assert substitute(text, variables) == "|".join(variables.values())


def test_files_of_variables() -> None:
    text = "A=1\n\n# comment\n export B = two words \nC='quoted # here'\nD=\"x=y\"\nE=\nF='\n"
    expected = {"A": "1", "B": "two words", "C": "quoted # here", "D": "x=y", "E": "", "F": "'"}
    assert parse_variables(text, "vars.env") == expected


@pytest.mark.parametrize("line", ["no equals", "1A=x", "=x", "A B=x"])
def test_bad_line_is_named(line: str) -> None:
    with pytest.raises(InvalidPayload, match=r"vars\.env, line 3: NAME=VALUE is expected"):
        parse_variables(f"A=1\n\n{line}\n", "vars.env")


def test_silent_leaves_what_has_no_value() -> None:
    assert substitute("${a} ${b} ${c?d}", {"a": "1"}, silent=True) == "1 ${b} d"
    assert substitute_payload("${a} ${b}", {"a": "1"}, silent=True) == "1 ${b}"
