"""Checks of a task's parameters: what is wrong is InvalidInput that names the parameter, before any work."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stactask.exceptions import InvalidInput


def known(given: Mapping[str, Any], names: Collection[str], options: Mapping[str, Any]) -> None:
    """Refuse names of no parameter; `options`, meant for every task of the workflow, may hold others."""
    unknown = sorted(set(given) - set(names) - set(options))
    if unknown:
        listed = ", ".join(sorted(names))
        raise InvalidInput(f"parameter {unknown[0]!r} is unknown; there are: {listed}")


def flag(name: str, value: object) -> bool:
    """A true or false."""
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def text(name: str, value: object) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise _wrong(name, value, "a string")
    return value


def texts(name: str, value: object) -> list[str]:
    """A list of strings; a string stands for a list of one."""
    if isinstance(value, str) and value:
        return [value]
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise _wrong(name, value, "a list of strings")
    return list(value)


def integer(name: str, value: object, least: int, most: int) -> int:
    """A whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")
    return value


def choice(name: str, value: object, among: Collection[str]) -> str:
    """One of some words, in any case; the answer is in the case they are given in."""
    spelt = {one.lower(): one for one in among}
    if not isinstance(value, str) or value.lower() not in spelt:
        raise _wrong(name, value, "one of " + ", ".join(sorted(among)))
    return spelt[value.lower()]


def _wrong(name: str, value: object, expected: str) -> InvalidInput:
    return InvalidInput(f"parameter {name!r} must be {expected}, not {value!r}")
